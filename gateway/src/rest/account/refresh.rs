use axum::{Json as Answer, extract::State};
use proto::user::RefreshRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::Json,
    problem::{Problem, ProblemBody},
    rest::{
        admin::login::Session,
        problems::{BadBody, Faults},
        types::broken,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// The next access token, and the next refresh token.
///
/// The one that was sent is used up. Sent again within half a minute it brings the same answer, in case the
/// first got lost; sent again later, the session ends.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "admin", request_body = Refresh,
    responses(
        (status = 200, body = Session),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`UNAUTHENTICATED`: the session has ended"),
        BadBody, Faults
    ))]
pub async fn refresh(
    State(app): State<Shared>,
    Json(refresh): Json<Refresh>,
) -> Result<Answer<Session>, Problem> {
    let request = RefreshRequest {
        refresh_token: refresh.refresh_token,
    };
    let renewed = app
        .upstreams
        .sessions()
        .refresh(request)
        .await?
        .into_inner();
    let user = renewed.user.ok_or_else(|| broken("user"))?.try_into()?;
    Ok(Answer(Session {
        access_token: renewed.access_token,
        token_type: "Bearer",
        expires_in: renewed.expires_in,
        refresh_token: renewed.refresh_token,
        user,
    }))
}
