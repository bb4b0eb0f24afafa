use axum::{extract::State, response::Response};
use minijinja::context;

use crate::{app::Shared, problem::Problem, rest};

/// `GET /terms`: on which terms tickets are sold.
pub async fn terms(State(app): State<Shared>) -> Result<Response, Problem> {
    let terms = rest::get_terms(&app).await?;
    let values = context! { title => "Terms", text => terms.text, version => terms.version };
    app.pages.render("terms.html", values)
}
