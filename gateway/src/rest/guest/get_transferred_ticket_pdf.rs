use axum::{extract::State, response::Response};
use base::TransferId;
use proto::notify::DocumentKind;

use super::{document::rendered, get_transferred_ticket::facts};
use crate::{
    app::Shared,
    extract::Access,
    problem::{Problem, ProblemBody},
    rest::problems::{Faults, Secret},
};

/// The ticket for printing.
#[utoipa::path(get, path = "/api/v1/transferred-tickets/{id}/ticket.pdf", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses(
        (status = 200, content_type = "application/pdf", body = Vec<u8>),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`TICKETS_NOT_READY`: it is void"),
        Secret, Faults
    ))]
pub async fn get_transferred_ticket_pdf(
    State(app): State<Shared>,
    access: Access<TransferId>,
) -> Result<Response, Problem> {
    rendered(&app, facts(&app, &access).await?, DocumentKind::TicketsPdf).await
}
