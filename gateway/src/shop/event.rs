use axum::{
    extract::State,
    response::{Html, IntoResponse as _, Response},
};
use base::Language;
use bytes::Bytes;
use http::{Method, StatusCode};
use kit::Failure;
use minijinja::{Value, context};

use super::{linked_data, reader::Reader, table::Says as _, words};
use crate::{
    app::{App, Shared},
    extract::{Form, Path},
    problem::Problem,
    programme::{self, Age},
    rest::types::{Availability, EventDetail, EventImage, TicketType},
};

/// A field `q_<ticket type>` of the form says how many.
pub const QUANTITY_PREFIX: &str = "q_";
/// Longer lists of quantities help nobody; the hold itself knows the real limit.
const QUANTITY_MAX: u32 = 20;

/// `GET /events/{slug}`: one concert and its tickets.
pub async fn event(
    State(app): State<Shared>,
    method: Method,
    Reader { language, .. }: Reader,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let (face, age) = programme::event(&app, &slug).await?;
    // A new intent per page; sending the same form twice is one hold.
    let key = app.sources.token();
    let note = || {
        if method == Method::GET {
            app.views.note(&face.detail.event.id);
        }
    };
    if let (Some([before, after]), Age(None)) = (face.pages[language as usize].get(), age) {
        note();
        return Ok(Html([before, key.as_bytes(), after].concat()).into_response());
    }
    let values = view(&app, language, (&face.detail, age), (&key, None));
    let text = app.pages.text(language, "event.html", values);
    let text = text.map_err(Failure::internal)?;
    note();
    if let (Some((before, after)), Age(None)) = (text.split_once(&key), age) {
        let parts = [before, after].map(|part| Bytes::copy_from_slice(part.as_bytes()));
        // Another guest's page may have been first; it is the same.
        drop(face.pages[language as usize].set(parts));
    }
    Ok(Html(text).into_response())
}

/// The page again after a refusal, with what was chosen.
pub async fn again(
    app: &App,
    language: Language,
    slug: String,
    (form, (status, notice)): (&Form, (StatusCode, String)),
) -> Result<Response, Problem> {
    let (face, age) = programme::event(app, &slug).await?;
    let key = app.sources.token();
    let values = view(
        app,
        language,
        (&face.detail, age),
        (&key, Some((form, notice))),
    );
    app.pages.refuse(status, language, "event.html", values)
}

pub fn view(
    app: &App,
    language: Language,
    (detail, age): (&EventDetail, Age),
    (key, refused): (&str, Option<(&Form, String)>),
) -> Value {
    let (event, kinds) = (&detail.event, &detail.ticket_types);
    let (form, notice) = refused.unzip();
    let offers: Vec<Value> = kinds
        .iter()
        .map(|kind| offer(language, kind, &event.timezone, form))
        .collect();
    let url = app.public_url.join(&format!("/events/{}", event.slug));
    let when = words::when(language, event.date_time, &event.timezone);
    let otherwise = format!("{when} · {}", event.location);
    context! {
        summary => linked_data::summary(&event.description, otherwise),
        linked_data => linked_data::of(detail, &app.public_url),
        og_locale => og_locale(language),
        url,
        live_words => words::live(language),
        id => &event.id,
        slug => &event.slug,
        title => &event.title,
        description => &event.description,
        location => &event.location,
        when,
        when_before => event.previous_date_time.map(|at| words::when(language, at, &event.timezone)),
        machine_time => words::machine_time(event.date_time),
        availability => words::availability(language, event.availability),
        availability_word => words::word(event.availability),
        cancellation => event.cancellation.as_ref().map(|rule| words::cancellation(language, rule)),
        image => event.image.as_ref().map(|image| picture(app, image)),
        can_buy => kinds.iter().any(|kind| !quantities(kind).is_empty()),
        offers,
        notice,
        old => age.secs().map(|secs| words::old(language, secs)),
        key,
    }
}

/// With what other sites read, which ask for whole addresses.
fn picture(app: &App, image: &EventImage) -> Value {
    let (share_width, share_height) = EventImage::share_size();
    context! {
        share_url => app.public_url.join(&image.share_url),
        share_width,
        share_height,
        ..words::picture(image)
    }
}

/// As the Open Graph protocol names it.
fn og_locale(language: Language) -> &'static str {
    match language {
        Language::En => "en_GB",
        Language::De => "de_DE",
        Language::Fr => "fr_FR",
    }
}

fn offer(language: Language, kind: &TicketType, zone: &str, form: Option<&Form>) -> Value {
    let name = format!("{QUANTITY_PREFIX}{}", kind.id);
    let quantities = quantities(kind);
    let too_few = kind.availability == Availability::OnSale && quantities.is_empty();
    let text = match too_few {
        true => language.say("offer.too_few").to_owned(),
        false => words::offer(language, kind, zone),
    };
    let not_yet = (kind.availability == Availability::NotYet).then_some(());
    let chosen = form.map_or("0", |form| form.text(&name)).to_owned();
    context! {
        id => &kind.id,
        name,
        category => &kind.category,
        price => words::price(language, &kind.price),
        fee => words::fee(language, &kind.fee),
        text,
        // The script counts down to it.
        opens => not_yet.and(kind.sales_start).map(words::machine_time),
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
