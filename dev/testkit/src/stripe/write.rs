//! Stripe's objects as JSON, with enough beside what a shop reads that a reader must not be strict.

use super::books::{Intent, Refund, Session};
use serde_json::{Value, json};

pub(super) fn session(session: &Session, expand_intent: bool) -> Value {
    let intent = session.intent.as_ref();
    let intent = intent.map(|intent| match expand_intent {
        true => payment_intent(session, intent),
        false => json!(intent.id),
    });
    let is_open = session.status == "open";
    json!({
        "id": session.id,
        "object": "checkout.session",
        "adaptive_pricing": { "enabled": false },
        "amount_subtotal": session.amount,
        "amount_total": session.amount,
        "automatic_tax": { "enabled": false, "liability": null, "status": null },
        "cancel_url": session.cancel_url,
        "client_reference_id": session.client_reference_id,
        "created": session.created,
        "currency": session.currency,
        "customer": null,
        "customer_details": null,
        "expires_at": session.expires_at,
        "livemode": false,
        "locale": null,
        "metadata": session.metadata,
        "mode": "payment",
        "payment_intent": intent,
        "payment_method_types": ["card"],
        "payment_status": session.payment_status,
        "status": session.status,
        "success_url": session.success_url,
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "url": is_open.then(|| format!("https://checkout.stripe.com/c/pay/{}", session.id)),
    })
}

pub(super) fn payment_intent(session: &Session, intent: &Intent) -> Value {
    let error = intent.error.map(|code| {
        json!({
            "type": "card_error",
            "code": "card_declined",
            "decline_code": code,
            "message": "Your card was declined.",
        })
    });
    json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": session.amount,
        "amount_capturable": 0,
        "amount_received": intent.received,
        "canceled_at": null,
        "capture_method": "automatic_async",
        "created": intent.created,
        "currency": session.currency,
        "description": session.description,
        "last_payment_error": error,
        "latest_charge": intent.charge,
        "livemode": false,
        "metadata": session.intent_metadata,
        "status": intent.status,
    })
}

pub(super) fn charge(session: &Session, intent: &Intent, refunded: i64) -> Value {
    json!({
        "id": intent.charge,
        "object": "charge",
        "amount": session.amount,
        "amount_captured": intent.received,
        "amount_refunded": refunded,
        "captured": true,
        "created": intent.created,
        "currency": session.currency,
        "livemode": false,
        "metadata": session.intent_metadata,
        "paid": true,
        "payment_intent": intent.id,
        "refunded": refunded == intent.received,
        "status": "succeeded",
    })
}

pub(super) fn refund(refund: &Refund) -> Value {
    let mut object = json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": null,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "metadata": refund.metadata,
        "payment_intent": refund.intent,
        "reason": null,
        "receipt_number": null,
        "status": refund.status,
    });
    // Absent, not null, where there is none.
    if let Some(reason) = refund.failure_reason {
        object["failure_reason"] = json!(reason);
    }
    object
}
