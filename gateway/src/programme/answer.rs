//! Answers that a client may keep as long as their tag stays the same.

use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use kit::Failure;

/// How old an answer may be; none where it is as fresh as ticket-svc's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub Option<Duration>);

impl Age {
    pub fn secs(self) -> Option<u64> {
        self.0.map(|age| age.as_secs())
    }
}

/// A body with its tag.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub body: Bytes,
    pub tag: HeaderValue,
}

impl Encoded {
    pub fn of(value: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(value).map_err(Failure::internal)?;
        // What is left changes without the event's version, so the tag is taken from the content.
        let tag = tag_of(&base::digest(&body))?;
        Ok(Self {
            body: body.into(),
            tag,
        })
    }
}

/// A strong tag of a content with this digest.
pub fn tag_of(digest: &[u8; 32]) -> Result<HeaderValue, Failure> {
    let tag = format!("\"{}\"", base::hex(&digest[..16]));
    HeaderValue::from_str(&tag).map_err(Failure::internal)
}

/// The body, or 304 where the client has it.
pub fn conditional(
    asked: &HeaderMap,
    tag: &HeaderValue,
    age: Age,
    body: impl FnOnce() -> Bytes,
) -> Response {
    let mut response = if has(asked, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(body().into());
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag.clone());
    let no_cache = HeaderValue::from_static("no-cache");
    headers.insert(header::CACHE_CONTROL, no_cache);
    if let Some(secs) = age.secs() {
        headers.insert(header::AGE, HeaderValue::from(secs));
    }
    response
}

/// The weak comparison of RFC 9110.
pub fn has(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}
