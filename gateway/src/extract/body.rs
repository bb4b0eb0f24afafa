//! Bodies: JSON for programs, forms for browsers, raw bytes for webhooks.

use std::collections::HashMap;

use axum::extract::{FromRequest, Request, rejection::BytesRejection};
use bytes::Bytes;
use http::{HeaderMap, header};
use kit::ErrorReason;
use serde::de::DeserializeOwned;

use super::{json::parse, malformed, not_utf8};
use crate::{app::Shared, problem::Problem};

/// A JSON body, `Content-Type: application/json`.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// A JSON body that may be left out.
pub struct JsonOrEmpty<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Shared> for JsonOrEmpty<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&headers)?;
        Ok(Self(parse(&bytes)?))
    }
}

/// The fields of a posted form.
pub struct Form(HashMap<String, String>);

impl Form {
    /// The field's text without surrounding blanks; empty where it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        use axum::extract::rejection::FormRejection as R;
        let form = axum::Form::<HashMap<String, String>>::from_request(request, app).await;
        match form {
            Ok(axum::Form(fields)) if fields.values().any(|text| not_utf8(text)) => {
                Err(malformed("The form is not UTF-8."))
            }
            Ok(axum::Form(fields)) => Ok(Self(fields)),
            Err(R::InvalidFormContentType(_)) => Err(unsupported(
                "Send a form as application/x-www-form-urlencoded.",
            )),
            Err(R::BytesRejection(rejection)) => Err(refused(&rejection)),
            Err(_) => Err(malformed("The form is not readable.")),
        }
    }
}

/// The bytes as they came, at most as long as the route allows.
pub struct RawBody(pub Bytes);

impl FromRequest<Shared> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        Bytes::from_request(request, app)
            .await
            .map(Self)
            .map_err(|rejection| refused(&rejection))
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .map_or("", str::trim);
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(unsupported(
        "Send JSON with `Content-Type: application/json`.",
    ))
}

fn unsupported(detail: &str) -> Problem {
    Problem::refused(ErrorReason::UnsupportedMediaType, detail)
}

fn refused(rejection: &BytesRejection) -> Problem {
    if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    unreadable()
}

pub fn too_large() -> Problem {
    Problem::refused(ErrorReason::BodyTooLarge, "The body is too large.")
}

pub fn unreadable() -> Problem {
    malformed("The body ended early.")
}
