//! A ticket that was handed on: its link, and its page.

use axum::{extract::State, response::Response};
use base::TransferId;
use kit::Failure;
use minijinja::context;

use super::{
    page::{see_other, with_cookie},
    qr,
    reader::Reader,
    table::Says as _,
    words,
};
use crate::{
    app::Shared,
    cookies::{self, Kind},
    extract::{Access, Path},
    problem::Problem,
    rest,
};

/// `GET /t/{id}/{secret}`: the link in the mail. The secret goes into a cookie, as an order's does.
pub async fn open(
    State(app): State<Shared>,
    Path((id, secret)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let absent = || Problem::from(Failure::not_found("ticket"));
    let id: TransferId = id.parse().map_err(|_| absent())?;
    let cookie = cookies::set(&app.public_url, Kind::Ticket, &id.to_string(), &secret);
    let cookie = cookie.ok_or_else(absent)?;
    rest::get_transferred_ticket(&app, &Access { id, secret }).await?;
    let response = see_other(&format!("/tickets/{id}"))?;
    Ok(with_cookie(response, Some(cookie)))
}

/// `GET /tickets/{id}`: the ticket of whoever it was handed on to.
pub async fn ticket(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    access: Access<TransferId>,
) -> Result<Response, Problem> {
    let ticket = rest::get_transferred_ticket(&app, &access).await?;
    let symbol = qr::symbol(&ticket.code).map_err(Failure::internal)?;
    let event = &ticket.event;
    let values = context! {
        title => language.say("ticket.title"),
        id => access.id.to_string(),
        number => &ticket.number,
        name => &ticket.name,
        category => &ticket.category,
        code => &ticket.code,
        symbol,
        event => context! {
            title => &event.title,
            slug => &event.slug,
            location => &event.location,
            when => event.date_time.map(|at| words::when(language, at, &event.timezone)),
        },
        seller => ticket.seller.as_ref().map(words::seller),
    };
    app.pages.render(language, "ticket.html", values)
}
