use std::{collections::BTreeMap, time::Duration};

use axum::{Json, extract::State};
use futures::future::join_all;
use http::StatusCode;
use kit::UNREADY_HEADER;
use serde::Serialize;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use utoipa::ToSchema;

use crate::{app::Shared, retries::Upstream};

const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    ready: bool,
    /// `up` or `down` by the service's name.
    #[schema(example = json!({"ticket-svc": "up", "payment-svc": "down"}))]
    services: BTreeMap<&'static str, &'static str>,
    /// Why not; empty where it is ready.
    #[schema(example = json!(["payment-svc: database"]))]
    reasons: Vec<String>,
}

/// All four services answer and have what they need, so a purchase can go through.
#[utoipa::path(get, path = "/readyz", tag = "open",
    responses(
        (status = 200, body = Readiness),
        (status = 503, body = Readiness, description = "At least one service is down")
    ))]
pub async fn readiness(State(app): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let probes = app
        .upstreams
        .health()
        .map(async |(name, client)| (name, fault(client).await));
    let mut reasons = Vec::new();
    if app.closing.has_begun() {
        reasons.push("gateway: shutting down".to_owned());
    }
    let mut services = BTreeMap::new();
    for (name, fault) in join_all(probes).await {
        services.insert(name, if fault.is_none() { "up" } else { "down" });
        reasons.extend(fault.map(|fault| format!("{name}: {fault}")));
    }
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready,
            services,
            reasons,
        }),
    )
}

/// Why a service cannot do its work; none if it can.
async fn fault(mut client: HealthClient<Upstream>) -> Option<String> {
    let check = client.check(HealthCheckRequest {
        service: String::new(),
    });
    let Ok(Ok(answer)) = tokio::time::timeout(PROBE_TIMEOUT, check).await else {
        return Some("no answer".to_owned());
    };
    if answer.get_ref().status() == ServingStatus::Serving {
        return None;
    }
    let reasons = answer.metadata().get(UNREADY_HEADER);
    let reasons = reasons.and_then(|reasons| reasons.to_str().ok());
    Some(reasons.unwrap_or("not serving").to_owned())
}
