use axum::{Json as Answer, extract::State};
use base::OrderId;
use http::StatusCode;
use kit::FieldProblem;
use proto::payment::{RefundLine, RefundOrderRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json, Key, Object},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::{Money, RefundDetail},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    /// Some tickets. Everything that is left where neither `lines` nor `amount` is given.
    #[serde(default)]
    #[schema(value_type = Option<Vec<NewRefundLine>>)]
    lines: Option<Vec<Object<NewRefundLine>>>,
    /// A part of the money; every ticket stays valid.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    amount: Option<Object<Money>>,
    /// What the guest is told: up to 500 characters.
    reason: String,
}

/// Tickets of one line of the order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefundLine {
    ticket_type_id: String,
    /// As many as `ticket_ids` has where it is left out.
    #[serde(default)]
    #[schema(example = 1)]
    quantity: u32,
    /// Which ones; any where it is left out.
    #[serde(default)]
    ticket_ids: Vec<String>,
}

/// Sends money back: everything that is left, some tickets, or an amount.
///
/// Tickets are made void before the money leaves. The same `Idempotency-Key` with the same body
/// answers the same refund.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/refunds", tag = "admin",
    request_body = NewRefund,
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 201, body = RefundDetail),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`REFUND_TOO_LARGE`: more than is left; `ORDER_NOT_PAID`: nothing to send back; `PAYMENT_IN_PROGRESS`: its tickets are being issued, or its mismatch is undecided"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn refund_order(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
    Key(key): Key,
    Json(new): Json<NewRefund>,
) -> Result<(StatusCode, Answer<RefundDetail>), Problem> {
    refuse_ambiguous(&new)?;
    let lines = new.lines.unwrap_or_default().into_iter();
    let request = token.request(RefundOrderRequest {
        order_id: id.to_string(),
        lines: lines
            .map(|Object(line)| RefundLine {
                ticket_type_id: line.ticket_type_id,
                quantity: line.quantity,
                ticket_ids: line.ticket_ids,
            })
            .collect(),
        amount: new.amount.map(|Object(amount)| amount.into()),
        reason: new.reason,
        idempotency_key: key.as_str().to_owned(),
    });
    let mut refunds = app.upstreams.refunds_admin();
    let made = refunds.refund_order(request).await?.into_inner();
    Ok((
        StatusCode::CREATED,
        Answer(RefundDetail::required(made.refund)?),
    ))
}

/// In the contract no lines mean everything; a program that found no line to refund means nothing.
fn refuse_ambiguous(new: &NewRefund) -> Result<(), Problem> {
    let refuse = |field, rule| Err(kit::fields(vec![FieldProblem::new(field, rule)]).into());
    match &new.lines {
        Some(lines) if lines.is_empty() => refuse(
            "lines",
            "must not be empty; leave it out to refund everything",
        ),
        Some(_) if new.amount.is_some() => refuse("amount", "must not stand beside lines"),
        _ => Ok(()),
    }
}
