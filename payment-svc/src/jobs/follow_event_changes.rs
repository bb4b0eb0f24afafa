//! Reads what changed in ticket-svc's programme. A cancelled event becomes a row here, in the
//! transaction that moves the cursor: no change is missed, and none counts twice.

use std::sync::Arc;

use base::EventId;
use proto::ticket::{EventChange, ListEventChangesRequest};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{app::App, error::Error};

const BATCH_ROWS: u32 = 500;
const CANCELLED: &str = "event.cancelled";

struct Read {
    from_seq: i64,
    to_seq: i64,
    cancelled: Vec<Cancelled>,
}

struct Cancelled {
    event: EventId,
    explanation: String,
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
        cancelled: cancelled.map(read_change).collect::<Result<_, _>>()?,
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

fn read_change(change: &EventChange) -> Result<Cancelled, Error> {
    let broken = || Error::Broken("ticket-svc told of a change without its facts");
    let at = change.changed_at.as_ref().ok_or_else(broken)?;
    Ok(Cancelled {
        event: change.event_id.parse().map_err(|_| broken())?,
        explanation: change.cancel_reason.clone(),
        at: proto::timestamp_from(at).map_err(|_| broken())?,
    })
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
    Ok(())
}
