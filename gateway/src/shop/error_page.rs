use axum::{extract::State, response::Response};
use http::{HeaderValue, header};
use kit::Failure;
use minijinja::{Value, context};

use super::reader::Reader;
use crate::{app::Shared, error_pages, extract::Path, problem::Problem};

/// `GET /errors/{reason}`: what `type` of a problem points to. It is for who writes programs, and in English;
/// what stands around it is in the reader's language.
pub async fn error_page(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    Path(reason): Path<String>,
) -> Result<Response, Problem> {
    let page = error_pages::page(&reason).ok_or_else(|| Failure::not_found("reason"))?;
    let values = context! {
        title => error_pages::title(&reason),
        content => Value::from_safe_string(error_pages::html(page)),
    };
    let mut response = app.pages.render(language, "error_page.html", values)?;
    let caching = HeaderValue::from_static("public, max-age=3600");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, caching);
    Ok(response)
}
