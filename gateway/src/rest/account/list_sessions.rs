use axum::{Json, extract::State};
use base::UserId;
use kit::Failure;
use proto::user::{self, ListSessionsRequest};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, BadQuery, Faults},
        types::{all, time_of},
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Whose {
    /// Somebody else's, for superadmins; one's own where it is left out.
    #[param(value_type = Option<String>, format = Uuid)]
    pub user_id: Option<UserId>,
}

impl Whose {
    /// Empty for one's own.
    pub fn of(&self) -> String {
        self.user_id.map_or_else(String::new, |id| id.to_string())
    }
}

#[derive(Serialize, ToSchema)]
pub struct SessionList {
    sessions: Vec<OpenSession>,
}

/// Where somebody is signed in.
#[derive(Serialize, ToSchema)]
pub struct OpenSession {
    id: String,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
    /// The last sign-in or refresh.
    #[serde(with = "rfc3339")]
    last_used_at: OffsetDateTime,
    /// When it ends if it is not used again.
    #[serde(with = "rfc3339")]
    expires_at: OffsetDateTime,
    #[schema(example = "192.0.2.1")]
    network: String,
    user_agent: String,
    /// True for the session that asks.
    current: bool,
}

impl TryFrom<user::Session> for OpenSession {
    type Error = Failure;

    fn try_from(session: user::Session) -> Result<Self, Failure> {
        Ok(Self {
            created_at: time_of(session.created_at.as_ref(), "created_at")?,
            last_used_at: time_of(session.last_used_at.as_ref(), "last_used_at")?,
            expires_at: time_of(session.expires_at.as_ref(), "expires_at")?,
            id: session.id,
            network: session.network,
            user_agent: session.user_agent,
            current: session.current,
        })
    }
}

/// Where an account is signed in, the latest first.
#[utoipa::path(get, path = "/api/v1/auth/sessions", tag = "admin", params(Whose),
    security(("access_token" = [])),
    responses((status = 200, body = SessionList), AdminOnly, Absent, BadQuery, Faults))]
pub async fn list_sessions(
    State(app): State<Shared>,
    token: AdminToken,
    Query(whose): Query<Whose>,
) -> Result<Json<SessionList>, Problem> {
    let request = token.request(ListSessionsRequest {
        user_id: whose.of(),
    });
    let mut sessions = app.upstreams.sessions();
    let found = sessions.list_sessions(request).await?.into_inner();
    Ok(Json(SessionList {
        sessions: all(found.sessions)?,
    }))
}
