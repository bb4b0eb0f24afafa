use axum::{extract::State, response::Response};
use http::StatusCode;
use minijinja::{Value, context};

use super::words;
use crate::{
    app::{App, Shared},
    extract::{Form, Path},
    problem::Problem,
    rest::{
        self,
        types::{Availability, Event, TicketType, all, broken},
    },
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
    let values = view(&app, slug, None, None).await?;
    app.pages.render("event.html", values)
}

/// The page again after a refusal, with what was chosen.
pub async fn again(
    app: &App,
    slug: String,
    form: &Form,
    (status, notice): (StatusCode, String),
) -> Result<Response, Problem> {
    let values = view(app, slug, Some(form), Some(notice)).await?;
    app.pages.refuse(status, "event.html", values)
}

async fn view(
    app: &App,
    slug: String,
    form: Option<&Form>,
    notice: Option<String>,
) -> Result<Value, Problem> {
    let found = rest::get_event(app, slug).await?;
    let event: Event = found.event.ok_or_else(|| broken("event"))?.try_into()?;
    let kinds: Vec<TicketType> = all(found.ticket_types)?;
    let offers: Vec<Value> = kinds
        .iter()
        .map(|kind| offer(kind, &event.timezone, form))
        .collect();
    Ok(context! {
        id => &event.id,
        slug => &event.slug,
        title => &event.title,
        description => &event.description,
        location => &event.location,
        when => words::when(event.date_time, &event.timezone),
        machine_time => words::machine_time(event.date_time),
        availability => words::availability(event.availability),
        availability_word => words::word(event.availability),
        can_buy => kinds.iter().any(|kind| !quantities(kind).is_empty()),
        offers,
        notice,
        // A new intent per page; sending the same form twice is one hold.
        key => app.sources.token(),
    })
}

fn offer(kind: &TicketType, zone: &str, form: Option<&Form>) -> Value {
    let name = format!("{QUANTITY_PREFIX}{}", kind.id);
    let quantities = quantities(kind);
    let too_few = kind.availability == Availability::OnSale && quantities.is_empty();
    let chosen = form.map_or("0", |form| form.text(&name)).to_owned();
    context! {
        name,
        category => &kind.category,
        price => words::price(&kind.price),
        fee => words::fee(&kind.fee),
        text => if too_few { words::TOO_FEW.to_owned() } else { words::offer(kind, zone) },
        availability_word => words::word(kind.availability),
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
    let most = kind
        .max_per_order
        .min(left.unwrap_or(QUANTITY_MAX))
        .min(QUANTITY_MAX);
    (kind.min_per_order.max(1)..=most).collect()
}
