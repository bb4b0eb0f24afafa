use axum::extract::State;
use http::StatusCode;
use proto::user::RequestAccountRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{Json, Network},
    problem::Problem,
    rest::problems::{BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccountRequest {
    #[schema(format = Email)]
    email: String,
    /// Who asks, and why: up to 500 characters.
    #[serde(default)]
    note: Option<String>,
    /// The language of the mail that follows, a BCP 47 tag.
    #[serde(default)]
    #[schema(example = "en")]
    locale: Option<String>,
}

/// Asks for an account. A superadmin decides; who is approved is invited by mail.
///
/// The answer is the same for every address.
#[utoipa::path(post, path = "/api/v1/auth/account-requests", tag = "admin",
    request_body = NewAccountRequest,
    responses((status = 202), BadBody, Faults))]
pub async fn request_account(
    State(app): State<Shared>,
    Network(network): Network,
    Json(new): Json<NewAccountRequest>,
) -> Result<StatusCode, Problem> {
    let request = RequestAccountRequest {
        email: new.email,
        note: new.note.unwrap_or_default(),
        locale: new.locale.unwrap_or_default(),
        network,
    };
    app.upstreams
        .registration()
        .request_account(request)
        .await?;
    Ok(StatusCode::ACCEPTED)
}
