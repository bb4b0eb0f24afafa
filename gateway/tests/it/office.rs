//! ticket-svc as a copy of the programme sees it: events, the list of changes, what is left. Closed
//! until a test opens it, so that other tests meet a gateway without a copy.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures::stream::{self, BoxStream, StreamExt as _};
use kit::Failure;
use proto::ticket::{
    EventAvailability, EventChange, ListEventChangesRequest, ListEventChangesResponse,
    ProgrammeEntry, ReadProgrammeRequest, ReadProgrammeResponse, TicketTypeAvailability,
    WatchAvailabilityResponse,
};
use time::OffsetDateTime;
use tokio::sync::watch;
use tonic::{Response, Status};

pub type Told = BoxStream<'static, Result<WatchAvailabilityResponse, Status>>;
type Reply<T> = Result<Response<T>, Status>;

/// A stream says something so often.
const BEAT: std::time::Duration = std::time::Duration::from_millis(100);

#[derive(Default)]
pub struct Office {
    state: Mutex<State>,
    /// Every event's state as the stream tells it; none while the office is closed.
    told: watch::Sender<Option<Vec<EventAvailability>>>,
    /// Reads, looks and streams that were asked for.
    pub asked: AtomicUsize,
    /// Reads of entries alone.
    pub read: AtomicUsize,
}

#[derive(Default)]
struct State {
    open: bool,
    entries: Vec<ProgrammeEntry>,
    changes: Vec<EventChange>,
}

impl Office {
    /// Answers from now on.
    pub fn open(&self, entries: Vec<ProgrammeEntry>) {
        let mut state = self.state.lock().unwrap();
        self.told
            .send_replace(Some(entries.iter().map(left).collect()));
        (state.open, state.entries) = (true, entries);
    }

    /// Nobody answers; open streams end.
    pub fn close(&self) {
        self.state.lock().unwrap().open = false;
        self.told.send_replace(None);
    }

    pub fn reopen(&self) {
        let entries = self.state.lock().unwrap().entries.clone();
        self.open(entries);
    }

    /// An event comes, changes, or (none) goes.
    pub fn change(&self, id: &str, entry: Option<ProgrammeEntry>) {
        let mut state = self.state.lock().unwrap();
        state.entries.retain(|old| id_of(old) != id);
        state.entries.extend(entry);
        let seq = 1 + state.changes.len() as i64;
        state.changes.push(EventChange {
            seq,
            event_id: id.to_owned(),
            change: "event.updated".to_owned(),
            ..EventChange::default()
        });
    }

    /// Another number of tickets is left of the first type of the first event.
    pub fn tell_left(&self, remaining: i64) {
        self.told.send_modify(|told| {
            told.as_mut().unwrap()[0].ticket_types[0].remaining = Some(remaining);
        });
    }

    pub fn read(&self, request: &ReadProgrammeRequest) -> Reply<ReadProgrammeResponse> {
        let state = self.asked()?;
        self.read.fetch_add(1, Ordering::SeqCst);
        let is_wanted = |entry: &&ProgrammeEntry| {
            let id = id_of(entry);
            let asked = request.event_ids.is_empty() || request.event_ids.iter().any(|x| x == id);
            asked && *id > *request.after_id
        };
        let mut entries: Vec<_> = state.entries.iter().filter(is_wanted).cloned().collect();
        entries.sort_by(|a, b| id_of(a).cmp(id_of(b)));
        let is_more = entries.len() > request.page_size as usize;
        entries.truncate(request.page_size as usize);
        let next = entries.last().filter(|_| is_more);
        Ok(Response::new(ReadProgrammeResponse {
            next_after_id: next.map_or_else(String::new, |entry| id_of(entry).to_owned()),
            entries,
            seq: state.changes.len() as i64,
            as_of: now(),
        }))
    }

    pub fn changes(&self, request: &ListEventChangesRequest) -> Reply<ListEventChangesResponse> {
        let state = self.asked()?;
        let later = |change: &&EventChange| change.seq > request.after_seq;
        Ok(Response::new(ListEventChangesResponse {
            changes: state.changes.iter().filter(later).cloned().collect(),
        }))
    }

    pub fn watch(&self) -> Reply<Told> {
        drop(self.asked()?);
        let mut told = self.told.subscribe();
        told.mark_changed();
        let messages = stream::unfold((told, Vec::new()), |(mut told, before)| async move {
            // Silence ends in a beat.
            let changed = tokio::time::timeout(BEAT, told.changed()).await;
            if changed.is_ok_and(|open| open.is_err()) {
                return None;
            }
            let now_told = told.borrow_and_update().clone()?;
            let events = if now_told == before {
                Vec::new()
            } else {
                now_told.clone()
            };
            let message = WatchAvailabilityResponse {
                events,
                as_of: now(),
            };
            Some((Ok(message), (told, now_told)))
        });
        Ok(Response::new(messages.boxed()))
    }

    fn asked(&self) -> Result<std::sync::MutexGuard<'_, State>, Status> {
        let state = self.state.lock().unwrap();
        if state.open {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Ok(state)
        } else {
            Err(Failure::unavailable("closed", BEAT).into())
        }
    }
}

fn now() -> Option<prost_types::Timestamp> {
    Some(proto::timestamp(OffsetDateTime::now_utc()))
}

fn id_of(entry: &ProgrammeEntry) -> &str {
    &entry.event.as_ref().unwrap().id
}

fn left(entry: &ProgrammeEntry) -> EventAvailability {
    let of_type = |kind: &proto::ticket::TicketType| TicketTypeAvailability {
        ticket_type_id: kind.id.clone(),
        remaining: kind.remaining,
        availability: kind.availability,
    };
    EventAvailability {
        event_id: id_of(entry).to_owned(),
        availability: entry.event.as_ref().unwrap().availability,
        ticket_types: entry.ticket_types.iter().map(of_type).collect(),
    }
}
