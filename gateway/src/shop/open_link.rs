use axum::{extract::State, response::Response};
use base::OrderId;
use kit::Failure;

use super::page::{see_other, with_cookie};
use crate::{
    app::Shared,
    cookies::{self, Kind},
    extract::{Access, Path},
    problem::Problem,
    rest,
};

/// `GET /o/{id}/{secret}`: the link in the mail. The secret goes into a cookie, so that it stays
/// in no address bar and no Referer.
pub async fn open_link(
    State(app): State<Shared>,
    Path((id, secret)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let absent = || Problem::from(Failure::not_found("order"));
    let id: OrderId = id.parse().map_err(|_| absent())?;
    let cookie = cookies::set(&app.public_url, Kind::Order, &id.to_string(), &secret);
    let cookie = cookie.ok_or_else(absent)?;
    rest::get_order(&app, &Access { id, secret }, false).await?;
    Ok(with_cookie(
        see_other(&format!("/orders/{id}"))?,
        Some(cookie),
    ))
}
