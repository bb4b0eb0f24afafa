use std::{collections::BTreeMap, time::Duration};

use axum::{Json, extract::State};
use futures::future::join_all;
use http::StatusCode;
use kit::client::MeshChannel;
use serde::Serialize;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use utoipa::ToSchema;

use crate::app::Shared;

const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    ready: bool,
    /// `up` or `down` by the service's name.
    #[schema(example = json!({"ticket-svc": "up", "payment-svc": "down"}))]
    services: BTreeMap<&'static str, &'static str>,
}

/// All four services answer, so a purchase can go through.
#[utoipa::path(get, path = "/readyz", tag = "open",
    responses(
        (status = 200, body = Readiness),
        (status = 503, body = Readiness, description = "At least one service is down")
    ))]
pub async fn readiness(State(app): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let probes = app.upstreams.health().map(|(name, client)| async move {
        (
            name,
            if is_serving(client).await {
                "up"
            } else {
                "down"
            },
        )
    });
    let services: BTreeMap<_, _> = join_all(probes).await.into_iter().collect();
    let ready = services.values().all(|state| *state == "up");
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, services }))
}

async fn is_serving(mut client: HealthClient<MeshChannel>) -> bool {
    let check = client.check(HealthCheckRequest {
        service: String::new(),
    });
    match tokio::time::timeout(PROBE_TIMEOUT, check).await {
        Ok(Ok(answer)) => answer.into_inner().status() == ServingStatus::Serving,
        _ => false,
    }
}
