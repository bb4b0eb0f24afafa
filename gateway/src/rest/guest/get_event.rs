use axum::{extract::State, response::Response};
use http::{HeaderMap, Method};

use crate::{
    app::Shared,
    extract::Path,
    problem::Problem,
    programme::{self, conditional},
    rest::{
        problems::{Absent, Faults},
        types::EventDetail,
    },
};

/// One concert with its ticket types and what is left of them.
///
/// `Age` says how old the answer may be, in seconds, while that cannot be found out.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "guest",
    params(
        ("id" = String, Path, description = "The concert's id or its slug"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of an answer before"),
    ),
    responses(
        (status = 200, body = EventDetail, headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "Nothing has changed"),
        Absent, Faults
    ))]
pub async fn get_event(
    State(app): State<Shared>,
    Path(id_or_slug): Path<String>,
    (method, headers): (Method, HeaderMap),
) -> Result<Response, Problem> {
    let (face, age) = programme::event(&app, &id_or_slug).await?;
    let body = || face.event.body.clone();
    let answer = conditional(&headers, &face.event.tag, age, body);
    if method == Method::GET {
        app.views.shown(&face, &answer);
    }
    Ok(answer)
}
