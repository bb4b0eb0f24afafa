use axum::extract::State;
use base::{EventId, UserId};
use http::StatusCode;
use proto::ticket::RemoveEventGrantRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Path},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, BadQuery, Faults},
};

/// A concert is no longer an admin's. For its owners; a concert keeps one at least.
///
/// Repeating it changes nothing.
#[utoipa::path(delete, path = "/api/v1/admin/events/{id}/grants/{user_id}", tag = "admin",
    params(("id" = String, Path, format = Uuid), ("user_id" = String, Path, format = Uuid)),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "It is gone"),
        BadQuery, AdminOnly, Absent, Faults
    ))]
pub async fn remove_event_grant(
    State(app): State<Shared>,
    token: AdminToken,
    Path((event, user)): Path<(EventId, UserId)>,
) -> Result<StatusCode, Problem> {
    let request = token.request(RemoveEventGrantRequest {
        event_id: event.to_string(),
        user_id: user.to_string(),
    });
    let mut grants = app.upstreams.grants();
    grants.remove_event_grant(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
