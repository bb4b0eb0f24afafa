use axum::extract::State;
use base::TicketTypeId;
use http::StatusCode;
use proto::ticket::DeleteTicketTypeRequest;

use super::version::IfMatch;
use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, AdminOnly, Faults, Stale},
};

/// Deletes a ticket type of which nothing was ever held or sold.
#[utoipa::path(delete, path = "/api/v1/admin/ticket-types/{id}", tag = "admin",
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the decision is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`HAS_SALES`, `EVENT_ARCHIVED`"),
        AdminOnly, Absent, Stale, Faults
    ))]
pub async fn delete_ticket_type(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<TicketTypeId>,
    IfMatch(expected_version): IfMatch,
) -> Result<StatusCode, Problem> {
    let request = token.request(DeleteTicketTypeRequest {
        ticket_type_id: id.to_string(),
        expected_version,
    });
    let mut catalog = app.upstreams.catalog_admin();
    catalog.delete_ticket_type(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
