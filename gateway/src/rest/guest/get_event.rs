use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kit::Failure;
use proto::ticket::{GetEventRequest, GetEventResponse};

use crate::{
    app::{App, Shared},
    extract::Path,
    problem::Problem,
    rest::{
        problems::{Absent, Faults},
        types::{EventDetail, all, broken},
    },
};

/// One concert with its ticket types and what is left of them.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "guest",
    params(
        ("id" = String, Path, description = "The concert's id or its slug"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of an answer before"),
    ),
    responses(
        (status = 200, body = EventDetail, headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "Nothing has changed"),
        Absent, Faults
    ))]
pub async fn get_event(
    State(app): State<Shared>,
    Path(id_or_slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = fetch(&app, id_or_slug).await?;
    let event = found.event.ok_or_else(|| broken("event"))?;
    let payment_providers = app.providers.of_event(&app, &event.payment_providers).await;
    let detail = EventDetail {
        event: event.try_into()?,
        ticket_types: all(found.ticket_types)?,
        payment_providers,
    };
    let body = serde_json::to_vec(&detail).map_err(Failure::internal)?;
    // What is left changes without the event's version, so the tag is taken from the content.
    let etag = format!("\"{}\"", base::hex(&base::digest(&body)[..16]));
    let tag = HeaderValue::from_str(&etag).map_err(Failure::internal)?;
    let caching = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if matches(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let json = HeaderValue::from_static("application/json");
    Ok((caching, [(header::CONTENT_TYPE, json)], body).into_response())
}

/// The event by its id or slug. A text that can be neither names nothing.
pub async fn fetch(app: &App, id_or_slug: String) -> Result<GetEventResponse, Problem> {
    let plausible = (1..=100).contains(&id_or_slug.len())
        && id_or_slug
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !plausible {
        return Err(Failure::not_found("concert").into());
    }
    let request = GetEventRequest { id_or_slug };
    Ok(app
        .upstreams
        .catalog()
        .get_event(request)
        .await?
        .into_inner())
}

/// The weak comparison of RFC 9110.
fn matches(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim())
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
