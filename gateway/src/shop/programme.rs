use axum::{extract::State, response::Response};
use minijinja::{Value, context};
use proto::ticket::ListEventsRequest;
use serde::Deserialize;
use time::Duration;

use super::words;
use crate::{app::Shared, extract::Query, problem::Problem, rest::types::Event};

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
    let found = app
        .upstreams
        .catalog()
        .list_events(request)
        .await?
        .into_inner();
    let events: Vec<Event> = found
        .events
        .into_iter()
        .map(Event::try_from)
        .collect::<Result<_, _>>()?;
    let values = context! {
        q => &search.q,
        first_page => search.page.is_empty(),
        next_page => next_page(&search.q, &found.next_page_token),
        events => events.iter().map(card).collect::<Vec<_>>(),
    };
    app.pages.render("programme.html", values)
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
