//! The fields of Stripe's objects that are read here.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
pub(super) struct Session {
    pub id: String,
    /// `open`, `complete`, `expired`.
    pub status: String,
    /// `paid`, `unpaid`, `no_payment_required`.
    pub payment_status: String,
    pub amount_total: i64,
    pub currency: String,
    /// None once it is not open.
    pub url: Option<String>,
    /// None until the guest has tried to pay.
    pub payment_intent: Option<Link<Intent>>,
}

#[derive(Deserialize)]
pub(super) struct Intent {
    pub id: String,
    pub status: String,
    pub amount_received: i64,
    pub currency: String,
    /// There if the last try was refused.
    pub last_payment_error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Refund {
    pub id: String,
    pub amount: i64,
    pub currency: String,
    /// `pending`, `requires_action`, `succeeded`, `failed`, `canceled`.
    pub status: Option<String>,
    pub failure_reason: Option<String>,
    pub payment_intent: Option<Link<Intent>>,
    #[serde(default)]
    pub metadata: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub data: Vec<T>,
    pub has_more: bool,
}

/// Another object: its id, or itself where the request asked to expand it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Link<T> {
    Id(String),
    Object(T),
}

impl Link<Intent> {
    pub fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(intent) => &intent.id,
        }
    }

    pub fn object(&self) -> Option<&Intent> {
        match self {
            Self::Id(_) => None,
            Self::Object(intent) => Some(intent),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub error: ErrorObject,
}

#[derive(Deserialize)]
pub(super) struct ErrorObject {
    #[serde(rename = "type")]
    pub kind: String,
    pub code: Option<String>,
    pub message: Option<String>,
}
