//! An attempt gets a page to pay on. The row exists before the provider is called, and the provider's
//! key is made of it, so that a crash in between opens no second payment.

use base::{AttemptId, Money, OrderId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{order_state::OrderStatus, timeline::PAYMENT_STARTED},
    error::Error,
    provider::{self, Checkout, PaymentRequest},
    store::{self, AttemptRow, By, OrderRow},
};

/// An attempt to be.
#[derive(Clone, Debug)]
pub(crate) struct NewAttempt {
    pub id: AttemptId,
    pub order: OrderId,
    pub provider: String,
    pub body_hash: Option<Vec<u8>>,
    pub amount_minor: i64,
    pub currency: String,
    pub deadline: OffsetDateTime,
}

impl NewAttempt {
    /// The one that comes with the order; none where there is nothing to pay.
    pub fn first(id: AttemptId, order: &OrderRow, pay_by: Option<OffsetDateTime>) -> Option<Self> {
        Some(Self {
            id,
            order: order.order_id(),
            provider: order.provider.clone(),
            body_hash: None,
            amount_minor: Some(order.total_amount_minor).filter(|minor| *minor > 0)?,
            currency: order.currency.clone(),
            deadline: pay_by?,
        })
    }
}

/// Fails with the constraint `attempts_one_open` while another one is open.
pub(crate) async fn open_attempt(
    tx: &mut PgConnection,
    attempt: &NewAttempt,
    by: &By,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, body_hash,
             amount_minor, currency, deadline)
         VALUES ($1, $2,
             (SELECT coalesce(max(number), 0) + 1 FROM payment_attempts WHERE order_id = $2),
             $3, $4, $5, $6, $7, $8)",
        attempt.id.uuid(),
        attempt.order.uuid(),
        attempt.provider,
        attempt.id.to_string(),
        attempt.body_hash,
        attempt.amount_minor,
        attempt.currency,
        attempt.deadline,
    )
    .execute(&mut *tx)
    .await?;
    let status = OrderStatus::AwaitingPayment;
    store::note(tx, attempt.order, status, by, PAYMENT_STARTED).await?;
    Ok(())
}

/// Asks the provider for the payment of this attempt and stores its reference.
pub(crate) async fn checkout(
    app: &App,
    order: &OrderRow,
    attempt: &AttemptRow,
) -> Result<Checkout, Error> {
    if let (Some(reference), Some(url)) = (&attempt.provider_ref, &attempt.checkout_url) {
        return Ok(Checkout {
            reference: reference.clone(),
            url: url.clone(),
        });
    }
    let provider = app
        .providers
        .get(&attempt.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    let request = payment_request(app, order, attempt)?;
    let checkout = provider::bounded(provider.create(&request)).await?;
    kit::failpoint!("payment.checkout_created");
    let input = (attempt.id, checkout.reference.clone(), checkout.url.clone());
    let store = app.db.run(input, |tx, (attempt, reference, url)| {
        Box::pin(async move {
            // An attempt that was ended meanwhile keeps its end and gets its reference all the same:
            // whatever the provider says about it later must find it.
            sqlx::query!(
                "UPDATE payment_attempts
                 SET provider_ref = $2, checkout_url = $3,
                     status = CASE WHEN status = 'created' THEN 'requires_action' ELSE status END
                 WHERE id = $1 AND provider_ref IS NULL",
                attempt,
                reference,
                url,
            )
            .execute(tx)
            .await?;
            Ok::<_, Error>(())
        })
    });
    store.await?;
    Ok(checkout)
}

fn payment_request(
    app: &App,
    order: &OrderRow,
    attempt: &AttemptRow,
) -> Result<PaymentRequest, Error> {
    let currency = attempt
        .currency
        .parse()
        .map_err(|_| Error::Broken("an attempt has no currency"))?;
    let title = order.event_title.as_deref().unwrap_or("Tickets");
    Ok(PaymentRequest {
        key: attempt.provider_key.clone(),
        order: order.order_id(),
        amount: Money::new(attempt.amount_minor, currency),
        description: format!("{title} · {}", order.number),
        return_url: app.order_page(order.order_id()),
        deadline: attempt.deadline,
    })
}
