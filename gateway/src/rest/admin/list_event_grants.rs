use axum::{Json, extract::State};
use base::EventId;
use kit::Failure;
use proto::{common, ticket, ticket::ListEventGrantsRequest};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::{all, broken, filled, time_of},
    },
};

#[derive(Serialize, ToSchema)]
pub struct EventGrants {
    grants: Vec<EventGrant>,
}

/// What one admin may do with a concert.
#[derive(Serialize, ToSchema)]
pub struct EventGrant {
    /// The id of the account.
    #[schema(format = Uuid)]
    user_id: String,
    grant: Grant,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    granted_at: OffsetDateTime,
    /// Null for whoever made the concert.
    #[schema(format = Uuid)]
    granted_by: Option<String>,
}

/// How much an admin may do with a concert. Each word is a list of its own, not a step of a ladder: at the
/// door nobody sees orders, and a viewer lets nobody in.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum Grant {
    /// Everything, also what cannot be taken back, and giving grants to others.
    Owner,
    /// Edits the concert and its stock, and looks after its orders and their money.
    Editor,
    /// Sees what an editor sees, and changes nothing.
    Viewer,
    /// Sees the concert and what a ticket is worth; no order, no guest and no money.
    Door,
}

impl TryFrom<String> for Grant {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "owner" => Ok(Self::Owner),
            "editor" => Ok(Self::Editor),
            "viewer" => Ok(Self::Viewer),
            "door" => Ok(Self::Door),
            _ => Err("must be `owner`, `editor`, `viewer` or `door`"),
        }
    }
}

impl From<Grant> for common::Grant {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Owner => Self::Owner,
            Grant::Editor => Self::Editor,
            Grant::Viewer => Self::Viewer,
            Grant::Door => Self::Door,
        }
    }
}

impl TryFrom<ticket::EventGrant> for EventGrant {
    type Error = Failure;

    fn try_from(grant: ticket::EventGrant) -> Result<Self, Failure> {
        Ok(Self {
            grant: match grant.grant() {
                common::Grant::Owner => Grant::Owner,
                common::Grant::Editor => Grant::Editor,
                common::Grant::Viewer => Grant::Viewer,
                common::Grant::Door => Grant::Door,
                common::Grant::Unspecified => return Err(broken("grant")),
            },
            granted_at: time_of(grant.granted_at.as_ref(), "time")?,
            user_id: grant.user_id,
            granted_by: filled(grant.granted_by),
        })
    }
}

/// Who may do what with one concert, the oldest grant first. For its owners.
#[utoipa::path(get, path = "/api/v1/admin/events/{id}/grants", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = EventGrants), AdminOnly, Absent, Faults))]
pub async fn list_event_grants(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
) -> Result<Json<EventGrants>, Problem> {
    let request = token.request(ListEventGrantsRequest {
        event_id: id.to_string(),
    });
    let mut grants = app.upstreams.grants();
    let found = grants.list_event_grants(request).await?.into_inner();
    Ok(Json(EventGrants {
        grants: all(found.grants)?,
    }))
}
