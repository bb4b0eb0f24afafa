use axum::{Json, extract::State};
use proto::user::ListApiKeysRequest;
use serde::Serialize;
use utoipa::ToSchema;

use super::{list_sessions::Whose, types::ApiKey};
use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, BadQuery, Faults},
        types::all,
    },
};

#[derive(Serialize, ToSchema)]
pub struct ApiKeyList {
    keys: Vec<ApiKey>,
}

/// The API keys of an account that are good still, the latest first.
#[utoipa::path(get, path = "/api/v1/auth/api-keys", tag = "admin", params(Whose),
    security(("access_token" = [])),
    responses((status = 200, body = ApiKeyList), AdminOnly, Absent, BadQuery, Faults))]
pub async fn list_api_keys(
    State(app): State<Shared>,
    token: AdminToken,
    Query(whose): Query<Whose>,
) -> Result<Json<ApiKeyList>, Problem> {
    let request = token.request(ListApiKeysRequest {
        user_id: whose.of(),
    });
    let found = app.upstreams.api_keys().list_api_keys(request).await?;
    Ok(Json(ApiKeyList {
        keys: all(found.into_inner().keys)?,
    }))
}
