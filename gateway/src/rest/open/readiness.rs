use std::collections::BTreeMap;

use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;

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

/// All four services answer and have what they need, so a purchase can go through. They are asked once
/// a second at most.
#[utoipa::path(get, path = "/readyz", tag = "open",
    responses(
        (status = 200, body = Readiness),
        (status = 503, body = Readiness, description = "At least one service is down")
    ))]
pub async fn readiness(State(app): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let mut reasons = Vec::new();
    if app.closing.has_begun() {
        reasons.push("gateway: shutting down".to_owned());
    }
    let mut services = BTreeMap::new();
    for (name, fault) in app.probes.faults(&app.upstreams).await.iter() {
        services.insert(*name, if fault.is_none() { "up" } else { "down" });
        reasons.extend(fault.as_ref().map(|fault| format!("{name}: {fault}")));
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
