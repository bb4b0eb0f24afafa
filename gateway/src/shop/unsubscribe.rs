//! The link that ends every message but receipts. Opening it changes nothing: mail programs and their
//! guards open links by themselves. A post does it at once, the page's own and the one click of RFC 8058.

use axum::{extract::State, response::Response};
use base::OrderId;
use kit::Failure;
use minijinja::context;

use super::{reader::Reader, table::Says as _};
use crate::{app::Shared, cookies::is_cookie_value, extract::Path, problem::Problem, rest};

/// `GET /u/{id}/{token}`: asks.
pub async fn ask(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    Path((id, token)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = known(&id, &token)?.to_string();
    let values = context! { title => language.say("unsubscribe.ask"), id, token };
    app.pages.render(language, "unsubscribe.html", values)
}

/// `POST /u/{id}/{token}`: does it. Whatever the body says.
pub async fn unsubscribe(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    Path((id, token)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = known(&id, &token)?;
    rest::unsubscribe(&app, id, token).await?;
    let values = context! { title => language.say("unsubscribe.do"), done => true };
    app.pages.render(language, "unsubscribe.html", values)
}

/// What may stand in a link of ours; whether it is right, the service says.
fn known(id: &str, token: &str) -> Result<OrderId, Problem> {
    let absent = || Problem::from(Failure::not_found("order"));
    if !is_cookie_value(token) {
        return Err(absent());
    }
    id.parse().map_err(|_| absent())
}
