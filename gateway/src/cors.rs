//! Which other sites' scripts may call the API and read its answers (the Fetch standard, CORS). They
//! bring their proofs themselves: cookies are never theirs to use.

use std::str::FromStr;

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

/// Origins, such as `https://example.org`, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors(Vec<HeaderValue>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be origins such as https://example.org, separated by commas")]
pub struct CorsError;

const API: [&str; 3] = ["/api/", "/.well-known/", "/openapi.json"];
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent",
);
/// What a script may read beside the few that it always may.
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "age, content-disposition, etag, retry-after, www-authenticate, x-request-id",
);
const PREFLIGHT_HOLDS: HeaderValue = HeaderValue::from_static("600");
const ORIGIN: HeaderValue = HeaderValue::from_static("origin");

impl FromStr for Cors {
    type Err = CorsError;

    fn from_str(text: &str) -> Result<Self, CorsError> {
        let parts = text.split(',').map(str::trim);
        let origins = parts.filter(|part| !part.is_empty()).map(origin);
        origins.collect::<Option<_>>().map(Self).ok_or(CorsError)
    }
}

/// As a browser writes it; a path, a star or a default port would never be met.
fn origin(text: &str) -> Option<HeaderValue> {
    let url = Url::parse(text).ok()?;
    let written = match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        // Apps that are pages in a shell have a scheme of their own.
        _ => format!("{}://{}", url.scheme(), url.host_str()?),
    };
    let exact = written == text && !text.contains('*');
    exact.then(|| text.parse().ok())?
}

impl Cors {
    /// The request comes from a site of the list.
    fn allowed(&self, headers: &HeaderMap) -> Option<&HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.0.iter().find(|known| *known == origin)
    }

    /// What to add to the answer of this request.
    pub fn of(&self, request: &Request) -> Sharing {
        let api = API.iter().any(|api| request.uri().path().starts_with(api));
        if self.0.is_empty() || !api {
            return Sharing::None;
        }
        match self.allowed(request.headers()) {
            Some(origin) => Sharing::With(origin.clone()),
            None => Sharing::WithOthers,
        }
    }

    /// The answer to the question that a browser asks before a call; none where the site is not known,
    /// and then the path answers as to everybody.
    pub fn preflight(&self, request: &Request, sharing: &Sharing) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !matches!(sharing, Sharing::With(_)) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_HOLDS);
        sharing.mark(headers);
        Some(response)
    }
}

/// With whom an answer is shared.
#[derive(Clone, Debug)]
pub enum Sharing {
    None,
    /// Not with who asked, and a cache must not mix it up.
    WithOthers,
    With(HeaderValue),
}

impl Sharing {
    /// A site of the list that is not our own.
    pub fn is_with_another_site(&self, own: &str) -> bool {
        matches!(self, Self::With(origin) if origin != own)
    }

    pub fn mark(&self, headers: &mut HeaderMap) {
        if matches!(self, Self::None) {
            return;
        }
        headers.append(header::VARY, ORIGIN);
        if let Self::With(origin) = self {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        for good in [
            "",
            "https://example.org",
            "https://example.org, http://localhost:5173",
            "capacitor://localhost",
        ] {
            assert!(good.parse::<Cors>().is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "example.org",
            "https://example.org/",
            "https://example.org:443",
            "https://*.example.org",
            "https://Example.org",
        ] {
            assert_eq!(bad.parse::<Cors>(), Err(CorsError), "{bad}");
        }
    }
}
