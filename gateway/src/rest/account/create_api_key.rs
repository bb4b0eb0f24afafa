use axum::{Json as Answer, extract::State};
use http::StatusCode;
use proto::user::CreateApiKeyRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::types::ApiKey;
use crate::{
    app::Shared,
    extract::{AdminToken, Json, Network},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadBody, Faults},
        types::broken,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for: 1 to 100 characters.
    #[schema(example = "Till at the door")]
    name: String,
    /// `events`, `orders`, `messages` or `record`, with `:read` or `:write`, which includes reading.
    #[schema(example = json!(["orders:read"]))]
    scopes: Vec<String>,
    /// How long it lives: 1 to 366.
    days: u32,
    /// That of one's own account.
    #[schema(format = Password)]
    password: String,
}

#[derive(Serialize, ToSchema)]
pub struct MadeApiKey {
    #[serde(flatten)]
    key: ApiKey,
    /// Told this one time.
    secret: String,
}

/// A key for a program, which can do what one's own account can, within its scopes and until it expires.
#[utoipa::path(post, path = "/api/v1/auth/api-keys", tag = "admin", request_body = NewApiKey,
    security(("access_token" = [])),
    responses(
        (status = 201, body = MadeApiKey),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`UNAUTHENTICATED`; `INVALID_CREDENTIALS`: this is not the password"),
        (status = 403, body = ProblemBody, content_type = "application/problem+json",
         description = "`PERMISSION_DENIED` or `CROSS_SITE_REQUEST`"),
        BadBody, Faults
    ))]
pub async fn create_api_key(
    State(app): State<Shared>,
    token: AdminToken,
    Network(network): Network,
    Json(new): Json<NewApiKey>,
) -> Result<(StatusCode, Answer<MadeApiKey>), Problem> {
    let request = token.request(CreateApiKeyRequest {
        name: new.name,
        scopes: new.scopes,
        days: new.days,
        password: new.password,
        network,
    });
    let made = app.upstreams.api_keys().create_api_key(request).await?;
    let made = made.into_inner();
    let answer = MadeApiKey {
        key: made.key.ok_or_else(|| broken("key"))?.try_into()?,
        secret: made.secret,
    };
    Ok((StatusCode::CREATED, Answer(answer)))
}
