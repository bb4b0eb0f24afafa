use axum::{
    Json as Answer,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts as _, Request, State},
    response::{IntoResponse as _, Response},
};
use base::EventId;
use bytes::Bytes;
use http::{HeaderMap, header};
use kit::ErrorReason;
use proto::ticket::{EventImage, SetEventImageRequest};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Query, RawBody},
    images::{Kind, UPLOAD_MAX_BYTES},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, AdminOnly, BadBody, Faults, Stale},
    rest::types::AdminEvent,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct About {
    /// What it shows, for who cannot see it; up to 250 characters.
    #[serde(default)]
    #[param(required = false)]
    alt: String,
}

/// A file and what is said of it.
pub struct Upload {
    kind: Kind,
    alt: String,
    bytes: Bytes,
}

impl FromRequest<Shared> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let kind = kind(request.headers())?;
        let (mut parts, body) = request.into_parts();
        let Query(About { alt }) = Query::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        Ok(Self { kind, alt, bytes })
    }
}

/// The operation with a body limit of its own.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(
            set_event_image,
            super::remove_event_image::remove_event_image
        ))
        .layer(DefaultBodyLimit::max(UPLOAD_MAX_BYTES))
}

/// Gives a concert a picture, or another one. It is made into a few sizes; what a camera wrote into it is
/// not kept. At most 10 MiB and 25 million pixels, at least 200 pixels wide and high.
#[utoipa::path(put, path = "/api/v1/admin/events/{id}/image", tag = "admin",
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the change is based on"),
        About,
    ),
    request_body(description = "The file as it is",
        content((String = "image/jpeg"), (String = "image/png"), (String = "image/webp"))),
    security(("access_token" = [])),
    responses(
        (status = 200, body = AdminEvent, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Stale, Faults
    ))]
pub async fn set_event_image(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    IfMatch(expected_version): IfMatch,
    upload: Upload,
) -> Result<Response, Problem> {
    let mut wish = SetEventImageRequest {
        event_id: id.to_string(),
        expected_version,
        image: Some(EventImage {
            key: "0".repeat(64),
            width: 1,
            height: 1,
            alt: upload.alt.clone(),
        }),
        only_check: true,
    };
    let mut catalog = app.upstreams.catalog_admin();
    // Nothing is made or kept for who may not change the concert.
    let ask = token.clone().request(wish.clone());
    catalog.set_event_image(ask).await?;
    let picture = app.images.keep(upload.kind, upload.bytes).await?;
    wish.only_check = false;
    wish.image = Some(EventImage {
        key: picture.key,
        width: picture.size.width,
        height: picture.size.height,
        alt: upload.alt,
    });
    let changed = catalog.set_event_image(token.request(wish)).await?;
    let event = AdminEvent::required(changed.into_inner().event)?;
    Ok((etag(event.version), Answer(event)).into_response())
}

fn kind(headers: &HeaderMap) -> Result<Kind, Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    Kind::of(&essence.to_ascii_lowercase()).ok_or_else(|| {
        let detail = "Send a picture as image/jpeg, image/png or image/webp.";
        Problem::refused(ErrorReason::UnsupportedMediaType, detail)
    })
}
