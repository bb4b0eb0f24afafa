//! Follows the list of changes: at each hint, and each second without one, because a hint may be lost.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base::EventId;
use hints::{Hints, subject::PROGRAMME_CHANGED};
use kit::Failure;
use proto::ticket::{ListEventChangesRequest, ProgrammeEntry, ReadProgrammeRequest};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::follow;
use crate::{
    app::{App, Shared},
    rest::types::time_of,
    retries,
};

/// Without a hint the list of changes is read so often.
const POLL: Duration = Duration::from_secs(1);
/// A burst of hints is one look.
const GATHER: Duration = Duration::from_millis(20);
/// All of it is read again so often, whatever the list of changes says.
const WHOLE_EVERY: Duration = Duration::from_secs(300);
const ROUND_PATIENCE: Duration = Duration::from_secs(30);
/// A look at what orders can be paid with; it is remembered for longer.
const PROVIDERS_EVERY: Duration = Duration::from_secs(5);
const MEASURE_EVERY: Duration = Duration::from_secs(1);
const CHANGES_MAX: u32 = 1_000;
/// Entries of one answer, so that the longest descriptions fit into a message.
const PAGE: u32 = 50;

/// Starts what keeps the copy right; it ends with the gateway's tasks.
pub fn start(app: &Shared, hints: Option<Hints>) {
    if let Some(hints) = hints {
        hints.listen(&app.tasks, PROGRAMME_CHANGED, app.programme.nudge.clone());
    }
    until_shutdown(app, keep(app.clone()));
    until_shutdown(app, follow::follow(app.clone()));
    until_shutdown(app, keep_providers(app.clone()));
    until_shutdown(app, measure(app.clone()));
}

fn until_shutdown(app: &Shared, work: impl Future<Output = ()> + Send + 'static) {
    let shutdown = app.tasks.shutdown().clone();
    app.tasks.spawn(async move {
        tokio::select! {
            () = shutdown.begun() => {}
            () = work => {}
        }
    });
}

/// How far the list of changes was read.
#[derive(Default)]
struct Cursor {
    seq: i64,
    whole_at: Option<Instant>,
}

async fn keep(app: Shared) {
    let mut cursor = Cursor::default();
    let mut works = true;
    loop {
        // Nobody waits for it: what fails is tried again, not at once.
        let round = retries::within(false, round(&app, &mut cursor));
        let outcome = tokio::time::timeout(ROUND_PATIENCE, round).await;
        let outcome = outcome.unwrap_or_else(|_elapsed| Err(Failure::outcome_unknown()));
        if let Err(failure) = &outcome {
            let reason = failure.reason.word();
            if works {
                tracing::warn!(reason, "the programme cannot be followed");
            }
        }
        works = outcome.is_ok();
        tokio::select! {
            () = app.programme.nudge.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

async fn round(app: &Arc<App>, cursor: &mut Cursor) -> Result<(), Failure> {
    let is_due = cursor.whole_at.is_none_or(|at| at.elapsed() >= WHOLE_EVERY);
    if is_due {
        let asked = Instant::now();
        cursor.seq = read_whole(app).await?;
        cursor.whole_at = Some(asked);
    }
    loop {
        let asked = Instant::now();
        let request = ListEventChangesRequest {
            after_seq: cursor.seq,
            limit: CHANGES_MAX,
        };
        let changes = app.upstreams.changes().list_event_changes(request).await;
        let changes = changes.map_err(|status| Failure::from_status(&status))?;
        let changes = changes.into_inner().changes;
        let ids: BTreeSet<EventId> = changes
            .iter()
            .filter_map(|change| change.event_id.parse().ok())
            .collect();
        let ids: Vec<EventId> = ids.into_iter().collect();
        for ids in ids.chunks(PAGE as usize) {
            read_some(app, ids).await?;
        }
        if let Some(last) = changes.last() {
            cursor.seq = last.seq;
        }
        if changes.len() < CHANGES_MAX as usize {
            app.programme.programme_is_right(asked);
            return Ok(());
        }
    }
}

async fn read_some(app: &App, ids: &[EventId]) -> Result<(), Failure> {
    let event_ids = ids.iter().map(EventId::to_string).collect();
    let read = read(app, event_ids, String::new()).await?;
    let put = |book: &mut super::Book| book.put(ids, read.entries, read.as_of);
    app.programme.write(put);
    Ok(())
}

/// The number of the change up to which it is whole.
async fn read_whole(app: &App) -> Result<i64, Failure> {
    let first = read(app, Vec::new(), String::new()).await?;
    let (seq, as_of) = (first.seq, first.as_of);
    let (mut entries, mut next) = (first.entries, first.next_after_id);
    while !next.is_empty() {
        let page = read(app, Vec::new(), next).await?;
        entries.extend(page.entries);
        next = page.next_after_id;
    }
    // Before anything is shown, so that no page names nothing to pay with.
    let providers = app.providers.of_event(app, &[]).await;
    app.programme.write(|book| {
        book.set_providers(providers);
        // As of the first page: what was read later may already contain more, never less.
        book.replace(entries, as_of);
    });
    Ok(seq)
}

struct Read {
    entries: Vec<ProgrammeEntry>,
    next_after_id: String,
    seq: i64,
    as_of: OffsetDateTime,
}

async fn read(app: &App, event_ids: Vec<String>, after_id: String) -> Result<Read, Failure> {
    let request = ReadProgrammeRequest {
        event_ids,
        after_id,
        page_size: PAGE,
    };
    let read = app.upstreams.catalog().read_programme(request).await;
    let read = read.map_err(|status| Failure::from_status(&status))?;
    let read = read.into_inner();
    Ok(Read {
        as_of: time_of(read.as_of.as_ref(), "as_of")?,
        entries: read.entries,
        next_after_id: read.next_after_id,
        seq: read.seq,
    })
}

/// Pages name what an order can be paid with, and must not ask for it.
async fn keep_providers(app: Shared) {
    loop {
        tokio::time::sleep(PROVIDERS_EVERY).await;
        if app.programme.age().is_some() {
            let providers = app.providers.of_event(&app, &[]).await;
            app.programme.write(|book| book.set_providers(providers));
        }
    }
}

/// For operators: how old the copy is, and how many watch.
async fn measure(app: Shared) {
    loop {
        metrics::gauge!("programme_age_seconds").set(app.programme.seconds_behind());
        let open = u32::try_from(app.streams.count()).unwrap_or(u32::MAX);
        metrics::gauge!("availability_streams_open").set(f64::from(open));
        tokio::time::sleep(MEASURE_EVERY).await;
    }
}
