use axum::{Json, extract::State};
use base::EventId;
use proto::payment::GetEventRefundRequest;
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::{Money, optional_time, time_of},
    },
};

/// How far the orders of a cancelled concert are.
#[derive(Serialize, ToSchema)]
pub struct EventRefund {
    #[serde(with = "rfc3339")]
    cancelled_at: OffsetDateTime,
    /// Null until every order has ended.
    #[serde(with = "rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
    orders_total: u32,
    /// Refunded, cancelled or expired, with no money left here.
    orders_done: u32,
    /// Of the rest: those whose refund needs a person.
    orders_stuck: u32,
    /// One per currency.
    refunded: Vec<Money>,
    /// What has still to go back, one per currency.
    outstanding: Vec<Money>,
}

/// How far the refunds of a cancelled concert are.
#[utoipa::path(get, path = "/api/v1/admin/events/{id}/refund", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = EventRefund), AdminOnly, Absent, Faults))]
pub async fn get_event_refund(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
) -> Result<Json<EventRefund>, Problem> {
    let request = token.request(GetEventRefundRequest {
        event_id: id.to_string(),
    });
    let mut refunds = app.upstreams.refunds_admin();
    let found = refunds.get_event_refund(request).await?.into_inner();
    Ok(Json(EventRefund {
        cancelled_at: time_of(found.cancelled_at.as_ref(), "cancelled_at")?,
        finished_at: optional_time(found.finished_at.as_ref())?,
        orders_total: found.orders_total,
        orders_done: found.orders_done,
        orders_stuck: found.orders_stuck,
        refunded: found.refunded.into_iter().map(Money::from).collect(),
        outstanding: found.outstanding.into_iter().map(Money::from).collect(),
    }))
}
