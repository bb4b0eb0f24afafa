//! The statements about tries to pay.

use std::collections::HashMap;

use base::{AttemptId, OrderId};
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{domain::attempt_state::AttemptStatus, error::Error};

/// One try to pay.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRow {
    pub id: Uuid,
    pub order_id: Uuid,
    pub provider: String,
    pub provider_key: String,
    pub amount_minor: i64,
    pub currency: String,
    pub status: String,
    pub provider_ref: Option<String>,
    pub checkout_url: Option<String>,
    pub deadline: OffsetDateTime,
    pub checks: i32,
    /// What arrived, and the provider's name of that money where it has one.
    pub captured_minor: i64,
    pub captured_currency: Option<String>,
    pub capture_ref: Option<String>,
    /// What of it went back, or is on its way.
    pub refunded_minor: i64,
}

impl AttemptRow {
    pub fn status(&self) -> Result<AttemptStatus, Error> {
        self.status
            .parse()
            .map_err(|_| Error::Broken("an attempt has an unknown status"))
    }

    pub fn is_open(&self) -> bool {
        self.status.parse().is_ok_and(AttemptStatus::is_open)
    }

    /// What is here of the money.
    pub fn left_minor(&self) -> i64 {
        self.captured_minor - self.refunded_minor
    }
}

/// The newest attempt of an order: the open one, where there is one.
pub(crate) async fn newest_attempt(
    conn: &mut PgConnection,
    order: OrderId,
) -> Result<Option<AttemptRow>, DbError> {
    Ok(attempts(conn, order).await?.pop())
}

/// Every attempt of an order, oldest first.
pub(crate) async fn attempts(
    conn: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<AttemptRow>, DbError> {
    let found = sqlx::query_as!(
        AttemptRow,
        "SELECT id, order_id, provider, provider_key, amount_minor, currency, status,
             provider_ref, checkout_url, deadline, checks, captured_minor, captured_currency,
             capture_ref, refunded_minor
         FROM payment_attempts WHERE order_id = $1 ORDER BY number",
        order.uuid(),
    );
    Ok(found.fetch_all(conn).await?)
}

pub(crate) async fn find_attempt(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<AttemptRow>, DbError> {
    let found = sqlx::query_as!(
        AttemptRow,
        "SELECT id, order_id, provider, provider_key, amount_minor, currency, status,
             provider_ref, checkout_url, deadline, checks, captured_minor, captured_currency,
             capture_ref, refunded_minor
         FROM payment_attempts WHERE id = $1",
        id,
    );
    Ok(found.fetch_optional(conn).await?)
}

/// Of each pair of a provider and its own name for the payment, or for the money that it brought.
pub(crate) async fn find_attempts_by_references(
    conn: &mut PgConnection,
    providers: &[String],
    references: &[String],
) -> Result<Vec<Option<AttemptRow>>, DbError> {
    let named = sqlx::query!(
        r#"SELECT (SELECT a.id FROM payment_attempts a
                   WHERE a.provider = n.provider
                     AND (a.provider_ref = n.reference OR a.capture_ref = n.reference)
                   ORDER BY a.provider_ref = n.reference DESC NULLS LAST LIMIT 1) AS id
           FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS n (provider, reference, place)
           ORDER BY n.place"#,
        providers,
        references,
    );
    let named = named.fetch_all(&mut *conn).await?;
    let ids: Vec<Uuid> = named.iter().filter_map(|one| one.id).collect();
    let found = sqlx::query_as!(
        AttemptRow,
        "SELECT id, order_id, provider, provider_key, amount_minor, currency, status,
             provider_ref, checkout_url, deadline, checks, captured_minor, captured_currency,
             capture_ref, refunded_minor
         FROM payment_attempts WHERE id = ANY($1)",
        &ids,
    );
    let found = found.fetch_all(conn).await?.into_iter();
    let found: HashMap<Uuid, AttemptRow> = found.map(|attempt| (attempt.id, attempt)).collect();
    let of = |id: Option<Uuid>| found.get(&id?).cloned();
    Ok(named.into_iter().map(|one| of(one.id)).collect())
}

/// The newest attempt of each of these orders.
pub(crate) async fn newest_attempts(
    conn: &mut PgConnection,
    orders: &[Uuid],
) -> Result<Vec<AttemptRow>, DbError> {
    let found = sqlx::query_as!(
        AttemptRow,
        "SELECT DISTINCT ON (order_id) id, order_id, provider, provider_key, amount_minor, currency,
             status, provider_ref, checkout_url, deadline, checks, captured_minor, captured_currency,
             capture_ref, refunded_minor
         FROM payment_attempts WHERE order_id = ANY($1) ORDER BY order_id, number DESC",
        orders,
    );
    Ok(found.fetch_all(conn).await?)
}

/// By a provider's own name for the payment, or for the money that it brought.
pub(crate) async fn find_attempt_by_reference(
    conn: &mut PgConnection,
    provider: &str,
    reference: &str,
) -> Result<Option<AttemptRow>, DbError> {
    let found = sqlx::query_as!(
        AttemptRow,
        "SELECT id, order_id, provider, provider_key, amount_minor, currency, status,
             provider_ref, checkout_url, deadline, checks, captured_minor, captured_currency,
             capture_ref, refunded_minor
         FROM payment_attempts
         WHERE provider = $1 AND (provider_ref = $2 OR capture_ref = $2)
         ORDER BY provider_ref = $2 DESC NULLS LAST LIMIT 1",
        provider,
        reference,
    );
    Ok(found.fetch_optional(conn).await?)
}

/// Ends or moves an attempt. False if its life does not allow that from where it is now, which for a
/// repeated or late report is as it should be.
pub(crate) async fn advance_attempt(
    tx: &mut PgConnection,
    id: AttemptId,
    to: AttemptStatus,
    reason: Option<&str>,
) -> Result<bool, DbError> {
    let from: Vec<String> = AttemptStatus::ALL
        .into_iter()
        .filter(|from| from.may_become(to))
        .map(|from| from.word().to_owned())
        .collect();
    let moved = sqlx::query!(
        "UPDATE payment_attempts
         SET status = $3, failure_reason = coalesce($4, failure_reason),
             ended_at = CASE WHEN $5 THEN NULL ELSE clock_timestamp() END
         WHERE id = $1 AND status = ANY($2)",
        id.uuid(),
        &from,
        to.word(),
        reason,
        to.is_open(),
    );
    Ok(moved.execute(tx).await?.rows_affected() == 1)
}
