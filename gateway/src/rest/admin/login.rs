use std::time::Instant;

use axum::{Json as Answer, extract::State};
use http::{HeaderMap, header};
use proto::user::LoginRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Json, Network},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadBody, Faults},
        types::{User, broken},
    },
    told::Caller,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(format = Email)]
    email: String,
    #[schema(format = Password)]
    password: String,
    /// Of the authenticator, or a recovery code; where the account wants one.
    #[serde(default)]
    code: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Session {
    pub access_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: u32,
    pub refresh_token: String,
    pub user: User,
}

/// Exchanges an address and a password for an access token.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "admin", request_body = Login,
    responses(
        (status = 200, body = Session),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`INVALID_CREDENTIALS`, for an unknown address and a wrong password alike; \
                        `SECOND_FACTOR_REQUIRED`"),
        BadBody, Faults
    ))]
pub async fn login(
    State(app): State<Shared>,
    network: Network,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Result<Answer<Session>, Problem> {
    Ok(Answer(sign_in(&app, network, &headers, login).await?))
}

/// The same for programs and for the dashboard, which keeps the tokens in cookies.
pub async fn sign_in(
    app: &App,
    Network(network): Network,
    headers: &HeaderMap,
    login: Login,
) -> Result<Session, Problem> {
    let caller = Caller::new(&login.email, &network);
    app.told.check(caller, Instant::now())?;
    let user_agent = headers.get(header::USER_AGENT);
    let user_agent = user_agent.and_then(|name| name.to_str().ok());
    let request = LoginRequest {
        email: login.email,
        password: login.password,
        network,
        user_agent: user_agent.unwrap_or_default().to_owned(),
        code: login.code.unwrap_or_default(),
    };
    let opened = app.upstreams.sessions().login(request).await;
    let session = opened.map_err(|status| {
        let problem = Problem::from(status);
        app.told.remember(caller, &problem.0, Instant::now());
        problem
    })?;
    let session = session.into_inner();
    Ok(Session {
        access_token: session.access_token,
        token_type: "Bearer",
        expires_in: session.expires_in,
        refresh_token: session.refresh_token,
        user: session.user.ok_or_else(|| broken("user"))?.try_into()?,
    })
}
