use axum::{extract::State, response::Response};
use minijinja::context;

use super::{reader::Reader, table::Says as _};
use crate::{app::Shared, problem::Problem, rest};

/// `GET /terms`: on which terms tickets are sold.
pub async fn terms(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
) -> Result<Response, Problem> {
    let terms = rest::get_terms(&app).await?;
    let values = context! { title => language.say("terms.title"), text => terms.text, version => terms.version };
    app.pages.render(language, "terms.html", values)
}
