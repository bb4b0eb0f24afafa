//! What the sandbox reports, as JSON, like a real provider's. A report is a row of the transaction that
//! it tells of; `deliver` sends it.

use std::time::Duration;

use base::{OrderId, Sources};
use db::DbError;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::WebhookFaults;
use crate::provider::{ProviderEvent, Subject as About};

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
    /// The refund that `refund.*` is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund: Option<String>,
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
    /// The session's.
    pub reference: &'a str,
    pub refund: Option<&'a str>,
    pub amount_minor: i64,
    pub currency: &'a str,
    pub order: OrderId,
}

#[derive(Clone, Copy)]
pub(super) enum Happened {
    Succeeded,
    Failed,
    Pending,
    RefundPending,
    RefundSucceeded,
    RefundFailed,
}

impl Happened {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Succeeded => ("payment.succeeded", "succeeded"),
            Self::Failed => ("payment.failed", "declined"),
            Self::Pending => ("payment.pending", "pending"),
            Self::RefundPending => ("refund.pending", "pending"),
            Self::RefundSucceeded => ("refund.succeeded", "succeeded"),
            Self::RefundFailed => ("refund.failed", "failed"),
        }
    }
}

/// Writes reports, and decides what the network does to them.
#[derive(Clone)]
pub(super) struct Reporter {
    pub sources: Sources,
    pub faults: WebhookFaults,
    /// How late a late webhook or refund is.
    pub late: Duration,
}

impl Reporter {
    /// To be sent after a time.
    pub async fn report(
        &self,
        tx: &mut PgConnection,
        happened: Happened,
        subject: &Subject<'_>,
        after: Duration,
    ) -> Result<(), DbError> {
        let (event_id, body) = write(&self.sources, happened, subject);
        let fate = self.faults.fate(&self.sources);
        sqlx::query!(
            "INSERT INTO sandbox.deliveries (event_id, reference, body, copies, lost_at, next_attempt_at)
             VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN clock_timestamp() END,
                 clock_timestamp() + make_interval(secs => $6))",
            event_id,
            subject.reference,
            body,
            fate.copies,
            fate.lost,
            (after + fate.after).as_secs_f64(),
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// The event's id and its body.
fn write(sources: &Sources, happened: Happened, subject: &Subject<'_>) -> (String, Vec<u8>) {
    let (kind, status) = happened.words();
    let id = format!("evt_{}", sources.uuid_v7().simple());
    let event = Event {
        id: id.clone(),
        kind: kind.to_owned(),
        created: sources.now().unix_timestamp(),
        data: Data {
            reference: subject.reference.to_owned(),
            refund: subject.refund.map(str::to_owned),
            amount_minor: subject.amount_minor,
            currency: subject.currency.to_owned(),
            status: status.to_owned(),
            metadata: Metadata {
                order_id: subject.order.to_string(),
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
    let reference = event.data.reference;
    let subject = if event.kind.starts_with("refund.") {
        About::Refund { payment: reference }
    } else {
        About::Payment {
            reference,
            amount: Some((event.data.amount_minor, event.data.currency)),
        }
    };
    Some(ProviderEvent {
        id: event.id,
        kind: event.kind,
        subject,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (sources, _) = Sources::for_tests(1);
        let mut subject = Subject {
            reference: "sbx_1",
            refund: None,
            amount_minor: 500,
            currency: "EUR",
            order: OrderId::from(sources.uuid_v7()),
        };
        let (id, body) = write(&sources, Happened::Pending, &subject);
        let about = About::Payment {
            reference: "sbx_1".to_owned(),
            amount: Some((500, "EUR".to_owned())),
        };
        let event = read(&body).unwrap();
        assert_eq!((event.id, event.kind.as_str()), (id, "payment.pending"));
        assert_eq!(event.subject, about);

        subject.refund = Some("sbr_1");
        let (_, body) = write(&sources, Happened::RefundFailed, &subject);
        let event = read(&body).unwrap();
        let payment = "sbx_1".to_owned();
        assert_eq!(event.kind, "refund.failed");
        assert_eq!(event.subject, About::Refund { payment });
        assert!(read(b"{}").is_none());
    }
}
