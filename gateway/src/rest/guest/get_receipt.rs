use axum::{extract::State, response::Response};
use base::OrderId;
use proto::notify::DocumentKind;

use super::document::document;
use crate::{
    app::Shared,
    extract::Access,
    problem::{Problem, ProblemBody},
    rest::problems::{Faults, Secret},
};

/// The receipt as a web page.
#[utoipa::path(get, path = "/api/v1/orders/{id}/receipt", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses(
        (status = 200, content_type = "text/html", body = String),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`TICKETS_NOT_READY` until the order is paid"),
        Secret, Faults
    ))]
pub async fn get_receipt(
    State(app): State<Shared>,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    document(&app, access, DocumentKind::ReceiptHtml).await
}
