//! Versions as entity tags.

use axum::extract::FromRequestParts;
use http::{HeaderName, HeaderValue, header, request::Parts};
use kit::{ErrorReason, FieldProblem};

use crate::{app::Shared, problem::Problem};

/// The version in `If-Match`; 0 where there is none, which means whatever it is now.
pub struct IfMatch(pub i64);

impl FromRequestParts<Shared> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(0));
        };
        let tag = value.to_str().unwrap_or_default().trim();
        if tag == "*" {
            return Ok(Self(0));
        }
        let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        if inner.is_none() && !tag.starts_with("W/\"") {
            let rule = "must be the ETag of an answer, or *";
            return Err(kit::fields(vec![FieldProblem::new("If-Match", rule)]).into());
        }
        // What was never given out as a tag cannot be the current version.
        let mismatch = || {
            Problem::refused(
                ErrorReason::VersionMismatch,
                "If-Match is no current version.",
            )
        };
        let version = inner
            .and_then(|digits| digits.parse().ok())
            .filter(|version| *version > 0);
        version.map(Self).ok_or_else(mismatch)
    }
}

pub fn etag(version: i64) -> [(HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::from_str(&format!("\"{version}\""));
    [(
        header::ETAG,
        tag.expect("invariant: digits in quotes are a header value"),
    )]
}
