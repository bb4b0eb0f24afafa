//! What an event says to look at. Nothing else of it is believed.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{amount, objects::Link};
use crate::provider::{ProviderEvent, Subject};

const TEXT_MAX_BYTES: usize = 255;

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: serde_json::Value,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    amount_total: Option<i64>,
    currency: Option<String>,
    metadata: Option<HashMap<String, IgnoredAny>>,
}

/// A charge or a refund.
#[derive(Deserialize)]
struct OfIntent {
    payment_intent: Option<Link<Named>>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// None if the body is not an event of Stripe's.
pub(super) fn read(body: &[u8]) -> Option<ProviderEvent> {
    let event: Event = serde_json::from_slice(body).ok()?;
    let subject = match event.kind.as_str() {
        "checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.async_payment_failed"
        | "checkout.session.expired" => session(event.data.object)?,
        "charge.refunded"
        | "charge.refund.updated"
        | "refund.created"
        | "refund.updated"
        | "refund.failed" => refund(event.data.object)?,
        _ => Subject::Nothing,
    };
    let reference = match &subject {
        Subject::Payment { reference, .. } => reference,
        Subject::Refund { payment } => payment,
        Subject::Nothing => &event.id,
    };
    let storable = [&event.id, &event.kind, reference]
        .iter()
        .all(|text| (1..=TEXT_MAX_BYTES).contains(&text.len()) && !text.contains('\0'));
    storable.then_some(ProviderEvent {
        id: event.id,
        kind: event.kind,
        subject,
    })
}

/// Others may sell by the same account: a session of ours names its attempt.
fn session(object: serde_json::Value) -> Option<Subject> {
    let session: Session = serde_json::from_value(object).ok()?;
    let ours = |metadata: HashMap<String, IgnoredAny>| metadata.contains_key("attempt");
    if !session.metadata.is_some_and(ours) {
        return Some(Subject::Nothing);
    }
    let money = session.amount_total.zip(session.currency);
    let money = money.and_then(|(amount, currency)| amount::from_stripe(amount, &currency));
    Some(Subject::Payment {
        reference: session.id,
        amount: money.map(|money| (money.amount_minor, money.currency.code().to_owned())),
    })
}

fn refund(object: serde_json::Value) -> Option<Subject> {
    let object: OfIntent = serde_json::from_value(object).ok()?;
    Some(match object.payment_intent {
        Some(Link::Id(payment) | Link::Object(Named { id: payment })) => {
            Subject::Refund { payment }
        }
        None => Subject::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(kind: &str, object: &str) -> Option<Subject> {
        let body =
            format!(r#"{{"id":"evt_1","type":"{kind}","data":{{"object":{object}}},"extra":1}}"#);
        read(body.as_bytes()).map(|event| event.subject)
    }

    #[test]
    fn sessions_are_payments_refunds_name_the_intent() {
        let ours =
            r#"{"id":"cs_1","amount_total":500,"currency":"isk","metadata":{"attempt":"a"}}"#;
        let payment = Subject::Payment {
            reference: "cs_1".to_owned(),
            amount: Some((5, "ISK".to_owned())),
        };
        for kind in [
            "completed",
            "async_payment_succeeded",
            "async_payment_failed",
            "expired",
        ] {
            let kind = format!("checkout.session.{kind}");
            assert_eq!(subject(&kind, ours), Some(payment.clone()));
        }
        let refund = Subject::Refund {
            payment: "pi_1".to_owned(),
        };
        for object in [
            r#"{"payment_intent":"pi_1"}"#,
            r#"{"payment_intent":{"id":"pi_1"}}"#,
        ] {
            for kind in [
                "charge.refunded",
                "refund.created",
                "refund.updated",
                "refund.failed",
            ] {
                assert_eq!(subject(kind, object), Some(refund.clone()));
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_nothing_and_what_is_no_event_is_none() {
        let theirs = r#"{"id":"cs_1","amount_total":500,"currency":"eur","metadata":{}}"#;
        for (kind, object) in [
            ("checkout.session.completed", theirs),
            ("refund.created", r#"{"payment_intent":null}"#),
            ("invoice.paid", "{}"),
        ] {
            assert_eq!(subject(kind, object), Some(Subject::Nothing), "{kind}");
        }
        for (kind, object) in [
            ("", "{}"),
            ("a\\u0000b", "{}"),
            ("checkout.session.completed", "{}"),
            (
                "checkout.session.completed",
                r#"{"id":"","metadata":{"attempt":"a"}}"#,
            ),
            ("refund.created", "[]"),
        ] {
            assert_eq!(subject(kind, object), None, "{kind} {object}");
        }
        assert_eq!(read(b"no json"), None);
    }
}
