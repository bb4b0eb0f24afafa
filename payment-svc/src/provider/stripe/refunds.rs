//! Refunds, of a payment intent. Stripe forgets an idempotency key after a day, so that a refund which
//! is asked for again is looked for first, by the key in its metadata. One that Stripe made by an earlier
//! key is taken for it, unless it failed.

use time::OffsetDateTime;

use super::{
    amount, checkout,
    client::{Client, Failed},
    objects::{Link, List, Refund},
};
use crate::provider::{
    ProviderError, RefundRequest, RefundState, RefundTruth, SeenRefund, bounded,
};

const KEY: &str = "refund";
const PAGE_ROWS: &str = "100";

pub(super) async fn refund(
    client: &Client,
    request: &RefundRequest,
) -> Result<RefundTruth, ProviderError> {
    let intent = match &request.capture {
        Some(intent) => intent.clone(),
        None => match checkout::intent_of(client, &request.payment).await? {
            Some(intent) => intent,
            None => return Ok(refused("nothing was paid".to_owned(), true)),
        },
    };
    let made = list(client, ("payment_intent", &intent)).await?;
    let id = request.refund.to_string();
    let stands = made.iter().find(|made| {
        let is_ours = key(made).is_some_and(|key| key.starts_with(&id));
        let has_failed = matches!(state(made), RefundState::Failed { .. });
        key(made) == Some(&request.key) || is_ours && !has_failed
    });
    if let Some(made) = stands {
        return Ok(truth(made));
    }
    let amount = match amount::to_stripe(request.amount) {
        Ok((amount, _)) => amount.to_string(),
        Err(why) => return Ok(refused(why, true)),
    };
    let order = request.order.to_string();
    let params = [
        ("payment_intent", intent.as_str()),
        ("amount", &amount),
        ("metadata[refund]", &request.key),
        ("metadata[order_id]", &order),
    ];
    let made = client.post(&["refunds"], &params, Some(&request.key)).await;
    match made {
        Ok(made) => Ok(truth(&made)),
        // Refunded already, more than is left, disputed.
        Err(Failed::Refused { code, message, .. }) => Ok(refused(message, !may_pass(&code))),
        Err(failed) => Err(failed.into()),
    }
}

pub(super) async fn fetch(client: &Client, reference: &str) -> Result<RefundTruth, ProviderError> {
    let refund = client.get(&["refunds", reference], &[]).await?;
    Ok(truth(&refund))
}

/// Those of payments that have no intent are nothing of ours.
pub(super) async fn since(
    client: &Client,
    since: OffsetDateTime,
) -> Result<Vec<SeenRefund>, ProviderError> {
    let since = since.unix_timestamp().to_string();
    let made = list(client, ("created[gte]", &since)).await?;
    Ok(made.iter().filter_map(seen).collect())
}

/// Everything that was sent back of this payment.
pub(super) async fn of_intent(
    client: &Client,
    intent: &str,
) -> Result<Vec<SeenRefund>, ProviderError> {
    let made = list(client, ("payment_intent", intent)).await?;
    Ok(made.iter().filter_map(seen).collect())
}

async fn list(client: &Client, filter: (&str, &str)) -> Result<Vec<Refund>, ProviderError> {
    let mut all: Vec<Refund> = Vec::new();
    loop {
        let mut query = vec![filter, ("limit", PAGE_ROWS)];
        if let Some(last) = all.last() {
            query.push(("starting_after", &last.id));
        }
        let page = async { Ok(client.get(&["refunds"], &query).await?) };
        let page: List<Refund> = bounded(Box::pin(page)).await?;
        let more = page.has_more && !page.data.is_empty();
        all.extend(page.data);
        if !more {
            return Ok(all);
        }
    }
}

fn key(refund: &Refund) -> Option<&String> {
    refund.metadata.as_ref()?.get(KEY)
}

fn seen(refund: &Refund) -> Option<SeenRefund> {
    let money = amount::from_stripe(refund.amount, &refund.currency)?;
    Some(SeenRefund {
        reference: refund.id.clone(),
        payment: refund.payment_intent.as_ref().map(Link::id)?.to_owned(),
        key: key(refund).cloned(),
        amount_minor: money.amount_minor,
        currency: money.currency.code().to_owned(),
        state: state(refund),
    })
}

fn truth(refund: &Refund) -> RefundTruth {
    RefundTruth {
        reference: Some(refund.id.clone()),
        state: state(refund),
    }
}

fn state(refund: &Refund) -> RefundState {
    match refund.status.as_deref() {
        Some("succeeded") => RefundState::Succeeded,
        Some(ended @ ("failed" | "canceled")) => RefundState::Failed {
            reason: refund
                .failure_reason
                .clone()
                .unwrap_or_else(|| ended.to_owned()),
            final_: !refund.failure_reason.as_deref().is_some_and(may_pass),
        },
        _ => RefundState::Pending,
    }
}

fn refused(reason: String, final_: bool) -> RefundTruth {
    RefundTruth {
        reference: None,
        state: RefundState::Failed { reason, final_ },
    }
}

/// The account's balance is too low just now, or the payment has not settled yet.
/// <https://docs.stripe.com/error-codes>, <https://docs.stripe.com/api/refunds/object>
fn may_pass(code: &str) -> bool {
    const MAY_PASS: [&str; 4] = [
        "balance_insufficient",
        "insufficient_balance",
        "insufficient_funds",
        "charge_pending",
    ];
    MAY_PASS.contains(&code)
}
