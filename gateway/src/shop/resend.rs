use axum::{extract::State, response::Response};
use base::OrderId;
use kit::ErrorReason;

use super::page::see_other;
use crate::{
    app::Shared,
    extract::{Access, Form},
    problem::Problem,
    rest,
};

/// `POST /orders/{id}/resend`: the receipt again.
pub async fn resend(
    State(app): State<Shared>,
    access: Access<OrderId>,
    form: Form,
) -> Result<Response, Problem> {
    let own_page = format!("/orders/{}", access.id);
    match rest::resend_receipt(&app, access, form.text("key")).await {
        Ok(_) => see_other(&format!("{own_page}?done=resent")),
        Err(problem) if problem.reason() == ErrorReason::TooManyRequests => {
            see_other(&format!("{own_page}?done=often"))
        }
        Err(problem) if problem.reason() == ErrorReason::TicketsNotReady => see_other(&own_page),
        Err(problem) => Err(problem),
    }
}
