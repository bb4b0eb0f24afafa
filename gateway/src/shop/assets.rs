//! The stylesheet, the scripts and the icon. Their addresses carry a version, so they may
//! be kept for long.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

pub const STYLE: &str = include_str!("../../shop/style.css");
pub const SCRIPT: &str = include_str!("../../shop/shop.js");
pub const LIVE: &str = include_str!("../../shop/live.js");
const ICON: &str = include_str!("../../shop/icon.svg");

pub async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

pub async fn live() -> Response {
    asset("text/javascript; charset=utf-8", LIVE)
}

pub async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let caching = HeaderValue::from_static("public, max-age=86400");
    let kind = HeaderValue::from_static(kind);
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, caching),
        ],
        text,
    )
        .into_response()
}
