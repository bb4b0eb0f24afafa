use axum::extract::State;
use base::OrderId;
use http::StatusCode;
use proto::payment::UnsubscribeRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Id, Json},
    problem::Problem,
    rest::problems::{Absent, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscription {
    /// The last part of the link in a mail, `/u/{id}/{token}`.
    pub token: String,
}

/// Ends every message about an order that is not a receipt.
///
/// Mail programs post to the link of the mail itself; this is the same for programs. The id is that of the link:
/// in mails to whom a ticket was handed to it names their ticket, and ends only what comes to them.
#[utoipa::path(post, path = "/api/v1/orders/{id}/unsubscribe", tag = "guest",
    request_body = Unsubscription, params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "Nothing but receipts comes any more"), BadBody, Absent, Faults))]
pub async fn unsubscribe(
    State(app): State<Shared>,
    Id(id): Id<OrderId>,
    Json(Unsubscription { token }): Json<Unsubscription>,
) -> Result<StatusCode, Problem> {
    end(&app, id, token).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn end(app: &App, id: OrderId, token: String) -> Result<(), Problem> {
    let order_id = id.to_string();
    let request = UnsubscribeRequest { order_id, token };
    app.upstreams.desk().unsubscribe(request).await?;
    Ok(())
}
