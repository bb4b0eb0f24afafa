use axum::{Json as Answer, extract::State};
use base::{EventId, UserId};
use proto::{common, ticket::SetEventGrantRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use super::list_event_grants::{EventGrant, Grant};
use crate::{
    app::Shared,
    extract::{AdminToken, Json, Path},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::broken,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    grant: Grant,
}

/// Lets an admin do so much with a concert from now on, more or less than before. For its owners.
///
/// A concert keeps one owner at least. Whether there is such an account is not checked.
#[utoipa::path(put, path = "/api/v1/admin/events/{id}/grants/{user_id}", tag = "admin",
    request_body = NewGrant,
    params(("id" = String, Path, format = Uuid), ("user_id" = String, Path, format = Uuid)),
    security(("access_token" = [])),
    responses(
        (status = 200, body = EventGrant),
        (status = 409, body = crate::problem::ProblemBody, content_type = "application/problem+json",
         description = "`EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn set_event_grant(
    State(app): State<Shared>,
    token: AdminToken,
    Path((event, user)): Path<(EventId, UserId)>,
    Json(new): Json<NewGrant>,
) -> Result<Answer<EventGrant>, Problem> {
    let request = token.request(SetEventGrantRequest {
        event_id: event.to_string(),
        user_id: user.to_string(),
        grant: common::Grant::from(new.grant).into(),
    });
    let mut grants = app.upstreams.grants();
    let set = grants.set_event_grant(request).await?.into_inner();
    let grant = set.grant.ok_or_else(|| broken("grant"))?;
    Ok(Answer(grant.try_into()?))
}
