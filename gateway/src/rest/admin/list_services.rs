use std::time::Duration;

use axum::{Json, extract::State};
use futures::future::join_all;
use kit::{ErrorReason, Failure};
use proto::{
    Peer,
    status::{GetStatusRequest, GetStatusResponse, Outbox},
};
use serde::Serialize;
use tonic::Status;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::AdminToken,
    problem::Problem,
    rest::problems::{AdminOnly, Faults},
};

/// One that is silent is shown as silent; nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize, ToSchema)]
pub struct Services {
    services: Vec<ServiceStatus>,
}

/// How one program of the installation is.
#[derive(Serialize, ToSchema)]
pub struct ServiceStatus {
    #[schema(example = "payment-svc")]
    name: &'static str,
    /// False where it gave no answer just now; then nothing else is known of it.
    answers: bool,
    #[schema(example = "0.1.0")]
    version: Option<String>,
    /// Null where it announces nothing.
    outbox: Option<OutboxStatus>,
}

/// What it announced and its receiver has not confirmed yet.
#[derive(Serialize, ToSchema)]
pub struct OutboxStatus {
    open: u64,
    /// The age of the oldest one; null where there is none.
    oldest_seconds: Option<u64>,
}

impl From<Outbox> for OutboxStatus {
    fn from(outbox: Outbox) -> Self {
        let oldest = outbox.oldest.map(|age| age.seconds);
        Self {
            open: outbox.open,
            oldest_seconds: oldest.map(|secs| u64::try_from(secs).unwrap_or(0)),
        }
    }
}

/// The services: their versions, and what they announced and nobody has confirmed.
///
/// For superadmins. One that does not answer within two seconds is listed as such. Where none does, nobody can
/// say who asks, and there is no list.
#[utoipa::path(get, path = "/api/v1/admin/services", tag = "admin",
    security(("access_token" = [])),
    responses((status = 200, body = Services), AdminOnly, Faults))]
pub async fn list_services(
    State(app): State<Shared>,
    token: AdminToken,
) -> Result<Json<Services>, Problem> {
    let asked = app.upstreams.statuses().map(|(name, mut service)| {
        let request = token.clone().request(GetStatusRequest {});
        async move {
            let answer = tokio::time::timeout(PATIENCE, service.get_status(request)).await;
            let answer = answer.unwrap_or_else(|_| Err(silent()));
            (name, answer.map(tonic::Response::into_inner))
        }
    });
    let answers = join_all(asked).await;
    if let Some(refusal) = answers.iter().find_map(|(_, answer)| refusal(answer)) {
        return Err(refusal.into());
    }
    if answers.iter().all(|(_, answer)| answer.is_err()) {
        return Err(silent().into());
    }
    let mut services = vec![ServiceStatus {
        name: Peer::Gateway.name(),
        answers: true,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        outbox: None,
    }];
    services.extend(answers.into_iter().map(|(name, answer)| {
        let answer = answer.ok();
        ServiceStatus {
            name,
            answers: answer.is_some(),
            version: answer.as_ref().map(|status| status.version.clone()),
            outbox: answer.and_then(|status| status.outbox.map(Into::into)),
        }
    }));
    Ok(Json(Services { services }))
}

fn silent() -> Status {
    Failure::unavailable("The services give no answer.", PATIENCE).into_status()
}

/// Who asks may not, as any of them can tell.
fn refusal(answer: &Result<GetStatusResponse, Status>) -> Option<Failure> {
    let failure = Failure::from_status(answer.as_ref().err()?);
    let refused = matches!(
        failure.reason,
        ErrorReason::Unauthenticated | ErrorReason::PermissionDenied
    );
    refused.then_some(failure)
}
