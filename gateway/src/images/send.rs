use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kit::Failure;

use super::make::is_name;
use crate::{
    app::Shared,
    extract::Path,
    guard::{ANY_ORIGIN, RESOURCE_POLICY},
    problem::Problem,
    programme::has,
};

/// A name stands for one content, so nobody has to ask again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const JPEG: HeaderValue = HeaderValue::from_static("image/jpeg");

/// `GET /images/{name}`: one size of a picture. Other sites may show it.
pub async fn image(
    State(app): State<Shared>,
    Path(name): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    if !is_name(&name) {
        return Err(Failure::not_found("picture").into());
    }
    let tag = HeaderValue::from_str(&format!("\"{name}\"")).map_err(Failure::internal)?;
    let mut response = if has(&asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let bytes = app.images.get(&name).await?;
        ([(header::CONTENT_TYPE, JPEG)], bytes).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, FOR_EVER);
    headers.insert(RESOURCE_POLICY, ANY_ORIGIN);
    Ok(response)
}
