use axum::{extract::State, response::Response};
use base::HoldId;
use proto::ticket::ReleaseHoldRequest;

use super::page::see_other;
use crate::{app::Shared, extract::Access, problem::Problem};

/// `POST /checkout/{hold}/release`: gives the tickets back and leads to the concert.
pub async fn release(
    State(app): State<Shared>,
    access: Access<HoldId>,
) -> Result<Response, Problem> {
    let request = ReleaseHoldRequest {
        hold_id: access.id.to_string(),
        secret: access.secret,
    };
    let released = app
        .upstreams
        .holds()
        .release_hold(request)
        .await?
        .into_inner();
    match released.hold {
        Some(hold) => see_other(&format!("/events/{}", hold.event_id)),
        None => see_other("/"),
    }
}
