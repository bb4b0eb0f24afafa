//! The usual end of a payment, for many orders at once: the money is here as it was asked for, and the order
//! waits for it. One statement captures it, makes the order paid and tells its story. Everything else that
//! money may mean is left to `capture`, one by one.

use std::{collections::HashSet, sync::Arc};

use db::Db;
use sqlx::PgConnection;
use uuid::Uuid;

use super::capture::Arrival;
use crate::{
    domain::attempt_state::AttemptStatus,
    error::Error,
    store::{AttemptRow, By},
};

/// Money that arrived for an attempt, as it was asked for.
#[derive(Clone)]
pub(crate) struct Payment {
    attempt: Uuid,
    order: Uuid,
    arrival: Arrival,
    by: By,
}

impl Payment {
    pub fn new(attempt: &AttemptRow, arrival: &Arrival, by: &By) -> Self {
        Self {
            attempt: attempt.id,
            order: attempt.order_id,
            arrival: arrival.clone(),
            by: by.clone(),
        }
    }
}

/// True for each whose order is paid by it now. False: nothing was done.
pub(crate) async fn pay_all(session: Db, all: Arc<[Payment]>) -> Result<Vec<bool>, Error> {
    let pay = session.run_statement(all.clone(), |conn, all| Box::pin(pay(conn, all)));
    let paid = pay.await?;
    let mut answered = HashSet::with_capacity(paid.len());
    let is_paid = |one: &Payment| paid.contains(&one.attempt) && answered.insert(one.attempt);
    Ok(all.iter().map(is_paid).collect())
}

/// The attempts that paid. Of two for one order the second one takes the long way: its money goes back.
///
/// Orders are locked in the order of their ids before anything is written, and the statuses that are
/// compared are those of the locked rows.
async fn pay(conn: &mut PgConnection, all: &Arc<[Payment]>) -> Result<HashSet<Uuid>, Error> {
    let mut orders_seen = HashSet::with_capacity(all.len());
    let firsts: Vec<&Payment> = all
        .iter()
        .filter(|one| orders_seen.insert(one.order))
        .collect();
    let attempts: Vec<Uuid> = firsts.iter().map(|one| one.attempt).collect();
    let orders: Vec<Uuid> = firsts.iter().map(|one| one.order).collect();
    let amounts: Vec<i64> = firsts.iter().map(|one| one.arrival.amount_minor).collect();
    let currencies: Vec<String> = firsts
        .iter()
        .map(|one| one.arrival.currency.clone())
        .collect();
    let captures: Vec<Option<String>> = firsts
        .iter()
        .map(|one| one.arrival.capture.clone())
        .collect();
    let actors: Vec<String> = firsts.iter().map(|one| one.by.actor.clone()).collect();
    let traces: Vec<Option<String>> = firsts.iter().map(|one| one.by.trace_id()).collect();
    let open: Vec<String> = AttemptStatus::ALL
        .into_iter()
        .filter(|status| status.is_open())
        .map(|status| status.word().to_owned())
        .collect();
    let paid = sqlx::query_scalar!(
        r#"WITH wish AS (
               SELECT attempt_id, order_id, amount_minor, currency, capture, actor, trace_id
               FROM UNNEST($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[],
                   $6::text[], $7::text[])
                 AS w (attempt_id, order_id, amount_minor, currency, capture, actor, trace_id)
           ), locked AS MATERIALIZED (
               SELECT id, status, trace_id FROM orders
               WHERE id = ANY($2) AND status IN ('awaiting_payment', 'processing')
               ORDER BY id FOR UPDATE
           ), captured AS (
               UPDATE payment_attempts a
               SET status = 'succeeded', ended_at = clock_timestamp(), captured_minor = w.amount_minor,
                   captured_currency = w.currency, captured_at = clock_timestamp(), capture_ref = w.capture
               FROM wish w JOIN locked l ON l.id = w.order_id
               WHERE a.id = w.attempt_id AND a.order_id = l.id AND a.status = ANY($8)
               RETURNING a.id, a.order_id, a.provider_ref, w.actor, l.status AS was,
                   coalesce(w.trace_id, l.trace_id) AS trace_id
           ), moved AS (
               UPDATE orders o
               SET status = 'paid', payment_ref = c.provider_ref, paid_at = clock_timestamp(),
                   updated_at = clock_timestamp(), next_step_at = clock_timestamp(), step_failures = 0
               FROM captured c WHERE o.id = c.order_id
           ), told AS (
               INSERT INTO order_events (order_id, actor, from_status, to_status, reason, trace_id)
               SELECT order_id, actor, was, 'paid', 'payment', trace_id FROM captured
           )
           SELECT id AS "id!" FROM captured"#,
        &attempts,
        &orders,
        &amounts,
        &currencies,
        &captures as &[Option<String>],
        &actors,
        &traces as &[Option<String>],
        &open,
    );
    Ok(paid.fetch_all(conn).await?.into_iter().collect())
}
