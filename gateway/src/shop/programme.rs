use axum::{extract::State, response::Response};
use base::{Language, Zone};
use minijinja::{Value, context};
use proto::ticket::ListEventsRequest;
use serde::Deserialize;
use time::{Date, Duration, OffsetDateTime, macros::format_description};

use super::{reader::Reader, table::Says as _, words};
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
/// No clock on earth is further from UTC.
const ZONES_AHEAD: Duration = Duration::hours(14);
const ZONES_BEHIND: Duration = Duration::hours(12);

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Search {
    q: String,
    /// Days, by the clocks of the concerts' own places; the last is part of it.
    from: String,
    to: String,
    place: String,
    page: String,
}

/// A field with a date in it.
enum Day {
    Any,
    On(Date),
    Wrong,
}

impl Day {
    fn read(text: &str) -> Self {
        let form = format_description!("[year]-[month]-[day]");
        match (text, Date::parse(text, &form)) {
            ("", _) => Self::Any,
            // Years beyond these cannot be reckoned with.
            (_, Ok(date)) if (1970..=9998).contains(&date.year()) => Self::On(date),
            _ => Self::Wrong,
        }
    }

    fn date(&self) -> Option<Date> {
        match self {
            Self::On(date) => Some(*date),
            Self::Any | Self::Wrong => None,
        }
    }
}

/// `GET /`: the programme, with a search.
pub async fn programme(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    Query(search): Query<Search>,
) -> Result<Response, Problem> {
    let days = (Day::read(&search.from), Day::read(&search.to));
    let (from, to) = (days.0.date(), days.1.date());
    let begin = from.map(|date| date.midnight().assume_utc() - ZONES_AHEAD);
    let end = to.map(|date| date.midnight().assume_utc() + Duration::DAY + ZONES_BEHIND);
    let listed = app.sources.now() - LISTED_AFTER_BEGIN;
    let request = ListEventsRequest {
        query: search.q.clone(),
        location: search.place.clone(),
        from: Some(proto::timestamp(
            begin.map_or(listed, |from| from.max(listed)),
        )),
        to: end.map(proto::timestamp),
        page_size: PAGE_SIZE,
        page_token: search.page.clone(),
    };
    let is_wanted = |event: &Event| {
        let day = day_of(event.date_time, &event.timezone);
        from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to)
    };
    let (cards, next) = find(&app, language, request, is_wanted).await?;
    let field = |text: &String, day: &Day| {
        let rule = matches!(day, Day::Wrong).then(|| language.say("programme.date_wrong"));
        context! { value => text, rule }
    };
    let next_page = (!next.is_empty()).then(|| query(&search, &next));
    let same = query(&search, &search.page);
    // What was searched for is no page of its own for search engines.
    let url = same.is_empty().then(|| app.public_url.join("/"));
    let values = context! {
        q => &search.q,
        place => &search.place,
        from => field(&search.from, &days.0),
        to => field(&search.to, &days.1),
        is_filtered => [&search.from, &search.to, &search.place].iter().any(|text| !text.is_empty()),
        first_page => search.page.is_empty(),
        next_page,
        switch => match same.as_str() {
            "" => "/?".to_owned(),
            same => format!("/?{same}&"),
        },
        url,
        events => cards,
    };
    app.pages.render(language, "programme.html", values)
}

/// By the clock of the place.
fn day_of(at: OffsetDateTime, zone: &str) -> Date {
    let local = zone.parse::<Zone>().map_or(at, |zone| zone.to_local(at));
    local.date()
}

/// Pages that are looked through for the first card: a range of days is asked for with a day more at each end, and those of
/// the days beside it may fill a page.
const PAGES_MAX: usize = 10;

/// The cards of a page, and the token of the next one.
async fn find(
    app: &App,
    language: Language,
    mut request: ListEventsRequest,
    is_wanted: impl Fn(&Event) -> bool,
) -> Result<(Vec<Value>, String), Problem> {
    for _ in 1..PAGES_MAX {
        let (cards, next) = page(app, language, request.clone(), &is_wanted).await?;
        if !cards.is_empty() || next.is_empty() {
            return Ok((cards, next));
        }
        request.page_token = next;
    }
    page(app, language, request, &is_wanted).await
}

/// One page of ticket-svc: from memory, or from ticket-svc where memory
/// does not have them.
async fn page(
    app: &App,
    language: Language,
    request: ListEventsRequest,
    is_wanted: impl Fn(&Event) -> bool,
) -> Result<(Vec<Value>, String), Problem> {
    let known = programme::Search::read(&request).and_then(|search| app.programme.list(&search));
    if let Some((found, _)) = known {
        let events = found.events.iter().map(|face| &face.detail.event);
        let cards = events
            .filter(|event| is_wanted(event))
            .map(|event| card(language, event));
        return Ok((cards.collect(), found.next_page_token));
    }
    let found = app.upstreams.catalog().list_events(request).await?;
    let found = found.into_inner();
    let events: Vec<Event> = all(found.events)?;
    let wanted = events.iter().filter(|event| is_wanted(event));
    let cards = wanted.map(|event| card(language, event)).collect();
    Ok((cards, found.next_page_token))
}

/// The query of a page of the same search.
fn query(search: &Search, page: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let parts = [
        ("q", &search.q),
        ("from", &search.from),
        ("to", &search.to),
        ("place", &search.place),
    ];
    for (name, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        query.append_pair(name, text);
    }
    if !page.is_empty() {
        query.append_pair("page", page);
    }
    query.finish()
}

fn card(language: Language, event: &Event) -> Value {
    context! {
        slug => &event.slug,
        title => &event.title,
        location => &event.location,
        when => words::when(language, event.date_time, &event.timezone),
        machine_time => words::machine_time(event.date_time),
        price_from => event.price_from.as_ref().map(|money| words::price_from(language, money)),
        availability => words::availability(language, event.availability),
        availability_word => words::word(event.availability),
        image => event.image.as_ref().map(words::picture),
    }
}
