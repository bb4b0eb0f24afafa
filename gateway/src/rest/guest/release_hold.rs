use axum::extract::State;
use base::HoldId;
use http::StatusCode;
use proto::ticket::{Hold, ReleaseHoldRequest};

use crate::{
    app::{App, Shared},
    extract::{Access, Asker},
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
    asker: Asker,
    access: Access<HoldId>,
) -> Result<StatusCode, Problem> {
    release(&app, asker, access).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The hold as it is now. What it had set aside counts no longer.
pub async fn release(
    app: &App,
    asker: Asker,
    access: Access<HoldId>,
) -> Result<Option<Hold>, Problem> {
    let request = ReleaseHoldRequest {
        hold_id: access.id.to_string(),
        secret: access.secret,
    };
    let released = app.upstreams.holds().release_hold(request).await?;
    let hold = released.into_inner().hold;
    if let Some(hold) = &hold {
        app.rates.released(asker.network, hold);
    }
    Ok(hold)
}
