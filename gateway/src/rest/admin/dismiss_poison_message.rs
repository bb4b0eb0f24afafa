use axum::extract::State;
use base::MessageId;
use http::StatusCode;
use proto::notify::DismissPoisonMessageRequest;

use super::dismiss_notification::Dismissal;
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, BadBody, Faults},
};

/// Takes a message off the list. For superadmins.
///
/// It comes back if its sender sends it again. Repeating it changes nothing.
#[utoipa::path(post, path = "/api/v1/admin/poison-messages/{id}/dismiss", tag = "admin",
    request_body = Dismissal,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 204), BadBody, AdminOnly, Absent, Faults))]
pub async fn dismiss_poison_message(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<MessageId>,
    Json(dismissal): Json<Dismissal>,
) -> Result<StatusCode, Problem> {
    let request = token.request(DismissPoisonMessageRequest {
        id: id.to_string(),
        note: dismissal.note,
    });
    let mut notifications = app.upstreams.notifications();
    notifications.dismiss_poison_message(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
