//! Checkout Sessions: the page that Stripe shows to the guest.

use time::Duration;

use super::{
    amount,
    client::{Client, Failed},
    objects::{Intent, Session},
    refunds,
};
use crate::provider::{Checkout, Closing, PaymentRequest, PaymentStatus, ProviderError, Truth};

/// Stripe closes a page by itself 30 minutes after it was made at the earliest. We close it at the
/// deadline; this is for the case that nobody does, and says nothing of the time of the call, because
/// the same key must come with the same parameters.
const EXPIRES_AFTER_DEADLINE: Duration = Duration::minutes(35);

pub(super) async fn create(
    client: &Client,
    request: &PaymentRequest,
) -> Result<Checkout, ProviderError> {
    let (amount, currency) = amount::to_stripe(request.amount).map_err(ProviderError::Refused)?;
    let (amount, order) = (amount.to_string(), request.order.to_string());
    let expires_at = request.deadline + EXPIRES_AFTER_DEADLINE;
    let expires_at = expires_at.unix_timestamp().to_string();
    let params = [
        ("mode", "payment"),
        ("client_reference_id", order.as_str()),
        ("metadata[order_id]", &order),
        ("metadata[attempt]", &request.key),
        ("payment_intent_data[metadata][order_id]", &order),
        ("payment_intent_data[metadata][attempt]", &request.key),
        ("payment_intent_data[description]", &request.description),
        ("line_items[0][quantity]", "1"),
        ("line_items[0][price_data][currency]", &currency),
        ("line_items[0][price_data][unit_amount]", &amount),
        (
            "line_items[0][price_data][product_data][name]",
            &request.description,
        ),
        // What is shown is charged: no conversion on Stripe's page.
        ("adaptive_pricing[enabled]", "false"),
        ("success_url", &request.return_url),
        ("cancel_url", &request.return_url),
        ("expires_at", &expires_at),
    ];
    let path = ["checkout", "sessions"];
    let session: Session = client.post(&path, &params, Some(&request.key)).await?;
    Ok(Checkout {
        reference: session.id,
        url: session.url.unwrap_or_default(),
    })
}

pub(super) async fn fetch(client: &Client, reference: &str) -> Result<Truth, ProviderError> {
    let session = get(client, reference).await?;
    let intent = intent(&session);
    let status = status(&session, intent);
    let arrived = intent.filter(|_| status == PaymentStatus::Paid);
    let (amount, currency) = arrived.map_or((session.amount_total, &session.currency), |intent| {
        (intent.amount_received, &intent.currency)
    });
    let money = amount::from_stripe(amount, currency).ok_or_else(|| {
        ProviderError::Unreachable(format!(
            "Stripe reports {amount} {currency}, which is no money"
        ))
    })?;
    let mut seen = Vec::new();
    if let Some(intent) = arrived {
        seen = refunds::of_intent(client, &intent.id).await?;
        for refund in &mut seen {
            refund.payment.clone_from(&session.id);
        }
    }
    Ok(Truth {
        status,
        amount_minor: money.amount_minor,
        currency: money.currency.code().to_owned(),
        capture: intent.map(|intent| intent.id.clone()),
        refunds: seen,
        reference: session.id,
    })
}

/// Stripe refuses to close what is not open any more, and is asked what it is then.
pub(super) async fn close(client: &Client, reference: &str) -> Result<Closing, ProviderError> {
    let path = ["checkout", "sessions", reference, "expire"];
    let closed: Result<Session, Failed> = client.post(&path, &[], None).await;
    let session = match closed {
        Ok(session) => session,
        Err(Failed::Refused { .. }) => get(client, reference).await?,
        Err(failed) => return Err(failed.into()),
    };
    match status(&session, intent(&session)) {
        PaymentStatus::Paid => Ok(Closing::Paid),
        PaymentStatus::Pending => Ok(Closing::Pending),
        PaymentStatus::Closed | PaymentStatus::Failed => Ok(Closing::Closed),
        PaymentStatus::Open | PaymentStatus::Declined => Err(ProviderError::Undecided),
    }
}

/// The payment intent of a session, once there is one.
pub(super) async fn intent_of(
    client: &Client,
    reference: &str,
) -> Result<Option<String>, ProviderError> {
    let session = get(client, reference).await?;
    let link = session.payment_intent.as_ref();
    Ok(link.map(|link| link.id().to_owned()))
}

async fn get(client: &Client, reference: &str) -> Result<Session, ProviderError> {
    let path = ["checkout", "sessions", reference];
    let expand = [("expand[]", "payment_intent")];
    Ok(client.get(&path, &expand).await?)
}

fn intent(session: &Session) -> Option<&Intent> {
    session.payment_intent.as_ref()?.object()
}

/// The session says whether the page is open, the intent what became of the money. Methods that
/// settle later (bank debits, vouchers) complete the session unpaid.
fn status(session: &Session, intent: Option<&Intent>) -> PaymentStatus {
    let money = intent.map(|intent| intent.status.as_str());
    let declined = intent.is_some_and(|intent| intent.last_payment_error.is_some());
    match (session.status.as_str(), money) {
        (_, Some("succeeded")) => PaymentStatus::Paid,
        (_, Some("processing")) => PaymentStatus::Pending,
        ("complete", _) if session.payment_status == "paid" => PaymentStatus::Paid,
        ("complete", Some("requires_payment_method" | "canceled")) => PaymentStatus::Failed,
        ("complete", _) => PaymentStatus::Pending,
        ("expired", _) if declined => PaymentStatus::Failed,
        ("expired", _) => PaymentStatus::Closed,
        _ if declined => PaymentStatus::Declined,
        _ => PaymentStatus::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(status: &str, payment_status: &str, intent: &str) -> Session {
        let text = format!(
            r#"{{"id":"cs_1","status":"{status}","payment_status":"{payment_status}","amount_total":4500,
                 "currency":"eur","url":null,"payment_intent":{intent}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn intent(status: &str, error: &str) -> String {
        format!(
            r#"{{"id":"pi_1","status":"{status}","amount_received":0,"currency":"eur","last_payment_error":{error}}}"#
        )
    }

    #[test]
    fn a_session_and_its_intent_are_one_status() {
        use PaymentStatus::{Closed, Declined, Failed, Open, Paid, Pending};
        let tried = |status| intent(status, r#"{"code":"card_declined"}"#);
        let clean = |status| intent(status, "null");
        let (none, id) = ("null".to_owned(), "\"pi_1\"".to_owned());
        for (status, payment_status, intent, expected) in [
            ("open", "unpaid", none.clone(), Open),
            ("open", "unpaid", id, Open),
            ("open", "unpaid", clean("requires_action"), Open),
            ("open", "unpaid", tried("requires_payment_method"), Declined),
            ("open", "unpaid", clean("succeeded"), Paid),
            ("complete", "paid", clean("succeeded"), Paid),
            ("complete", "unpaid", clean("processing"), Pending),
            ("complete", "unpaid", clean("requires_action"), Pending),
            (
                "complete",
                "unpaid",
                tried("requires_payment_method"),
                Failed,
            ),
            ("expired", "unpaid", none, Closed),
            ("expired", "unpaid", clean("canceled"), Closed),
            ("expired", "unpaid", tried("canceled"), Failed),
        ] {
            let session = session(status, payment_status, &intent);
            let found = super::status(&session, super::intent(&session));
            assert_eq!(found, expected, "{status} {intent}");
        }
    }
}
