//! What the sandbox reports, as JSON, like a real provider's.

use base::Sources;
use serde::{Deserialize, Serialize};

use crate::provider::ProviderEvent;

#[derive(Serialize, Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// Unix seconds.
    created: i64,
    data: Data,
}

#[derive(Serialize, Deserialize)]
struct Data {
    reference: String,
    amount_minor: i64,
    currency: String,
    status: String,
    metadata: Metadata,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    order_id: String,
}

/// What an event is about.
pub(super) struct Subject<'a> {
    pub reference: &'a str,
    pub amount_minor: i64,
    pub currency: &'a str,
    pub order_id: uuid::Uuid,
}

#[derive(Clone, Copy)]
pub(super) enum Happened {
    Succeeded,
    Failed,
}

/// The event's id and its body.
pub(super) fn write(
    sources: &Sources,
    happened: Happened,
    subject: &Subject<'_>,
) -> (String, Vec<u8>) {
    let (kind, status) = match happened {
        Happened::Succeeded => ("payment.succeeded", "succeeded"),
        Happened::Failed => ("payment.failed", "declined"),
    };
    let id = format!("evt_{}", sources.uuid_v7().simple());
    let event = Event {
        id: id.clone(),
        kind: kind.to_owned(),
        created: sources.now().unix_timestamp(),
        data: Data {
            reference: subject.reference.to_owned(),
            amount_minor: subject.amount_minor,
            currency: subject.currency.to_owned(),
            status: status.to_owned(),
            metadata: Metadata {
                order_id: subject.order_id.to_string(),
            },
        },
    };
    let body = serde_json::to_vec(&event).expect("text and numbers are always JSON");
    (id, body)
}

/// None if the body is not an event of the sandbox. Postgres cannot store NUL, so it is none either.
pub(super) fn read(body: &[u8]) -> Option<ProviderEvent> {
    let event: Event = serde_json::from_slice(body).ok()?;
    let texts = [
        &event.id,
        &event.kind,
        &event.data.reference,
        &event.data.currency,
    ];
    if texts
        .iter()
        .any(|text| text.is_empty() || text.len() > 255 || text.contains('\0'))
    {
        return None;
    }
    Some(ProviderEvent {
        id: event.id,
        kind: event.kind,
        reference: event.data.reference,
        amount_minor: event.data.amount_minor,
        currency: event.data.currency,
    })
}
