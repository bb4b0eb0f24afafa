//! An attempt gets a page to pay on. The row exists before the provider is called, and the provider's
//! key is made of it, so that a crash in between opens no second payment.

use base::{AttemptId, Money, OrderId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{ask_for_transfer::TransferNotice, send_back::order_status};
use crate::{
    app::App,
    domain::{
        attempt_state::AttemptStatus,
        order_state::OrderStatus,
        timeline::{PAYMENT_REFUSED, PAYMENT_STARTED},
    },
    error::Error,
    provider::{self, Checkout, PaymentRequest, ProviderError},
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
    pub fn first(
        id: AttemptId,
        order: &OrderRow,
        provider: &str,
        pay_by: Option<OffsetDateTime>,
    ) -> Option<Self> {
        Some(Self {
            id,
            order: order.order_id(),
            provider: provider.to_owned(),
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

/// Asks the provider for the payment of this attempt and stores its reference. None: the provider
/// refused, and the attempt has ended.
pub(crate) async fn checkout(
    app: &App,
    order: &OrderRow,
    attempt: &AttemptRow,
) -> Result<Option<Checkout>, Error> {
    if let (Some(reference), Some(url)) = (&attempt.provider_ref, &attempt.checkout_url) {
        return Ok(Some(Checkout {
            reference: reference.clone(),
            url: url.clone(),
        }));
    }
    let provider = app
        .providers
        .get(&attempt.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    let request = payment_request(app, order, attempt)?;
    let checkout = match provider::bounded(provider.create(&request)).await {
        Ok(checkout) => checkout,
        Err(ProviderError::Refused(why)) => {
            tracing::warn!(order = %order.id, provider = attempt.provider, why, "a payment was refused");
            refused(app, attempt, why).await?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    kit::failpoint!("payment.checkout_created");
    let named = Named {
        attempt: attempt.clone(),
        checkout: checkout.clone(),
        notice: TransferNotice::of(app, order, attempt, &checkout.reference),
    };
    let store = app
        .db
        .run(named, |tx, named| Box::pin(store_reference(tx, named)));
    store.await?;
    app.nudges.outbox.notify_one();
    Ok(Some(checkout))
}

/// An attempt that its provider knows now.
struct Named {
    attempt: AttemptRow,
    checkout: Checkout,
    /// For the guest, where there is no page.
    notice: Option<TransferNotice>,
}

/// An attempt that was ended meanwhile keeps its end and gets its reference all the same: whatever
/// the provider says about it later must find it.
async fn store_reference(tx: &mut PgConnection, named: &Named) -> Result<(), Error> {
    if named.notice.is_some() {
        // Before the attempt, as everybody locks them.
        order_status(tx, named.attempt.order_id.into()).await?;
    }
    let stored = sqlx::query_scalar!(
        "UPDATE payment_attempts
         SET provider_ref = $2, checkout_url = $3,
             status = CASE WHEN status = 'created' THEN 'requires_action' ELSE status END
         WHERE id = $1 AND provider_ref IS NULL
         RETURNING status",
        named.attempt.id,
        named.checkout.reference,
        named.checkout.url,
    );
    let status = stored.fetch_optional(&mut *tx).await?;
    let waits = status.as_deref() == Some(AttemptStatus::RequiresAction.word());
    if let Some(notice) = named.notice.as_ref().filter(|_| waits) {
        let due_minor = named.attempt.amount_minor - named.attempt.left_minor();
        notice.tell(tx, due_minor).await?;
    }
    Ok(())
}

/// Asking again would get the same answer. The order stays open for another attempt.
async fn refused(app: &App, attempt: &AttemptRow, why: String) -> Result<(), Error> {
    let input = (attempt.clone(), why, By::now(&attempt.provider));
    let record = app.db.run(input, |tx, (attempt, why, by)| {
        Box::pin(async move {
            let order = OrderId::from(attempt.order_id);
            let status = order_status(tx, order).await?;
            let (id, to) = (attempt.id.into(), AttemptStatus::Failed);
            if store::advance_attempt(tx, id, to, Some(why)).await? {
                store::note(tx, order, status, by, PAYMENT_REFUSED).await?;
            }
            Ok::<_, Error>(())
        })
    });
    record.await
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
