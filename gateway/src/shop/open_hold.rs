use axum::{extract::State, response::Response};
use base::HoldId;
use kit::Failure;

use super::page::{see_other, with_cookie};
use crate::{
    app::Shared,
    cookies::{self, Kind},
    extract::{Access, Path},
    problem::Problem,
    rest,
};

/// `GET /h/{id}/{secret}`: the link that the checkout shows for another device. The secret goes into
/// a cookie, as an order's does.
pub async fn open_hold(
    State(app): State<Shared>,
    Path((id, secret)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let absent = || Problem::from(Failure::not_found("hold"));
    let id: HoldId = id.parse().map_err(|_| absent())?;
    let cookie = cookies::set(&app.public_url, Kind::Hold, &id.to_string(), &secret);
    let cookie = cookie.ok_or_else(absent)?;
    rest::get_hold(&app, Access { id, secret }).await?;
    let response = see_other(&format!("/checkout/{id}"))?;
    Ok(with_cookie(response, Some(cookie)))
}
