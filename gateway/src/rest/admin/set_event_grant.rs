use axum::{Json as Answer, extract::State};
use base::{EventId, UserId};
use kit::FieldProblem;
use proto::{
    common,
    ticket::{ListEventGrantsRequest, SetEventGrantRequest},
    user::CheckAccountRequest,
};
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
/// A concert keeps one owner at least.
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
    must_be_an_account(&app, &token, (event, user)).await?;
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

/// ticket-svc knows no accounts. Whoever does not own the concert hears nothing about them, and a grant that stands is
/// changed whatever became of its account.
async fn must_be_an_account(
    app: &Shared,
    token: &AdminToken,
    (event, user): (EventId, UserId),
) -> Result<(), Problem> {
    let (event_id, user_id) = (event.to_string(), user.to_string());
    let mut grants = app.upstreams.grants();
    let listed =
        grants.list_event_grants(token.clone().request(ListEventGrantsRequest { event_id }));
    let listed = listed.await?.into_inner().grants;
    if listed.iter().any(|grant| grant.user_id == user_id) {
        return Ok(());
    }
    let mut accounts = app.upstreams.account_check();
    let found = accounts.check_account(CheckAccountRequest { user_id });
    if found.await?.into_inner().exists {
        return Ok(());
    }
    let rule = "must be the id of an account";
    Err(kit::fields(vec![FieldProblem::new("user_id", rule)]).into())
}
