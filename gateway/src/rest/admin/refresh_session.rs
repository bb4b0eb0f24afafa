use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, header::SET_COOKIE};
use kit::ErrorReason;
use proto::user::RefreshRequest;

use super::open_session::{Dashboard, cookies};
use crate::{
    app::Shared,
    problem::{Problem, ProblemBody},
    rest::{problems::Faults, types::broken},
    session::{self, Session},
};

/// Gives the dashboard's session another while. A page that was just opened begins with it.
///
/// It needs no `X-CSRF-Token`, because it is where a page gets one.
#[utoipa::path(post, path = "/api/v1/auth/session/refresh", tag = "admin",
    security(("dashboard_session" = [])),
    responses(
        (status = 200, body = Dashboard, headers(("Set-Cookie" = String, description = "The session"))),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`UNAUTHENTICATED`: there is no session, or it has ended"),
        (status = 403, body = ProblemBody, content_type = "application/problem+json",
         description = "`CROSS_SITE_REQUEST`"),
        Faults
    ))]
pub async fn refresh_session(
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let none = || Problem::refused(ErrorReason::Unauthenticated, "There is no session.");
    let session = Session::read(&headers, &app.public_url).ok_or_else(none)?;
    let request = RefreshRequest {
        refresh_token: session.refresh_token.clone(),
    };
    let renewed = match app.upstreams.sessions().refresh(request).await {
        Ok(renewed) => renewed.into_inner(),
        Err(status) => return Ok(refused(&app, status.into())),
    };
    let session = session.renewed(renewed.refresh_token);
    let cookies = cookies(&app, &session, &renewed.access_token, renewed.expires_in)?;
    let dashboard = Dashboard {
        user: renewed.user.ok_or_else(|| broken("user"))?.try_into()?,
        csrf_token: session.csrf_token(),
        expires_in: Some(renewed.expires_in),
    };
    Ok((cookies, Answer(dashboard)).into_response())
}

/// A session that has ended leaves no cookies; one that could not be asked about keeps them.
fn refused(app: &Shared, problem: Problem) -> Response {
    let ended = problem.reason() == ErrorReason::Unauthenticated;
    let mut response = problem.into_response();
    for cookie in session::no_cookies(&app.public_url).into_iter().flatten() {
        if ended {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}
