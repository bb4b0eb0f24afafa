use axum::{
    extract::State,
    response::{Html, IntoResponse as _, Response},
};
use bytes::Bytes;
use http::StatusCode;
use kit::Failure;
use minijinja::{Value, context};

use super::words;
use crate::{
    app::{App, Shared},
    extract::{Form, Path},
    problem::Problem,
    programme::{self, Age},
    rest::types::{Availability, EventDetail, TicketType},
};

/// A field `q_<ticket type>` of the form says how many.
pub const QUANTITY_PREFIX: &str = "q_";
/// Longer lists of quantities help nobody; the hold itself knows the real limit.
const QUANTITY_MAX: u32 = 20;

/// `GET /events/{slug}`: one concert and its tickets.
pub async fn event(
    State(app): State<Shared>,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let (face, age) = programme::event(&app, &slug).await?;
    // A new intent per page; sending the same form twice is one hold.
    let key = app.sources.token();
    if let (Some([before, after]), Age(None)) = (face.page.get(), age) {
        return Ok(Html([before, key.as_bytes(), after].concat()).into_response());
    }
    let values = view(&face.detail, age, &key, None);
    let text = app.pages.text("event.html", values);
    let text = text.map_err(Failure::internal)?;
    if let (Some((before, after)), Age(None)) = (text.split_once(&key), age) {
        let parts = [before, after].map(|part| Bytes::copy_from_slice(part.as_bytes()));
        // Another guest's page may have been first; it is the same.
        drop(face.page.set(parts));
    }
    Ok(Html(text).into_response())
}

/// The page again after a refusal, with what was chosen.
pub async fn again(
    app: &App,
    slug: String,
    form: &Form,
    (status, notice): (StatusCode, String),
) -> Result<Response, Problem> {
    let (face, age) = programme::event(app, &slug).await?;
    let key = app.sources.token();
    let values = view(&face.detail, age, &key, Some((form, notice)));
    app.pages.refuse(status, "event.html", values)
}

fn view(detail: &EventDetail, age: Age, key: &str, refused: Option<(&Form, String)>) -> Value {
    let (event, kinds) = (&detail.event, &detail.ticket_types);
    let (form, notice) = refused.unzip();
    let offers: Vec<Value> = kinds
        .iter()
        .map(|kind| offer(kind, &event.timezone, form))
        .collect();
    context! {
        id => &event.id,
        slug => &event.slug,
        title => &event.title,
        description => &event.description,
        location => &event.location,
        when => words::when(event.date_time, &event.timezone),
        when_before => event.previous_date_time.map(|at| words::when(at, &event.timezone)),
        machine_time => words::machine_time(event.date_time),
        availability => words::availability(event.availability),
        availability_word => words::word(event.availability),
        cancellation => event.cancellation.as_ref().map(words::cancellation),
        can_buy => kinds.iter().any(|kind| !quantities(kind).is_empty()),
        offers,
        notice,
        old => age.secs().map(words::old),
        key,
    }
}

fn offer(kind: &TicketType, zone: &str, form: Option<&Form>) -> Value {
    let name = format!("{QUANTITY_PREFIX}{}", kind.id);
    let quantities = quantities(kind);
    let too_few = kind.availability == Availability::OnSale && quantities.is_empty();
    let chosen = form.map_or("0", |form| form.text(&name)).to_owned();
    context! {
        id => &kind.id,
        name,
        category => &kind.category,
        price => words::price(&kind.price),
        fee => words::fee(&kind.fee),
        text => if too_few { words::TOO_FEW.to_owned() } else { words::offer(kind, zone) },
        availability_word => words::word(kind.availability),
        // What an order takes, for the script that follows what is left.
        min => kind.min_per_order.max(1),
        max => most(kind),
        quantities,
        chosen,
    }
}

/// What an order may take of it now; nothing where it is not on sale, or where less is left than
/// an order takes.
fn quantities(kind: &TicketType) -> Vec<u32> {
    let left = match kind.availability {
        Availability::OnSale => kind.remaining.map(|left| u32::try_from(left).unwrap_or(0)),
        _ => Some(0),
    };
    let most = most(kind).min(left.unwrap_or(QUANTITY_MAX));
    (kind.min_per_order.max(1)..=most).collect()
}

/// What one order may take at most.
fn most(kind: &TicketType) -> u32 {
    let per_guest = kind.max_per_guest.unwrap_or(QUANTITY_MAX);
    kind.max_per_order.min(per_guest).min(QUANTITY_MAX)
}
