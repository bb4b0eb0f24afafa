use axum::{Json, extract::State};
use http::HeaderMap;
use kit::ErrorReason;
use proto::user::GetMeRequest;

use super::open_session::Dashboard;
use crate::{
    app::Shared,
    extract::AdminToken,
    problem::Problem,
    rest::{
        problems::{AdminOnly, Faults},
        types::broken,
    },
    session::Session,
};

/// Who is signed in at the dashboard, and the token for what the page changes.
///
/// 401: the session is to be refreshed, or there is none.
#[utoipa::path(get, path = "/api/v1/auth/session", tag = "admin",
    security(("dashboard_session" = [])),
    responses((status = 200, body = Dashboard), AdminOnly, Faults))]
pub async fn get_session(
    State(app): State<Shared>,
    headers: HeaderMap,
    token: AdminToken,
) -> Result<Json<Dashboard>, Problem> {
    let none = || Problem::refused(ErrorReason::Unauthenticated, "There is no session.");
    let session = Session::read(&headers, &app.public_url).ok_or_else(none)?;
    let request = token.request(GetMeRequest {});
    let found = app.upstreams.sessions().get_me(request).await?.into_inner();
    Ok(Json(Dashboard {
        user: found.user.ok_or_else(|| broken("user"))?.try_into()?,
        csrf_token: session.csrf_token(),
        expires_in: None,
    }))
}
