//! The whole router: REST, the shop, and what stands around both.

use std::sync::Arc;

use axum::{
    Router, extract::DefaultBodyLimit, middleware::from_fn_with_state, response::IntoResponse,
    routing::get,
};
use http::{HeaderValue, header};
use kit::{ErrorReason, Failure};
use utoipa::openapi::OpenApi;

use crate::{app::Shared, edge::edge, problem::Problem, rest, shop};

pub fn router(app: Shared, body_limit_bytes: usize) -> Router {
    let (rest, mut document) = rest::routes(app.webhook_body_limit_bytes).split_for_parts();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    rest.merge(shop::routes(app.clone()))
        .route("/openapi.json", get(openapi(&document)))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(body_limit_bytes))
        .layer(from_fn_with_state(app.clone(), edge))
        .with_state(app)
}

/// The document is made once and answered as it is.
fn openapi(
    document: &OpenApi,
) -> impl Fn() -> std::future::Ready<axum::response::Response> + Clone + use<> {
    let json: Arc<str> = rest::document::refined(document).to_string().into();
    move || {
        let kind = HeaderValue::from_static("application/json");
        let caching = HeaderValue::from_static("public, max-age=60");
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, caching),
        ];
        std::future::ready((headers, json.to_string()).into_response())
    }
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
