use axum::{extract::State, response::Response};
use base::OrderId;

use super::{page::see_other, pay::says_the_order};
use crate::{app::Shared, extract::Access, problem::Problem, rest};

/// `POST /orders/{id}/cancel`: gives the tickets back.
pub async fn cancel(
    State(app): State<Shared>,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    let own_page = format!("/orders/{}", access.id);
    match rest::cancel_order(&app, access).await {
        Err(problem) if !says_the_order(problem.reason()) => Err(problem),
        _ => see_other(&own_page),
    }
}
