use kit::Failure;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::broken;

/// An amount in the currency's smallest unit: 4500 EUR is 45.00 €.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    #[schema(example = 4500)]
    pub amount_minor: i64,
    /// ISO 4217, three capital letters.
    #[schema(example = "EUR")]
    pub currency: String,
}

impl Money {
    /// An amount that the contract promises.
    pub fn required(money: Option<proto::common::Money>, what: &str) -> Result<Self, Failure> {
        money.map(Self::from).ok_or_else(|| broken(what))
    }
}

impl From<proto::common::Money> for Money {
    fn from(money: proto::common::Money) -> Self {
        Self {
            amount_minor: money.amount_minor,
            currency: money.currency,
        }
    }
}

impl From<Money> for proto::common::Money {
    fn from(money: Money) -> Self {
        Self {
            amount_minor: money.amount_minor,
            currency: money.currency,
        }
    }
}
