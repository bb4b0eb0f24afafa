//! The stylesheet, the scripts and the icon. Pages name them with the version of this program, and
//! only under that they may be kept for long: a page of an older or newer program, while both run,
//! must not leave the wrong one behind.

use std::sync::LazyLock;

use axum::{
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

const STYLE: &str = include_str!("../../shop/style.css");
const SCRIPT: &str = include_str!("../../shop/shop.js");
const LIVE: &str = include_str!("../../shop/live.js");
const ICON: &str = include_str!("../../shop/icon.svg");

/// Of all of them together.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = [STYLE, SCRIPT, LIVE, ICON].concat();
    base::hex(&base::digest(all.as_bytes())[..4])
});

pub async fn style(RawQuery(query): RawQuery) -> Response {
    asset("text/css; charset=utf-8", STYLE, query)
}

pub async fn script(RawQuery(query): RawQuery) -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT, query)
}

pub async fn live(RawQuery(query): RawQuery) -> Response {
    asset("text/javascript; charset=utf-8", LIVE, query)
}

pub async fn icon(RawQuery(query): RawQuery) -> Response {
    asset("image/svg+xml", ICON, query)
}

fn asset(kind: &'static str, text: &'static str, query: Option<String>) -> Response {
    let asked = query.as_deref().and_then(|query| query.strip_prefix("v="));
    let caching = if asked == Some(VERSION.as_str()) {
        "public, max-age=86400"
    } else {
        "no-cache"
    };
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        ],
        text,
    )
        .into_response()
}
