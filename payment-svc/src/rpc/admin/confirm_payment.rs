//! Money has arrived for a payment that only a person can confirm. The same key is the same money.

use std::sync::Arc;

use base::{IdempotencyKey, body_hash, bounded_multiline, derived_id};
use kit::FieldProblem;
use proto::{
    common::Money,
    payment::{ConfirmPaymentRequest, ConfirmPaymentResponse},
};
use serde_json::json;
use tonic::Request;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    provider::manual,
    saga::{self, Confirmed},
    store::{self, AttemptRow, Audit, By, OrderRow},
    view,
};

pub(super) const NOTE_MAX_CHARS: usize = 500;

pub(in crate::rpc) async fn confirm_payment(
    app: &Arc<App>,
    request: Request<ConfirmPaymentRequest>,
) -> Result<ConfirmPaymentResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let order = caller.order(app, &request.order_id).await?;
    let id = order.order_id();
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let confirmed = read(&request, &key, &order, By::now(&caller.actor()))?;
    let attempt = newest_manual(app, &order).await?;
    let shared = app.clone();
    let arriving = async move { saga::arrive(&shared, &attempt, confirmed).await };
    app.tasks.complete(arriving).await?;
    Ok(ConfirmPaymentResponse {
        order: Some(view::order(app, id).await?),
    })
}

fn read(
    request: &ConfirmPaymentRequest,
    key: &IdempotencyKey,
    order: &OrderRow,
    by: By,
) -> Result<Confirmed, Error> {
    let mut problems = Vec::new();
    let note = bounded_multiline("note", &request.note, 0, NOTE_MAX_CHARS);
    if let Err(e) = &note {
        problems.push(FieldProblem::new("note", e.problem));
    }
    if let Some(amount) = &request.amount {
        let problem = |rule: String| FieldProblem::new("amount", rule);
        if amount.currency != order.currency {
            problems.push(problem(format!("must be in {}", order.currency)));
        } else if amount.amount_minor <= 0 {
            problems.push(problem("must be more than nothing".to_owned()));
        }
    }
    let (Ok(note), true) = (note, problems.is_empty()) else {
        return Err(Error::Fields(problems));
    };
    let amount_minor = request.amount.as_ref().map(|amount| amount.amount_minor);
    let audit = Audit {
        by,
        action: "payment.confirm",
        object: order.id.to_string(),
        before: json!({ "status": order.status }),
        after: json!({ "amount_minor": amount_minor, "note": note }),
    };
    Ok(Confirmed {
        id: derived_id(&format!("orders/{}/arrivals", order.id), key),
        amount_minor,
        body_hash: hash(request.amount.as_ref(), &note),
        note,
        audit,
    })
}

fn hash(amount: Option<&Money>, note: &str) -> Vec<u8> {
    let (minor, currency) = amount.map_or((0, ""), |amount| {
        (amount.amount_minor, amount.currency.as_str())
    });
    body_hash(&[&minor.to_be_bytes(), currency.as_bytes(), note.as_bytes()]).to_vec()
}

/// Money finds its payment even if the guest has tried another way since, or the provider was switched
/// off: it is in the bank all the same.
pub(super) async fn newest_manual(app: &App, order: &OrderRow) -> Result<AttemptRow, Error> {
    let attempts = app.db.read(order.order_id(), |conn, order| {
        Box::pin(store::attempts(conn, *order))
    });
    let mut newest_first = attempts.await?.into_iter().rev();
    newest_first
        .find(|attempt| takes_a_person_s_word(app, attempt))
        .ok_or(Error::ProviderCannot)
}

pub(super) fn takes_a_person_s_word(app: &App, attempt: &AttemptRow) -> bool {
    match app.providers.get(&attempt.provider) {
        Some(provider) => provider.capabilities().may_differ,
        None => attempt.provider == manual::NAME,
    }
}
