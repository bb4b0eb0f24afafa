use axum::{
    Json as Answer,
    extract::State,
    response::{AppendHeaders, IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::SET_COOKIE};
use kit::Failure;
use serde::Serialize;
use utoipa::ToSchema;

use super::login::{Login, sign_in};
use crate::{
    app::{App, Shared},
    extract::{Json, Network},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadBody, Faults},
        types::User,
    },
    session::Session,
};

/// Who is signed in, for the dashboard's page.
#[derive(Serialize, ToSchema)]
pub struct Dashboard {
    pub user: User,
    /// Goes along as `X-CSRF-Token` with whatever the page changes.
    pub csrf_token: String,
    /// Seconds until the session is to be refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub expires_in: Option<u32>,
}

/// Signs the dashboard in: the tokens go into cookies that no script can read.
#[utoipa::path(post, path = "/api/v1/auth/session", tag = "admin", request_body = Login,
    responses(
        (status = 201, body = Dashboard, headers(("Set-Cookie" = String, description = "The session"))),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`INVALID_CREDENTIALS`, for an unknown address and a wrong password alike; `SECOND_FACTOR_REQUIRED`: the password is right, send the code, too"),
        (status = 403, body = ProblemBody, content_type = "application/problem+json",
         description = "`CROSS_SITE_REQUEST`"),
        BadBody, Faults
    ))]
pub async fn open_session(
    State(app): State<Shared>,
    network: Network,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Result<Response, Problem> {
    let signed_in = sign_in(&app, network, &headers, login).await?;
    let session = Session::new(app.sources.token(), signed_in.refresh_token);
    let cookies = cookies(
        &app,
        &session,
        &signed_in.access_token,
        signed_in.expires_in,
    )?;
    let dashboard = Dashboard {
        user: signed_in.user,
        csrf_token: session.csrf_token(),
        expires_in: Some(signed_in.expires_in),
    };
    Ok((StatusCode::CREATED, cookies, Answer(dashboard)).into_response())
}

/// The headers that give the session to the browser.
pub fn cookies(
    app: &App,
    session: &Session,
    access_token: &str,
    access_secs: u32,
) -> Result<AppendHeaders<[(http::HeaderName, HeaderValue); 2]>, Problem> {
    let cookies = session.cookies(&app.public_url, access_token, access_secs);
    let cookies = cookies.ok_or_else(|| Failure::internal("a token that is no cookie"))?;
    Ok(AppendHeaders(cookies.map(|cookie| (SET_COOKIE, cookie))))
}
