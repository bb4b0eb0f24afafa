use axum::{extract::State, response::Response};
use minijinja::{Value, context};
use proto::ticket::ListEventsRequest;
use serde::Deserialize;
use time::Duration;

use super::words;
use crate::{
    app::{App, Shared},
    extract::Query,
    problem::Problem,
    programme,
    rest::types::{Event, all},
};

const PAGE_SIZE: u32 = 20;
/// A concert stays in the programme through its own night.
const LISTED_AFTER_BEGIN: Duration = Duration::hours(12);

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Search {
    q: String,
    page: String,
}

/// `GET /`: the programme, with a search.
pub async fn programme(
    State(app): State<Shared>,
    Query(search): Query<Search>,
) -> Result<Response, Problem> {
    let request = ListEventsRequest {
        query: search.q.clone(),
        from: Some(proto::timestamp(app.sources.now() - LISTED_AFTER_BEGIN)),
        page_size: PAGE_SIZE,
        page_token: search.page.clone(),
        ..ListEventsRequest::default()
    };
    let (cards, next) = find(&app, request).await?;
    let values = context! {
        q => &search.q,
        first_page => search.page.is_empty(),
        next_page => next_page(&search.q, &next),
        events => cards,
    };
    app.pages.render("programme.html", values)
}

/// The cards of a page and the token of the next one: from memory, or from ticket-svc where memory
/// does not have them.
async fn find(app: &App, request: ListEventsRequest) -> Result<(Vec<Value>, String), Problem> {
    let known = programme::Search::read(&request).and_then(|search| app.programme.list(&search));
    if let Some((found, _)) = known {
        let cards = found.events.iter().map(|face| card(&face.detail.event));
        return Ok((cards.collect(), found.next_page_token));
    }
    let found = app.upstreams.catalog().list_events(request).await?;
    let found = found.into_inner();
    let events: Vec<Event> = all(found.events)?;
    Ok((events.iter().map(card).collect(), found.next_page_token))
}

/// The query of the next page; none after the last.
fn next_page(q: &str, token: &str) -> Option<String> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("q", q).append_pair("page", token);
    (!token.is_empty()).then(|| query.finish())
}

fn card(event: &Event) -> Value {
    context! {
        slug => &event.slug,
        title => &event.title,
        location => &event.location,
        when => words::when(event.date_time, &event.timezone),
        machine_time => words::machine_time(event.date_time),
        price_from => event.price_from.as_ref().map(words::price_from),
        availability => words::availability(event.availability),
        availability_word => words::word(event.availability),
    }
}
