use kit::Failure;
use proto::payment;
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{Money, RefundReason, RefundStatus, broken, filled, optional_time, time_of};

/// Money that goes back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refund {
    pub id: String,
    /// From 1, within its order.
    pub number: u32,
    pub amount: Money,
    pub status: RefundStatus,
    pub reason: RefundReason,
    /// What the guest is told; may be empty.
    pub note: String,
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// Null until it has succeeded or failed for good.
    #[serde(with = "rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// No money left for it, and none will: it asked for more valid tickets than there were.
    pub withdrawn: bool,
}

impl TryFrom<payment::Refund> for Refund {
    type Error = Failure;

    fn try_from(refund: payment::Refund) -> Result<Self, Failure> {
        Ok(Self {
            amount: Money::required(refund.amount, "amount")?,
            status: RefundStatus::of(refund.status)?,
            reason: RefundReason::of(refund.reason)?,
            created_at: time_of(refund.created_at.as_ref(), "created_at")?,
            ended_at: optional_time(refund.ended_at.as_ref())?,
            id: refund.id,
            number: refund.number,
            note: refund.note,
            withdrawn: refund.withdrawn,
        })
    }
}

/// A refund as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundDetail {
    #[serde(flatten)]
    pub refund: Refund,
    /// The payment that it goes back from.
    pub attempt_id: String,
    pub provider: String,
    /// The provider's own reference; null until it answered.
    pub provider_ref: Option<String>,
    /// What the provider said when it refused; null if it did not.
    pub failure_reason: Option<String>,
    /// A user's id, `saga`, or the provider's name.
    pub requested_by: String,
    /// Null where nothing is tried again.
    #[serde(with = "rfc3339::option")]
    pub next_try_at: Option<OffsetDateTime>,
    /// The tickets that it stands for are no longer valid.
    pub tickets_voided: bool,
}

impl RefundDetail {
    /// A refund that the contract promises.
    pub fn required(detail: Option<payment::RefundDetail>) -> Result<Self, Failure> {
        detail.ok_or_else(|| broken("refund"))?.try_into()
    }
}

impl TryFrom<payment::RefundDetail> for RefundDetail {
    type Error = Failure;

    fn try_from(detail: payment::RefundDetail) -> Result<Self, Failure> {
        Ok(Self {
            refund: detail.refund.ok_or_else(|| broken("refund"))?.try_into()?,
            next_try_at: optional_time(detail.next_try_at.as_ref())?,
            attempt_id: detail.attempt_id,
            provider: detail.provider,
            provider_ref: filled(detail.provider_ref),
            failure_reason: filled(detail.failure_reason),
            requested_by: detail.requested_by,
            tickets_voided: detail.tickets_voided,
        })
    }
}
