use axum::{Json, extract::State};
use base::OrderId;
use http::StatusCode;
use proto::payment::ResendReceiptRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Access, Key},
    problem::{Problem, ProblemBody},
    rest::problems::{BadKey, Faults, Secret},
};

#[derive(Serialize, ToSchema)]
pub struct ResentReceipt {
    /// Where it goes.
    pub email: String,
}

/// Sends the receipt again, with the tickets as they are now.
#[utoipa::path(post, path = "/api/v1/orders/{id}/receipt", tag = "guest",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("guest_secret" = [])),
    responses(
        (status = 202, body = ResentReceipt),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`TICKETS_NOT_READY`"),
        BadKey, Secret, Faults
    ))]
pub async fn resend_receipt(
    State(app): State<Shared>,
    access: Access<OrderId>,
    Key(key): Key,
) -> Result<(StatusCode, Json<ResentReceipt>), Problem> {
    let resent = resend(&app, access, key.as_str()).await?;
    Ok((StatusCode::ACCEPTED, Json(resent)))
}

pub async fn resend(
    app: &App,
    access: Access<OrderId>,
    key: &str,
) -> Result<ResentReceipt, Problem> {
    let request = ResendReceiptRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
        idempotency_key: key.to_owned(),
    };
    let sent = app.upstreams.desk().resend_receipt(request).await?;
    let email = sent.into_inner().email;
    Ok(ResentReceipt { email })
}
