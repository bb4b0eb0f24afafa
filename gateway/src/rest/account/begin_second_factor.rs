use axum::{Json as Answer, extract::State};
use proto::user::BeginSecondFactorRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Json, Network},
    problem::{Problem, ProblemBody},
    rest::problems::{BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPassword {
    /// That of one's own account.
    #[schema(format = Password)]
    pub password: String,
}

#[derive(Serialize, ToSchema)]
pub struct NewSecondFactor {
    /// To be typed into an authenticator.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    secret: String,
    /// To be shown as a QR code.
    #[schema(example = "otpauth://totp/Boxoffice:ada%40example.org?secret=…")]
    address: String,
}

/// A secret for an authenticator. Signing in asks for its codes once it is confirmed.
#[utoipa::path(post, path = "/api/v1/auth/second-factor", tag = "admin",
    request_body = OwnPassword, security(("access_token" = [])),
    responses(
        (status = 200, body = NewSecondFactor),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`UNAUTHENTICATED`; `INVALID_CREDENTIALS`: this is not the password"),
        (status = 403, body = ProblemBody, content_type = "application/problem+json",
         description = "`PERMISSION_DENIED` or `CROSS_SITE_REQUEST`"),
        BadBody, Faults
    ))]
pub async fn begin_second_factor(
    State(app): State<Shared>,
    token: AdminToken,
    Network(network): Network,
    Json(own): Json<OwnPassword>,
) -> Result<Answer<NewSecondFactor>, Problem> {
    let request = token.request(BeginSecondFactorRequest {
        password: own.password,
        network,
    });
    let mut factors = app.upstreams.second_factors();
    let begun = factors.begin_second_factor(request).await?.into_inner();
    Ok(Answer(NewSecondFactor {
        secret: begun.secret,
        address: begun.address,
    }))
}
