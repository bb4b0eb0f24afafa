use axum::{Json as Answer, extract::State};
use proto::user::ConfirmSecondFactorRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Json},
    problem::Problem,
    rest::problems::{AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorProof {
    /// What the authenticator shows.
    #[schema(example = "287082")]
    code: String,
}

#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each signs in once instead of a code. They are told this one time.
    recovery_codes: Vec<String>,
}

/// Proves that the authenticator has the secret. Every other session of the account ends.
#[utoipa::path(post, path = "/api/v1/auth/second-factor/confirm", tag = "admin",
    request_body = FactorProof, security(("access_token" = [])),
    responses((status = 200, body = RecoveryCodes), BadBody, AdminOnly, Faults))]
pub async fn confirm_second_factor(
    State(app): State<Shared>,
    token: AdminToken,
    Json(proof): Json<FactorProof>,
) -> Result<Answer<RecoveryCodes>, Problem> {
    let request = token.request(ConfirmSecondFactorRequest { code: proof.code });
    let mut factors = app.upstreams.second_factors();
    let confirmed = factors.confirm_second_factor(request).await?.into_inner();
    Ok(Answer(RecoveryCodes {
        recovery_codes: confirmed.recovery_codes,
    }))
}
