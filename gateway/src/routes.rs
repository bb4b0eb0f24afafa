//! The whole router: REST, the shop, the dashboard, and what stands around both.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use base::Language;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use kit::{ErrorReason, Failure};
use serde_json::Value;

use crate::{
    app::{App, Shared},
    dashboard,
    edge::edge,
    images,
    problem::Problem,
    programme::{Age, conditional, tag_of},
    rest,
    shop::{self, reader::Reader},
};

pub fn router(app: Shared, body_limit_bytes: usize) -> Result<Router, Failure> {
    let (rest, mut document) = rest::routes(app.webhook_body_limit_bytes).split_for_parts();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let json = rest::document::refined(&document);
    let router = rest
        .merge(shop::routes(app.clone()))
        .merge(dashboard::routes(app.clone()))
        .route("/images/{name}", get(images::image))
        .route("/openapi.json", get(openapi(&json)?))
        .route("/docs", get(docs(&app, &json)?))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(body_limit_bytes))
        .layer(from_fn_with_state(app.clone(), edge))
        .with_state(app);
    Ok(router)
}

/// The document is made once and answered as it is, or not at all to who has it.
fn openapi(
    document: &Value,
) -> Result<impl Fn(HeaderMap) -> Ready<Response> + Clone + use<>, Failure> {
    let json = Bytes::from(document.to_string());
    let tag = tag_of(&base::digest(&json))?;
    Ok(move |asked: HeaderMap| {
        let mut response = conditional(&asked, &tag, Age(None), || json.clone());
        let caching = HeaderValue::from_static("public, max-age=60");
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, caching);
        ready(response)
    })
}

/// The same for people, in each language made once.
fn docs(
    app: &App,
    document: &Value,
) -> Result<impl Fn(Reader) -> Ready<Response> + Clone + use<>, Failure> {
    let mut pages = Vec::new();
    for language in Language::ALL {
        let page = shop::docs::page(app, language, document)?;
        pages.push((language, Bytes::from(page)));
    }
    let pages = Arc::new(pages);
    Ok(move |Reader { language, .. }: Reader| {
        let page = pages.iter().find(|(of, _)| *of == language);
        let page = page.map(|(_, page)| page.clone()).unwrap_or_default();
        ready(Html(page).into_response())
    })
}

async fn no_such_path() -> Problem {
    Failure::not_found("page or path").into()
}

async fn method_not_allowed() -> Problem {
    Problem::refused(
        ErrorReason::MethodNotAllowed,
        "This path does not know that method; the header Allow lists those it knows.",
    )
}
