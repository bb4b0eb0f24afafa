//! Another attempt after a decline. The one before must be closed at the provider first.

use std::sync::Arc;

use base::{AttemptId, IdempotencyKey, OrderId, body_hash, derived_id};
use proto::payment::{StartPaymentRequest, StartPaymentResponse};
use sqlx::PgConnection;

use super::prepare::prepare;
use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    saga::{self, NewAttempt},
    store::{self, AttemptRow, By, OrderRow},
    view,
};

const ONE_OPEN: &str = "attempts_one_open";

pub(in crate::rpc) async fn start_payment(
    app: &Arc<App>,
    request: StartPaymentRequest,
) -> Result<StartPaymentResponse, Error> {
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    let id = order.order_id();
    let attempt = AttemptId::from(derived_id(&format!("orders/{id}/payments"), &key));
    let hash = body_hash(&[request.provider.as_bytes()]).to_vec();
    if !is_replay(app, attempt, &hash).await? {
        let opening = open(app.clone(), id, attempt, request.provider, hash.clone());
        if let Err(refusal) = app.tasks.complete(opening).await
            // A copy of this call may have been faster: what it met is then its own attempt.
            && !is_replay(app, attempt, &hash).await?
        {
            return Err(refusal);
        }
    }
    let order = prepare(app, id, None).await?;
    Ok(StartPaymentResponse {
        preparing: view::is_preparing(&order),
        order: Some(order),
    })
}

async fn is_replay(app: &App, attempt: AttemptId, hash: &[u8]) -> Result<bool, Error> {
    let read = app
        .db
        .read(attempt, |conn, attempt| Box::pin(find_hash(conn, *attempt)));
    match read.await? {
        None => Ok(false),
        Some(stored) if stored == hash => Ok(true),
        Some(_) => Err(Error::KeyReused),
    }
}

async fn find_hash(conn: &mut PgConnection, attempt: AttemptId) -> Result<Option<Vec<u8>>, Error> {
    let hash = sqlx::query_scalar!(
        r#"SELECT body_hash AS "hash!" FROM payment_attempts WHERE id = $1 AND body_hash IS NOT NULL"#,
        attempt.uuid(),
    );
    Ok(hash.fetch_optional(conn).await?)
}

async fn open(
    app: Arc<App>,
    id: OrderId,
    attempt: AttemptId,
    provider: String,
    hash: Vec<u8>,
) -> Result<(), Error> {
    let (order, newest) = store::load(&app, id).await?;
    check_open(&order)?;
    if let Some(open) = newest.as_ref().filter(|attempt| attempt.is_open()) {
        ask_about(&app, id, open).await?;
    }
    let before = newest.map_or(order.provider.clone(), |attempt| attempt.provider);
    let provider = choose(&app, &order, &provider, &before)?;
    let new = NewAttempt {
        id: attempt,
        order: id,
        provider,
        body_hash: Some(hash),
        amount_minor: order.total_amount_minor,
        currency: order.currency,
        deadline: order.pay_by.ok_or(Error::OrderNotOpen)?,
    };
    let input = (new, By::now("guest"));
    app.db
        .run(input, |tx, (new, by)| Box::pin(insert(tx, new, by)))
        .await
}

/// What the guest named, or else what the order was paid with before, if the event takes it still.
fn choose(app: &App, order: &OrderRow, named: &str, before: &str) -> Result<String, Error> {
    let taken = app.providers.for_order(order);
    let names: Vec<&str> = taken.map(|provider| provider.name()).collect();
    let has = |name| names.iter().copied().find(|taken| *taken == name);
    let chosen = if named.is_empty() {
        has(before).or(names.first().copied())
    } else {
        has(named)
    };
    Ok(chosen.ok_or(Error::ProviderNotEnabled)?.to_owned())
}

/// The webhook of a decline may still be on its way.
async fn ask_about(app: &App, id: OrderId, open: &AttemptRow) -> Result<(), Error> {
    saga::inquire(app, open, By::now(&open.provider)).await?;
    let (order, newest) = store::load(app, id).await?;
    check_open(&order)?;
    if newest.is_some_and(|attempt| attempt.is_open()) {
        return Err(Error::PaymentInProgress);
    }
    Ok(())
}

/// Once the guest's time is over the order is being closed, even if that takes a moment.
fn check_open(order: &OrderRow) -> Result<(), Error> {
    match order.status()? {
        OrderStatus::AwaitingPayment if !order.overdue && !order.event_cancelled => Ok(()),
        OrderStatus::Processing => Err(Error::PaymentInProgress),
        _ => Err(Error::OrderNotOpen),
    }
}

async fn insert(tx: &mut PgConnection, new: &NewAttempt, by: &By) -> Result<(), Error> {
    let waiting = sqlx::query!(
        "UPDATE orders
         SET next_step_at = least(clock_timestamp() + make_interval(secs => $2), pay_by)
         WHERE id = $1 AND status = 'awaiting_payment' AND pay_by > clock_timestamp()",
        new.order.uuid(),
        OrderStatus::AwaitingPayment.first_look_secs(),
    );
    if waiting.execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(Error::OrderNotOpen);
    }
    // The same request, twice at once or after a lost commit.
    match find_hash(tx, new.id).await? {
        None => {}
        stored if stored == new.body_hash => return Ok(()),
        Some(_) => return Err(Error::KeyReused),
    }
    match saga::open_attempt(tx, new, by).await {
        Err(Error::Db(error)) if error.constraint() == Some(ONE_OPEN) => {
            Err(Error::PaymentInProgress)
        }
        outcome => outcome,
    }
}
