//! What is left of every event: first everything, then what changes, and a beat where nothing does.
//! A watcher that hears nothing for some beats knows that what it has may be old.

use std::{sync::Arc, time::Duration};

use futures::stream::{self, BoxStream, StreamExt as _};
use kit::Shutdown;
use proto::ticket::{EventAvailability, WatchAvailabilityResponse};
use tokio::{sync::watch, time::Instant};
use tonic::Status;

use crate::{
    app::App,
    availability::{Board, Told},
};

/// A watcher hears something at least so often, while there is a database.
const BEAT: Duration = Duration::from_secs(1);
/// Of one message; the first state of a large programme takes several.
const EVENTS_PER_MESSAGE: usize = 250;

pub(in crate::rpc) type Changes = BoxStream<'static, Result<WatchAvailabilityResponse, Status>>;

pub(in crate::rpc) fn watch_availability(app: &App) -> Changes {
    let watcher = Watcher {
        looks: app.availability.watch(),
        board: app.availability.clone(),
        closing: app.closing.clone(),
        turn: 0,
        spoke: None,
    };
    let told = stream::unfold(watcher, |mut watcher| async move {
        let messages = watcher.next().await?;
        Some((stream::iter(messages), watcher))
    });
    told.flatten().map(Ok).boxed()
}

struct Watcher {
    board: Arc<Board>,
    looks: watch::Receiver<Option<Told>>,
    closing: Shutdown,
    /// All news up to it were told.
    turn: u64,
    spoke: Option<Instant>,
}

impl Watcher {
    /// What to say next; none when the service stops.
    async fn next(&mut self) -> Option<Vec<WatchAvailabilityResponse>> {
        loop {
            tokio::select! {
                () = self.closing.begun() => return None,
                looked = self.looks.changed() => looked.ok()?,
            }
            // Copied out: the guard must not be held while anything waits.
            let told = *self.looks.borrow_and_update();
            let Some(told) = told else { continue };
            let is_beat = self.spoke.is_none_or(|spoke| spoke.elapsed() >= BEAT);
            if told.turn <= self.turn && !is_beat {
                continue;
            }
            // What comes in meanwhile is told again with the next look.
            let news = self.board.since(self.turn);
            self.turn = told.turn;
            self.spoke = Some(Instant::now());
            return Some(messages(news, told));
        }
    }
}

/// Only the last of them says up to when everything is told.
fn messages(news: Vec<EventAvailability>, told: Told) -> Vec<WatchAvailabilityResponse> {
    let of = |events: &[EventAvailability]| WatchAvailabilityResponse {
        events: events.to_vec(),
        as_of: None,
    };
    let mut messages: Vec<_> = news.chunks(EVENTS_PER_MESSAGE).map(of).collect();
    if messages.is_empty() {
        messages.push(WatchAvailabilityResponse::default());
    }
    if let Some(last) = messages.last_mut() {
        last.as_of = Some(proto::timestamp(told.as_of));
    }
    messages
}
