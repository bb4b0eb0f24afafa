//! gzip for what is worth it. Never for what is kept from caches and was asked for with a cookie: the
//! length of such an answer would tell a page of another site what stands in it (breachattack.com).

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{Mutex, PoisonError},
};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;

/// Shorter ones fit into a packet anyway.
const SHORTEST_BYTES: u64 = 1024;
/// Longer ones are streams of documents, which are compressed already.
const LONGEST_BYTES: u64 = 2 * 1024 * 1024;
/// Answers that are kept compressed, by their tag, which is taken from their content.
const KEPT_MAX: usize = 256;
const KINDS: [&str; 7] = [
    "application/json",
    "application/problem+json",
    "image/svg+xml",
    "text/css",
    "text/html",
    "text/javascript",
    "text/plain",
];

#[derive(Default)]
pub struct Compressor {
    kept: Mutex<HashMap<HeaderValue, Bytes>>,
}

/// What of a request decides.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    gzip: bool,
    cookies: bool,
}

impl Wish {
    pub fn of(request: &Request) -> Self {
        let headers = request.headers();
        Self {
            gzip: request.method() != Method::HEAD && takes_gzip(headers),
            cookies: headers.contains_key(header::COOKIE),
        }
    }
}

/// `gzip` or `*`, unless its weight is 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    let parts = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    for part in parts {
        let (coding, weight) = part.split_once(';').unwrap_or((part, ""));
        let coding = coding.trim();
        if coding.eq_ignore_ascii_case("gzip") || coding == "*" {
            let weight = weight.trim().trim_start_matches("q=").trim();
            return weight.is_empty() || weight.parse::<f32>().is_ok_and(|weight| weight > 0.0);
        }
    }
    false
}

impl Compressor {
    pub async fn answer(&self, wish: Wish, response: Response) -> Response {
        if !worth_it(&response, wish) {
            return response;
        }
        let (mut head, body) = response.into_parts();
        head.headers
            .append(header::VARY, HeaderValue::from_static("accept-encoding"));
        if !wish.gzip {
            return Response::from_parts(head, body);
        }
        // Elsewhere a tag is the version of a thing, and says nothing of the bytes.
        let tag = head
            .headers
            .get(header::ETAG)
            .filter(|_| !is_private(&head.headers));
        let tag = tag.cloned();
        let Some(short) = self.compressed(tag.as_ref(), body).await else {
            // Its length was known, so it was in memory and could be read.
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let gzip = HeaderValue::from_static("gzip");
        head.headers.insert(header::CONTENT_ENCODING, gzip);
        head.headers.remove(header::CONTENT_LENGTH);
        // Other bytes are not the same strong tag (RFC 9110, 8.8.1).
        if let Some(weak) = tag.and_then(|tag| weak(&tag)) {
            head.headers.insert(header::ETAG, weak);
        }
        Response::from_parts(head, Body::from(short))
    }

    async fn compressed(&self, tag: Option<&HeaderValue>, body: Body) -> Option<Bytes> {
        if let Some(known) = tag.and_then(|tag| self.kept().get(tag).cloned()) {
            return Some(known);
        }
        let bytes = body.collect().await.ok()?.to_bytes();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).ok()?;
        let short = Bytes::from(encoder.finish().ok()?);
        if let Some(tag) = tag {
            let mut kept = self.kept();
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(tag.clone(), short.clone());
        }
        Some(short)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<HeaderValue, Bytes>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn worth_it(response: &Response, wish: Wish) -> bool {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let private = is_private(headers);
    let length = response.body().size_hint().exact();
    response.status() == StatusCode::OK
        && !headers.contains_key(header::CONTENT_ENCODING)
        && KINDS.contains(&kind)
        && !(private && wish.cookies)
        && length.is_some_and(|length| (SHORTEST_BYTES..=LONGEST_BYTES).contains(&length))
}

/// No cache may keep it. That is so where nothing is said of it.
fn is_private(headers: &HeaderMap) -> bool {
    let caching = headers.get(header::CACHE_CONTROL);
    caching.is_none_or(|caching| caching == "no-store")
}

fn weak(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.to_str().ok()?;
    (!tag.starts_with("W/"))
        .then(|| HeaderValue::from_str(&format!("W/{tag}")).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(accepted: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
        takes_gzip(&headers)
    }

    async fn compressed(compressor: &Compressor, caching: &str, text: &str) -> (Vec<u8>, String) {
        let mut response = Response::new(Body::from(text.repeat(2_000)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(header::ETAG, "\"3\"".parse().unwrap());
        if !caching.is_empty() {
            headers.insert(header::CACHE_CONTROL, caching.parse().unwrap());
        }
        let wish = Wish {
            gzip: true,
            cookies: false,
        };
        let answer = compressor.answer(wish, response).await;
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        let tag = answer.headers()[header::ETAG].to_str().unwrap().to_owned();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (body.to_vec(), tag)
    }

    #[tokio::test]
    async fn only_what_its_tag_names_is_kept() {
        let compressor = Compressor::default();
        // Versions of two things, which are both the third.
        for private in ["", "no-store"] {
            let (one, tag) = compressed(&compressor, private, "one").await;
            assert_eq!(tag, "\"3\"", "If-Match takes it");
            let (other, _) = compressed(&compressor, private, "other").await;
            assert_ne!(one, other);
        }
        let (one, tag) = compressed(&compressor, "no-cache", "one").await;
        assert_eq!(tag, "W/\"3\"");
        assert_eq!(compressed(&compressor, "no-cache", "one").await.0, one);
        assert_eq!(compressor.kept().len(), 1);
    }

    #[test]
    fn who_takes_gzip() {
        for yes in [
            "gzip",
            "br, gzip",
            "GZIP;q=0.5",
            "*",
            "deflate, gzip;q=1.0, *;q=0.5",
        ] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip; q=0.0", "gzippy"] {
            assert!(!takes(no), "{no}");
        }
    }
}
