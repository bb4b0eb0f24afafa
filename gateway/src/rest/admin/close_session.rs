use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header::SET_COOKIE};
use proto::user::LogoutRequest;

use crate::{
    app::Shared,
    problem::{Problem, ProblemBody},
    rest::problems::Faults,
    session::{self, Session},
};

/// Signs the dashboard out. Repeating it changes nothing.
#[utoipa::path(delete, path = "/api/v1/auth/session", tag = "admin",
    params(("X-CSRF-Token" = Option<String>, Header, description = "Needed where there is a session")),
    responses(
        (status = 204),
        (status = 403, body = ProblemBody, content_type = "application/problem+json",
         description = "`CROSS_SITE_REQUEST`"),
        Faults
    ))]
pub async fn close_session(
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(session) = Session::read(&headers, &app.public_url) {
        session.check_csrf(&headers)?;
        let request = LogoutRequest {
            refresh_token: session.refresh_token,
        };
        app.upstreams.sessions().logout(request).await?;
    }
    let gone = session::no_cookies(&app.public_url).into_iter().flatten();
    let gone: Vec<_> = gone.map(|cookie| (SET_COOKIE, cookie)).collect();
    Ok((StatusCode::NO_CONTENT, AppendHeaders(gone)).into_response())
}
