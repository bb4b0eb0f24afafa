//! Reads what changed in ticket-svc's programme. An event that was cancelled or moved becomes a row here,
//! in the transaction that moves the cursor: no change is missed, and none counts twice.

use std::sync::Arc;

use base::EventId;
use proto::ticket::{EventChange, ListEventChangesRequest};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    app::App,
    error::Error,
    saga::{EventNow, Moved},
};

const BATCH_ROWS: u32 = 500;
const CANCELLED: &str = "event.cancelled";

struct Read {
    from_seq: i64,
    to_seq: i64,
    cancelled: Vec<Cancelled>,
    moved: Vec<Change>,
}

struct Cancelled {
    event: EventId,
    explanation: String,
    at: OffsetDateTime,
}

struct Change {
    event: EventId,
    moved: Moved,
    at: OffsetDateTime,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let from_seq = cursor(&app).await?;
    let request = ListEventChangesRequest {
        after_seq: from_seq,
        limit: BATCH_ROWS,
    };
    let answer = app.changes.clone().list_event_changes(request).await;
    let changes = answer.map_err(Error::from)?.into_inner().changes;
    let Some(last) = changes.last() else {
        return Ok(false);
    };
    let more = changes.len() >= BATCH_ROWS as usize;
    let cancelled = changes.iter().filter(|change| change.change == CANCELLED);
    let read = Read {
        from_seq,
        to_seq: last.seq,
        cancelled: cancelled.map(read_cancelled).collect::<Result<_, _>>()?,
        moved: changes
            .iter()
            .filter_map(read_moved)
            .collect::<Result<_, _>>()?,
    };
    app.db
        .run(read, |tx, read| Box::pin(record(tx, read)))
        .await?;
    Ok(more)
}

async fn cursor(app: &App) -> Result<i64, Error> {
    let read = app.db.read((), |conn, ()| {
        Box::pin(async move {
            let cursor = sqlx::query_scalar!("SELECT after_seq FROM event_feed");
            Ok::<_, Error>(cursor.fetch_one(conn).await?)
        })
    });
    read.await
}

fn read_cancelled(change: &EventChange) -> Result<Cancelled, Error> {
    let (event, at) = read_head(change)?;
    Ok(Cancelled {
        event,
        explanation: change.cancel_reason.clone(),
        at,
    })
}

/// None where the change says nothing of the event itself, or it is gone.
fn read_moved(change: &EventChange) -> Option<Result<Change, Error>> {
    let facts = change.event.clone()?;
    let read = || {
        let (event, at) = read_head(change)?;
        let moved = Moved {
            event: EventNow::read(facts)?,
            explanation: change.postpone_reason.clone(),
        };
        Ok(Change { event, moved, at })
    };
    Some(read())
}

fn read_head(change: &EventChange) -> Result<(EventId, OffsetDateTime), Error> {
    let broken = || Error::Broken("ticket-svc told of a change without its facts");
    let at = change.changed_at.as_ref().ok_or_else(broken)?;
    let event = change.event_id.parse().map_err(|_| broken())?;
    Ok((event, proto::timestamp_from(at).map_err(|_| broken())?))
}

/// Another process may have read the same: then it has recorded it too.
async fn record(tx: &mut PgConnection, read: &Read) -> Result<(), Error> {
    let moved = sqlx::query!(
        "UPDATE event_feed SET after_seq = $2 WHERE after_seq = $1",
        read.from_seq,
        read.to_seq,
    );
    if moved.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(());
    }
    for cancelled in &read.cancelled {
        sqlx::query!(
            "INSERT INTO event_cancellations (event_id, explanation, cancelled_at)
             VALUES ($1, $2, $3) ON CONFLICT (event_id) DO NOTHING",
            cancelled.event.uuid(),
            cancelled.explanation,
            cancelled.at,
        )
        .execute(&mut *tx)
        .await?;
    }
    for change in &read.moved {
        upsert(tx, change).await?;
    }
    Ok(())
}

/// Two changes that were read together tell the same facts.
async fn upsert(tx: &mut PgConnection, change: &Change) -> Result<(), Error> {
    let event = &change.moved.event;
    sqlx::query!(
        "INSERT INTO event_moves (event_id, version, title, location, date_time, timezone,
             explanation, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (event_id) DO UPDATE
         SET version = excluded.version, title = excluded.title, location = excluded.location,
             date_time = excluded.date_time, timezone = excluded.timezone,
             explanation = excluded.explanation, changed_at = excluded.changed_at,
             next_scan_at = clock_timestamp(), scans = 0
         WHERE event_moves.version < excluded.version",
        change.event.uuid(),
        event.version,
        event.title,
        event.location,
        event.date_time,
        event.timezone,
        change.moved.explanation,
        change.at,
    )
    .execute(tx)
    .await?;
    Ok(())
}
