//! Server-Sent Events. Guests who watch one concert share the bytes of each message; one who reads
//! slowly gets the newest state next, never a queue of old ones.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use kit::{Failure, Shutdown};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    app::{App, Shared},
    extract::{Asker, Path},
    problem::Problem,
    programme::{self, Face, Place},
    rest::problems::{Absent, Faults},
};

/// Between two states; what happens meanwhile is one change.
const GAP: Duration = Duration::from_millis(100);
/// Tells who listens, and every proxy between, that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether what was told still holds.
const LOOK: Duration = Duration::from_secs(1);
/// Who loses a stream comes again after a time of their own, so that not all come at once.
const RETRY_MIN_MS: u64 = 1_000;
const RETRY_SPREAD_MS: u64 = 16;

/// What is left of a concert, now and whenever it changes, as Server-Sent Events.
///
/// `availability` has the body of `GET …/availability`; `unsure` says that what was told may be old
/// (`age_secs`), until the next `availability`; `gone` is the last one where the concert is no longer
/// in the programme. The stream ends when the server stops: connect again.
#[utoipa::path(get, path = "/api/v1/events/{id}/availability/stream", tag = "guest",
    params(("id" = String, Path, description = "The concert's id or its slug")),
    responses((status = 200, content_type = "text/event-stream", body = String), Absent, Faults))]
pub async fn stream_availability(
    State(app): State<Shared>,
    asker: Asker,
    Path(id_or_slug): Path<String>,
) -> Result<Response, Problem> {
    let Some(faces) = app.programme.watch(&id_or_slug) else {
        // What does not exist is told as always; what does cannot be watched just now.
        programme::event(&app, &id_or_slug).await?;
        let detail = "This cannot be watched at the moment. Ask now and then instead.";
        return Err(Failure::unavailable(detail, LOOK).into());
    };
    let place = app.streams.enter(asker.network)?;
    let watcher = Watcher {
        closing: app.closing.clone(),
        first: Some(retry_ms(&app)),
        app,
        faces,
        sure: true,
        ended: false,
        spoke: Instant::now(),
        told: Instant::now().checked_sub(GAP),
        _place: place,
    };
    let messages = stream::unfold(watcher, |mut watcher| async move {
        let message = watcher.next().await?;
        Some((Ok::<_, Infallible>(message), watcher))
    });
    Ok(event_stream(Body::from_stream(messages), "no-cache"))
}

/// When to come again.
pub(super) fn retry_ms(app: &App) -> u64 {
    let [dice] = app.sources.bytes::<1>();
    RETRY_MIN_MS + u64::from(dice) * RETRY_SPREAD_MS
}

/// An answer that goes on.
pub(super) fn event_stream(body: Body, caching: &'static str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, caching),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // nginx and others keep small answers back otherwise.
    let unbuffered = http::HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// One guest who watches.
struct Watcher {
    app: Shared,
    closing: Shutdown,
    faces: watch::Receiver<Arc<Face>>,
    /// Whether the guest believes what was told.
    sure: bool,
    /// Until the first message: when to come again, in milliseconds.
    first: Option<u64>,
    ended: bool,
    spoke: Instant,
    /// When the last state was told.
    told: Option<Instant>,
    _place: Place,
}

impl Watcher {
    /// None: the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let message = self.wait().await;
        self.spoke = Instant::now();
        // The last state stays in memory, so the first message comes at once.
        Some(match self.first.take() {
            Some(retry) => [format!("retry: {retry}\n").as_bytes(), &message]
                .concat()
                .into(),
            None => message,
        })
    }

    async fn wait(&mut self) -> Bytes {
        let closing = self.closing.clone();
        let mut closing = pin!(closing.begun());
        if let Some(told) = self.told {
            tokio::select! {
                () = &mut closing => return self.end("reconnect"),
                () = tokio::time::sleep_until(told + GAP) => {}
            }
        }
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut closing => return self.end("reconnect"),
                changed = self.faces.changed() => {
                    if changed.is_err() {
                        return self.end("gone");
                    }
                    return self.tell();
                }
                _ = looks.tick() => {}
            }
            let age = self.app.programme.age().map(programme::Age::secs);
            match age {
                // Sure again, and nothing has changed meanwhile.
                Some(None) if !self.sure => return self.tell(),
                Some(None) => {}
                unsure if self.sure => {
                    self.sure = false;
                    let secs = unsure
                        .flatten()
                        .map_or("null".to_owned(), |s| s.to_string());
                    return format!("event: unsure\ndata: {{\"age_secs\":{secs}}}\n\n").into();
                }
                _ => {}
            }
            if self.spoke.elapsed() >= HEARTBEAT {
                return Bytes::from_static(b": \n\n");
            }
        }
    }

    /// The state now.
    fn tell(&mut self) -> Bytes {
        self.told = Some(Instant::now());
        self.sure = true;
        self.faces.borrow_and_update().message.clone()
    }

    fn end(&mut self, event: &str) -> Bytes {
        self.ended = true;
        format!("event: {event}\ndata: {{}}\n\n").into()
    }
}
