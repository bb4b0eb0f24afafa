//! The shortest way: what memory answers in some microseconds needs no place in a queue, no deadline,
//! no task of its own and no span. It is counted and timed like every request.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::TraceId;
use metrics::{Counter, Histogram};
use proto::ticket::ListEventsRequest;

use super::{Face, Search, answer::Encoded, conditional};
use crate::app::App;

/// What can be answered like this; a list with a filter takes the usual way.
const LIST: &str = "/api/v1/events";
const EVENT: &str = "/api/v1/events/{id}";
const AVAILABILITY: &str = "/api/v1/events/{id}/availability";

/// None: the usual way.
pub fn answer(app: &App, request: &Request) -> Option<Response> {
    if request.method() != Method::GET {
        return None;
    }
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    let (uri, headers) = (request.uri(), request.headers());
    let (meter, mut response) = match route {
        LIST if uri.query().is_none_or(str::is_empty) => (&METERS[0], list(app, headers)?),
        EVENT => {
            let name = uri.path().strip_prefix(LIST)?.strip_prefix('/')?;
            let (face, response) = event(app, headers, name, |face| &face.event)?;
            app.views.shown(&face, &response);
            (&METERS[1], response)
        }
        AVAILABILITY => {
            let name = uri.path().strip_prefix(LIST)?.strip_prefix('/')?;
            let name = name.strip_suffix("/availability")?;
            (&METERS[2], event(app, headers, name, |face| &face.left)?.1)
        }
        _ => return None,
    };
    let trace = TraceId::from_headers(headers);
    let trace = trace.unwrap_or_else(|| TraceId::new(app.sources.bytes()));
    let head = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&trace.to_string()) {
        head.insert(crate::edge::REQUEST_ID, id);
    }
    meter.note(response.status(), started);
    Some(response)
}

fn list(app: &App, headers: &HeaderMap) -> Option<Response> {
    let everything = Search::read(&ListEventsRequest::default())?;
    let (found, age) = app.programme.list(&everything)?;
    Some(conditional(headers, &found.tag().ok()?, age, || {
        found.body()
    }))
}

fn event(
    app: &App,
    headers: &HeaderMap,
    name: &str,
    part: fn(&Face) -> &Encoded,
) -> Option<(Arc<Face>, Response)> {
    let (face, age) = app.programme.event(name)?;
    let part = part(&face);
    let response = conditional(headers, &part.tag, age, || part.body.clone());
    Some((face, response))
}

/// The same figures as of every other request (`observe`), looked up once.
struct Meter {
    duration: Histogram,
    sent: Counter,
    unchanged: Counter,
}

static METERS: LazyLock<[Meter; 3]> = LazyLock::new(|| [LIST, EVENT, AVAILABILITY].map(Meter::of));

impl Meter {
    fn of(route: &'static str) -> Self {
        let labels = [("method", "GET"), ("route", route)];
        let duration = metrics::histogram!("http_server_request_duration_seconds", &labels);
        let [method, route] = labels;
        let count = |status| {
            let labels = [method, route, ("status", status)];
            metrics::counter!("http_server_requests_total", &labels)
        };
        Self {
            duration,
            sent: count("200"),
            unchanged: count("304"),
        }
    }

    fn note(&self, status: StatusCode, started: Instant) {
        self.duration.record(started.elapsed());
        let counter = match status {
            StatusCode::NOT_MODIFIED => &self.unchanged,
            _ => &self.sent,
        };
        counter.increment(1);
    }
}
