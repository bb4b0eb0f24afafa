//! How often guests look at events: counted here, in memory, and told to ticket-svc every two seconds.
//!
//! A page or a document of an event that was sent whole counts. "Nothing has changed" (304) and HEAD do not:
//! nobody looked anew. A flush keeps its id until ticket-svc has answered, so one whose answer was lost is
//! counted once; a gateway that is killed loses what it counted since the flush before.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::response::Response;
use http::StatusCode;
use kit::Failure;
use proto::ticket::{CountViewsRequest, EventViews};
use tonic::Code;

use crate::{app::Shared, programme::Face, retries};

const FLUSH_EVERY: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// As ticket-svc has it.
const EVENTS_MAX: usize = 1_000;
/// Events whose ids end differently do not wait for each other.
const SHARDS: usize = 16;

type Counts = HashMap<Box<str>, u32>;

/// What was counted since the flush before. There are no more entries than events.
#[derive(Default)]
pub struct Views([Mutex<Counts>; SHARDS]);

impl Views {
    /// Counts the answer if it shows the event.
    pub fn shown(&self, face: &Face, answer: &Response) {
        if answer.status() == StatusCode::OK {
            self.note(&face.detail.event.id);
        }
    }

    pub fn note(&self, event: &str) {
        let end = event.as_bytes().last().copied().unwrap_or(0);
        let mut counts = lock(&self.0[usize::from(end) % SHARDS]);
        match counts.get_mut(event) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                counts.insert(event.into(), 1);
            }
        }
    }

    /// Takes as many events out as one flush may have.
    fn take(&self) -> Vec<EventViews> {
        let mut taken: Vec<EventViews> = Vec::new();
        for shard in &self.0 {
            let mut counts = lock(shard);
            let events: Vec<Box<str>> = counts
                .keys()
                .take(EVENTS_MAX - taken.len())
                .cloned()
                .collect();
            for event in events {
                let count = counts.remove(&event).unwrap_or(0);
                taken.push(EventViews {
                    event_id: event.into(),
                    count,
                });
            }
        }
        taken
    }
}

fn lock(shard: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Flushes until the gateway ends, and once more then.
pub fn start(app: &Shared) {
    let (tasks, app) = (app.tasks.clone(), app.clone());
    app.tasks.clone().spawn(async move {
        let shutdown = tasks.shutdown().clone();
        let mut open: Option<CountViewsRequest> = None;
        while !shutdown.has_begun() {
            tokio::select! {
                () = shutdown.begun() => {}
                () = tokio::time::sleep(FLUSH_EVERY) => {}
            }
            flush(&app, &mut open).await;
        }
    });
}

/// First what was not answered before. It is the same to ticket-svc whether it came then or not.
async fn flush(app: &Shared, open: &mut Option<CountViewsRequest>) {
    loop {
        if open.is_none() {
            let views = app.views.take();
            *open = (!views.is_empty()).then(|| CountViewsRequest {
                flush_id: app.sources.uuid_v7().to_string(),
                counted_at: Some(proto::timestamp(app.sources.now())),
                views,
            });
        }
        let Some(request) = open else {
            return;
        };
        let full = request.views.len() == EVENTS_MAX;
        if !told(app, request).await {
            return;
        }
        *open = None;
        if !full {
            return;
        }
    }
}

/// False: it has to be told again.
async fn told(app: &Shared, request: &CountViewsRequest) -> bool {
    let mut views = app.upstreams.views();
    let call = retries::within(false, views.count_views(request.clone()));
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Ok(Ok(_)) => true,
        // It would be refused for ever.
        Ok(Err(status)) if status.code() == Code::InvalidArgument => {
            let failure = Failure::from_status(&status);
            tracing::error!(?failure, "page views are not counted");
            true
        }
        Ok(Err(status)) => {
            let reason = Failure::from_status(&status).reason.word();
            tracing::debug!(reason, "page views are told later");
            false
        }
        Err(_elapsed) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_taken_once() {
        let views = Views::default();
        for number in 0..3 * EVENTS_MAX {
            views.note(&format!("{}", number % (EVENTS_MAX + 500)));
        }
        let mut all = 0;
        let mut flushes = 0;
        loop {
            let taken = views.take();
            if taken.is_empty() {
                break;
            }
            assert!(taken.len() <= EVENTS_MAX);
            all += taken.iter().map(|one| one.count as usize).sum::<usize>();
            flushes += 1;
        }
        assert_eq!((all, flushes), (3 * EVENTS_MAX, 2));
    }
}
