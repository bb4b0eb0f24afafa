use std::collections::HashMap;

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
};
use http::HeaderMap;
use kit::Failure;
use proto::payment::ReceiveEventRequest;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::Shared,
    extract::{Path, RawBody},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, Faults},
};

/// Longer than any provider's; what is longer is no signature.
const HEADER_MAX_BYTES: usize = 1024;

/// The operation with a body limit of its own.
pub fn routes(body_limit_bytes: usize) -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(receive_webhook))
        .layer(DefaultBodyLimit::max(body_limit_bytes))
}

#[derive(Serialize, ToSchema)]
pub struct Received {
    /// The event was already there.
    duplicate: bool,
}

/// Where payment providers report. An answer means that the event is stored.
#[utoipa::path(post, path = "/api/v1/webhooks/{provider}", tag = "open",
    params(("provider" = String, Path, example = "sandbox")),
    request_body(content = String, content_type = "application/json",
        description = "Whatever the provider sends; its signature covers the raw bytes"),
    responses(
        (status = 200, body = Received),
        (status = 400, body = ProblemBody, content_type = "application/problem+json",
         description = "`SIGNATURE_INVALID`"),
        (status = 413, body = ProblemBody, content_type = "application/problem+json",
         description = "`BODY_TOO_LARGE`"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "`PROVIDER_NOT_ENABLED`"),
        Absent, Faults
    ))]
pub async fn receive_webhook(
    State(app): State<Shared>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Received>, Problem> {
    let is_name = (1..=32).contains(&provider.len())
        && provider
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_name {
        return Err(Failure::not_found("provider").into());
    }
    let request = ReceiveEventRequest {
        provider,
        body,
        headers: signature_headers(&headers),
    };
    let received = app
        .upstreams
        .provider_events()
        .receive_event(request)
        .await?
        .into_inner();
    Ok(Json(Received {
        duplicate: received.duplicate,
    }))
}

/// What providers sign with (`stripe-signature`, `webhook-id` …) and nothing else: cookies and
/// identities end at the edge.
fn signature_headers(headers: &HeaderMap) -> HashMap<String, String> {
    let signs = |name: &str| {
        name.ends_with("-signature") || name.ends_with("-timestamp") || name == "webhook-id"
    };
    headers
        .iter()
        .filter(|(name, value)| signs(name.as_str()) && value.len() <= HEADER_MAX_BYTES)
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}
