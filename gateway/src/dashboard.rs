//! The dashboard: the files that `just web` leaves in web/dist/admin/, embedded. Every path that is no file is
//! its one page, which reads the path itself. Without the files a page says how to build them.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    Router,
    middleware::from_fn_with_state,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::get,
};
use http::{HeaderName, HeaderValue, header};
use kit::Failure;

use crate::{app::Shared, extract::Path, problem::Problem, shop::one_host};

include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

const STUB: &str = include_str!("../dashboard/stub.html");
const PAGE: &str = "index.html";
/// The build names these by their content.
const HASHED: &str = "assets/";

/// What is sent of a file.
struct Asset {
    bytes: &'static [u8],
    kind: &'static str,
    tag: HeaderValue,
}

static ASSETS: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| {
    let assets = FILES.iter().filter_map(|(path, bytes)| {
        let tag = format!("\"{}\"", base::hex(&base::digest(bytes)[..8]));
        let tag = HeaderValue::from_str(&tag).ok()?;
        let kind = kind(path);
        Some((*path, Asset { bytes, kind, tag }))
    });
    assets.collect()
});

pub fn routes(app: Shared) -> Router<Shared> {
    Router::new()
        .route("/admin", get(page))
        // As people type it; the page's own paths have no slash at their end.
        .route("/admin/", get(async || Redirect::permanent("/admin")))
        .route("/admin/{*path}", get(file))
        .layer(from_fn_with_state(app, one_host::one_host))
}

/// Never kept: it names the files of this build, and of no other.
async fn page() -> Response {
    match ASSETS.get(PAGE) {
        Some(page) => ([(header::CONTENT_TYPE, page.kind)], page.bytes).into_response(),
        None => Html(STUB).into_response(),
    }
}

async fn file(Path(path): Path<String>) -> Result<Response, Problem> {
    if path == PAGE {
        return Ok(page().await);
    }
    let Some(asset) = ASSETS.get(path.as_str()) else {
        if path.starts_with(HASHED) {
            return Err(Failure::not_found("file of the dashboard").into());
        }
        return Ok(page().await);
    };
    let caching = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=3600"
    };
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        // The compressor keeps an answer by its tag.
        (header::ETAG, asset.tag.clone()),
    ];
    Ok((headers, asset.bytes).into_response())
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
