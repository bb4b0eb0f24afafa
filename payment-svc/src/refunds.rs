//! A refund as it is stored, and as people see it.

use base::{OrderId, RefundId};
use db::DbError;
use proto::payment::{Refund, RefundDetail};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::refund_state::{RefundReason, RefundStatus},
    error::Error,
    view::minor,
};

/// Money that goes back.
#[derive(Clone, Debug)]
pub(crate) struct RefundRow {
    pub id: Uuid,
    pub order_id: Uuid,
    pub attempt_id: Uuid,
    pub number: i32,
    pub provider: String,
    pub amount_minor: i64,
    pub currency: String,
    pub reason: String,
    pub note: String,
    pub status: String,
    pub voids: String,
    pub tickets_voided_at: Option<OffsetDateTime>,
    pub voided_tickets: i32,
    pub provider_ref: Option<String>,
    pub failure_reason: Option<String>,
    pub body_hash: Option<Vec<u8>>,
    pub requested_by: String,
    pub next_step_at: Option<OffsetDateTime>,
    pub checks: i32,
    pub failures: i32,
    pub created_at: OffsetDateTime,
    /// When the money left for the first time.
    pub paid_out_at: Option<OffsetDateTime>,
    pub ended_at: Option<OffsetDateTime>,
}

impl RefundRow {
    /// The provider's key. Asking twice by one is asking once; after a no there is another one, for a
    /// provider may answer the same key with the same no for ever.
    pub fn provider_key(&self) -> String {
        match self.failures {
            0 => self.id.to_string(),
            failures => format!("{}-{failures}", self.id),
        }
    }

    pub fn refund_id(&self) -> RefundId {
        self.id.into()
    }

    pub fn order(&self) -> OrderId {
        self.order_id.into()
    }

    pub fn status(&self) -> Result<RefundStatus, Error> {
        self.status
            .parse()
            .map_err(|_| Error::Broken("a refund has an unknown status"))
    }

    pub fn reason(&self) -> Result<RefundReason, Error> {
        RefundReason::from_word(&self.reason).ok_or(Error::Broken("a refund has an unknown reason"))
    }

    /// Tickets have to be made void before the money leaves.
    pub fn has_tickets_to_void(&self) -> bool {
        self.voids != "none" && self.tickets_voided_at.is_none()
    }

    /// The provider was told, and nothing more happens by itself: a person pays it out.
    pub fn waits_for_a_person(&self) -> bool {
        self.status == RefundStatus::Submitted.word() && self.next_step_at.is_none()
    }

    /// It was to make tickets void that were not valid any more, so its money never leaves.
    fn is_withdrawn(&self) -> bool {
        self.status == RefundStatus::FailedFinal.word() && self.has_tickets_to_void()
    }

    /// For its guest.
    pub fn wire(&self) -> Result<Refund, Error> {
        Ok(Refund {
            id: self.id.to_string(),
            number: self.number.unsigned_abs(),
            amount: minor(self.amount_minor, &self.currency),
            status: self.status()?.wire().into(),
            reason: self.reason()?.wire().into(),
            note: self.note.clone(),
            created_at: Some(proto::timestamp(self.created_at)),
            ended_at: self.ended_at.map(proto::timestamp),
            withdrawn: self.is_withdrawn(),
        })
    }

    /// For admins.
    pub fn detail(&self) -> Result<RefundDetail, Error> {
        Ok(RefundDetail {
            refund: Some(self.wire()?),
            attempt_id: self.attempt_id.to_string(),
            provider: self.provider.clone(),
            provider_ref: self.provider_ref.clone().unwrap_or_default(),
            failure_reason: self.failure_reason.clone().unwrap_or_default(),
            requested_by: self.requested_by.clone(),
            next_try_at: self.next_step_at.map(proto::timestamp),
            tickets_voided: self.tickets_voided_at.is_some(),
        })
    }
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    id: RefundId,
) -> Result<Option<RefundRow>, DbError> {
    let found = sqlx::query_as!(
        RefundRow,
        "SELECT id, order_id, attempt_id, number, provider, amount_minor, currency, reason, note,
             status, voids, tickets_voided_at, voided_tickets, provider_ref, failure_reason,
             body_hash, requested_by, next_step_at, checks, failures, created_at, paid_out_at,
             ended_at
         FROM refunds WHERE id = $1",
        id.uuid(),
    );
    Ok(found.fetch_optional(conn).await?)
}

/// Oldest first.
pub(crate) async fn of_order(
    conn: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<RefundRow>, DbError> {
    let found = sqlx::query_as!(
        RefundRow,
        "SELECT id, order_id, attempt_id, number, provider, amount_minor, currency, reason, note,
             status, voids, tickets_voided_at, voided_tickets, provider_ref, failure_reason,
             body_hash, requested_by, next_step_at, checks, failures, created_at, paid_out_at,
             ended_at
         FROM refunds WHERE order_id = $1 ORDER BY number",
        order.uuid(),
    );
    Ok(found.fetch_all(conn).await?)
}

/// In any order.
pub(crate) async fn find_all(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<RefundRow>, DbError> {
    let found = sqlx::query_as!(
        RefundRow,
        "SELECT id, order_id, attempt_id, number, provider, amount_minor, currency, reason, note,
             status, voids, tickets_voided_at, voided_tickets, provider_ref, failure_reason,
             body_hash, requested_by, next_step_at, checks, failures, created_at, paid_out_at,
             ended_at
         FROM refunds WHERE id = ANY($1)",
        ids,
    );
    Ok(found.fetch_all(conn).await?)
}

/// The refund that one of our keys at the provider is of.
pub(crate) fn of_key(key: &str) -> Option<Uuid> {
    const ID_CHARS: usize = 36;
    key.get(..ID_CHARS)?.parse().ok()
}

/// The refund of this payment that the provider calls so, or that is ours by this id.
pub(crate) async fn find_at_provider(
    conn: &mut PgConnection,
    attempt: Uuid,
    reference: &str,
    id: Option<Uuid>,
) -> Result<Option<RefundRow>, DbError> {
    let found = sqlx::query_as!(
        RefundRow,
        "SELECT id, order_id, attempt_id, number, provider, amount_minor, currency, reason, note,
             status, voids, tickets_voided_at, voided_tickets, provider_ref, failure_reason,
             body_hash, requested_by, next_step_at, checks, failures, created_at, paid_out_at,
             ended_at
         FROM refunds WHERE attempt_id = $1 AND (provider_ref = $2 OR id = $3)
         ORDER BY number LIMIT 1",
        attempt,
        reference,
        id,
    );
    Ok(found.fetch_optional(conn).await?)
}
