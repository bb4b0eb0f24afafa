use axum::extract::State;
use base::HoldId;
use http::StatusCode;
use proto::ticket::ReleaseHoldRequest;

use crate::{
    app::Shared,
    extract::Access,
    problem::{Problem, ProblemBody},
    rest::problems::{Faults, Secret},
};

/// Gives the tickets back at once. Repeating it changes nothing.
#[utoipa::path(delete, path = "/api/v1/holds/{id}", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses(
        (status = 204, description = "The tickets are free again"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`PAYMENT_IN_PROGRESS`: cancel the order instead"),
        Secret, Faults
    ))]
pub async fn release_hold(
    State(app): State<Shared>,
    access: Access<HoldId>,
) -> Result<StatusCode, Problem> {
    let request = ReleaseHoldRequest {
        hold_id: access.id.to_string(),
        secret: access.secret,
    };
    app.upstreams.holds().release_hold(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
