use axum::{Json, extract::State};
use base::OrderId;
use http::StatusCode;
use proto::payment::SendReceiptRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Key},
    problem::{Problem, ProblemBody},
    rest::{
        guest::resend_receipt::ResentReceipt,
        problems::{Absent, AdminOnly, BadKey, Faults},
    },
};

/// Sends the receipt again, with the tickets as they are now, to the address as it is now.
///
/// A copy of an old mail is `POST /api/v1/admin/notifications/{id}/resend`.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/receipt", tag = "admin",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each mail"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 202, body = ResentReceipt),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`TICKETS_NOT_READY`: none is valid"),
        BadKey, AdminOnly, Absent, Faults
    ))]
pub async fn send_receipt(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
    Key(key): Key,
) -> Result<(StatusCode, Json<ResentReceipt>), Problem> {
    let request = token.request(SendReceiptRequest {
        order_id: id.to_string(),
        idempotency_key: key.as_str().to_owned(),
    });
    let sent = app.upstreams.orders_admin().send_receipt(request).await?;
    let email = sent.into_inner().email;
    Ok((StatusCode::ACCEPTED, Json(ResentReceipt { email })))
}
