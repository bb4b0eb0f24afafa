use axum::{extract::State, response::Response};
use base::HoldId;

use super::page::see_other;
use crate::{
    app::Shared,
    extract::{Access, Asker},
    problem::Problem,
    rest,
};

/// `POST /checkout/{hold}/release`: gives the tickets back and leads to the concert.
pub async fn release(
    State(app): State<Shared>,
    asker: Asker,
    access: Access<HoldId>,
) -> Result<Response, Problem> {
    match rest::release_hold(&app, asker, access).await? {
        Some(hold) => see_other(&format!("/events/{}", hold.event_id)),
        None => see_other("/"),
    }
}
