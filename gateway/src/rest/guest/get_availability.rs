use axum::{extract::State, response::Response};
use http::HeaderMap;

use crate::{
    app::Shared,
    extract::Path,
    problem::Problem,
    programme::{self, conditional},
    rest::{
        problems::{Absent, Faults},
        types::Left,
    },
};

/// What is left, in as few bytes as possible.
///
/// It informs; only a hold decides. `Age` says how old the answer may be, in seconds, while that
/// cannot be found out.
#[utoipa::path(get, path = "/api/v1/events/{id}/availability", tag = "guest",
    params(
        ("id" = String, Path, description = "The concert's id or its slug"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of an answer before"),
    ),
    responses(
        (status = 200, body = Left, headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "Nothing has changed"),
        Absent, Faults
    ))]
pub async fn get_availability(
    State(app): State<Shared>,
    Path(id_or_slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (face, age) = programme::event(&app, &id_or_slug).await?;
    let body = || face.left.body.clone();
    Ok(conditional(&headers, &face.left.tag, age, body))
}
