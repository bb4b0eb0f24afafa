use axum::{Json as Answer, extract::State};
use proto::user::ExchangeApiKeyRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{Json, Network},
    problem::{Problem, ProblemBody},
    rest::problems::{BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyToExchange {
    /// The `secret` of the key.
    api_key: String,
}

#[derive(Serialize, ToSchema)]
pub struct KeyToken {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until it expires.
    expires_in: u32,
    /// What it is good for, separated by spaces.
    #[schema(example = "orders:read")]
    scope: String,
}

/// An access token for an API key.
#[utoipa::path(post, path = "/api/v1/auth/token", tag = "admin", request_body = KeyToExchange,
    responses(
        (status = 200, body = KeyToken),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`INVALID_CREDENTIALS`: the key is not valid, or has expired"),
        BadBody, Faults
    ))]
pub async fn exchange_api_key(
    State(app): State<Shared>,
    Network(network): Network,
    Json(key): Json<KeyToExchange>,
) -> Result<Answer<KeyToken>, Problem> {
    let request = ExchangeApiKeyRequest {
        secret: key.api_key,
        network,
    };
    let token = app.upstreams.api_keys().exchange_api_key(request).await?;
    let token = token.into_inner();
    Ok(Answer(KeyToken {
        access_token: token.access_token,
        token_type: "Bearer",
        expires_in: token.expires_in,
        scope: token.scope,
    }))
}
