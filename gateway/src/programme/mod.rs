//! What guests look at most, answered from memory: a copy of the programme that follows ticket-svc,
//! with every answer encoded beforehand. A hit calls nobody and waits for nothing.
//!
//! `keep` follows the list of changes, `follow` what is left of each event; both write into the
//! `book`, and whatever they change is encoded anew. Readers see the result of the last change, whole.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kit::Failure;
use proto::ticket::{GetEventRequest, ProgrammeEntry};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{app::App, problem::Problem};

mod answer;
mod book;
mod face;
mod follow;
mod keep;
mod list;
pub mod quick;
mod search;
mod streams;

pub use answer::{Age, conditional, has, tag_of};
pub use face::Face;
pub use keep::start;
pub use list::{Found, Search};
pub use streams::{Place, Streams};

use book::Book;

/// Younger than this an answer is as good as ticket-svc's own, and says nothing of its age. Both ways
/// that changes come by say something each second.
const FRESH: Duration = Duration::from_secs(3);

/// The copy.
pub struct Programme {
    shown: watch::Sender<Arc<Shown>>,
    book: Mutex<Book>,
    seen: Seen,
    /// Older answers are none.
    stale_max: Duration,
    /// Somebody says that the list of changes has grown.
    pub nudge: Arc<Notify>,
}

/// All events, as they are found.
#[derive(Default)]
struct Shown {
    /// By date and id.
    rows: Vec<Row>,
    /// By id and by slug.
    by_name: HashMap<Box<str>, Arc<Cell>>,
}

/// An event in the list, with what a search looks at.
#[derive(Clone)]
struct Row {
    position: pages::Position,
    /// Folded: title, location and description.
    text: Arc<str>,
    /// Folded.
    location: Arc<str>,
    cell: Arc<Cell>,
}

/// Where the answers about one event stand. It outlives changes of the event, so that whoever
/// watches it sees them, and it closes when guests see the event no more.
struct Cell(watch::Sender<Arc<Face>>);

impl Cell {
    fn face(&self) -> Arc<Face> {
        self.0.borrow().clone()
    }

    /// Whoever watches hears of it only if it says something new: all of the programme is read again
    /// now and then.
    fn show(&self, face: Arc<Face>) {
        self.0.send_if_modified(|shown| {
            let is_new = shown.event.tag != face.event.tag;
            if is_new {
                *shown = face;
            }
            is_new
        });
    }
}

/// When the copy was last known to be right.
struct Seen {
    start: Instant,
    /// Milliseconds since the start and one; 0 means never.
    programme: AtomicU64,
    counts: AtomicU64,
}

impl Seen {
    fn note(of: &AtomicU64, start: Instant, at: Instant) {
        let millis = at.saturating_duration_since(start).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX - 1);
        of.fetch_max(millis + 1, Ordering::Relaxed);
    }

    fn age(&self, of: &AtomicU64) -> Option<Duration> {
        let millis = of.load(Ordering::Relaxed).checked_sub(1)?;
        let now = self.start.elapsed();
        Some(now.saturating_sub(Duration::from_millis(millis)))
    }
}

impl Programme {
    pub fn new(stale_max: Duration) -> Self {
        Self {
            shown: watch::Sender::default(),
            book: Mutex::default(),
            seen: Seen {
                start: Instant::now(),
                programme: AtomicU64::new(0),
                counts: AtomicU64::new(0),
            },
            stale_max,
            nudge: Arc::default(),
        }
    }

    /// An event by id or slug, with the age of what is said of it. None: ask ticket-svc.
    pub fn event(&self, name: &str) -> Option<(Arc<Face>, Age)> {
        let age = self.age()?;
        Some((self.cell(name)?.face(), age))
    }

    /// An event that is watched, beginning with what it is now. The end means that it is gone.
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<Arc<Face>>> {
        self.age()?;
        let mut faces = self.cell(name)?.0.subscribe();
        faces.mark_changed();
        Some(faces)
    }

    /// The events that fit. None: ask ticket-svc.
    pub fn list(&self, search: &Search) -> Option<(Found, Age)> {
        let age = self.age()?;
        let shown = self.shown.borrow().clone();
        Some((list::find(&shown.rows, search), age))
    }

    /// The age of what guests are shown, as far as that is known. Before the copy is whole it is
    /// the gateway's own.
    fn seconds_behind(&self) -> f64 {
        let never = || self.seen.start.elapsed();
        let programme = self.seen.age(&self.seen.programme);
        let counts = self.seen.age(&self.seen.counts);
        let age = programme.unwrap_or_else(never);
        age.max(counts.unwrap_or_else(never)).as_secs_f64()
    }

    /// How old the copy may be; none where it is too old to be shown, or not yet whole.
    pub fn age(&self) -> Option<Age> {
        let programme = self.seen.age(&self.seen.programme)?;
        let age = programme.max(self.seen.age(&self.seen.counts)?);
        (age <= self.stale_max).then_some(Age((age >= FRESH).then_some(age)))
    }

    fn cell(&self, name: &str) -> Option<Arc<Cell>> {
        self.shown.borrow().by_name.get(name).cloned()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list of changes was read to its end, which had not been asked for before `asked`.
    fn programme_is_right(&self, asked: Instant) {
        Seen::note(&self.seen.programme, self.seen.start, asked);
    }

    fn counts_are_right(&self, heard: Instant) {
        Seen::note(&self.seen.counts, self.seen.start, heard);
    }

    /// Changes the book, and shows what became of it.
    fn write(&self, change: impl FnOnce(&mut Book)) {
        let mut book = self.book();
        change(&mut book);
        if let Some(shown) = book.shown_anew() {
            self.shown.send_replace(Arc::new(shown));
        }
    }
}

/// An event by id or slug: from memory, or from ticket-svc where memory does not have it.
pub async fn event(app: &App, name: &str) -> Result<(Arc<Face>, Age), Problem> {
    if let Some(known) = app.programme.event(name) {
        return Ok(known);
    }
    let plausible = (1..=100).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // A text that can be neither names nothing.
    if !plausible {
        return Err(Failure::not_found("concert").into());
    }
    let request = GetEventRequest {
        id_or_slug: name.to_owned(),
    };
    let found = app.upstreams.catalog().get_event(request).await?;
    let found = found.into_inner();
    let entry = ProgrammeEntry {
        event: found.event,
        ticket_types: found.ticket_types,
    };
    let names = entry
        .event
        .as_ref()
        .map(|event| &event.payment_providers[..]);
    let providers = app.providers.of_event(app, names.unwrap_or_default()).await;
    Ok((Arc::new(Face::new(entry, providers)?), Age(None)))
}
