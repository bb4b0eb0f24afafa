//! Ends the sale of an event for ever. What is paid is refused from now on, and payment-svc, which
//! reads it in the change feed, sends the money back.
//!
//! Once it is answered, no order of the event is committed any more. Commits share a lock on the
//! event's row (KEY SHARE, as its foreign keys do), so they neither wait for one another nor for
//! the change itself. A second transaction then asks for the row alone: it gets it when the last
//! commit that may have seen the event alive has ended. Asked for in the first one, a rush of
//! commits could keep it waiting.

use base::EventId;
use db::{Db, DbError};
use proto::ticket::{CancelEventRequest, CancelEventResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::{event_status::EventStatus, limits::CANCEL_REASON_MAX_CHARS},
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog::{self, Event},
        changes::{self, Actor, Change},
        dead_holds,
    },
};

#[derive(Debug)]
struct Cancel {
    id: EventId,
    actor: Actor,
    expected_version: i64,
    reason: String,
}

pub async fn cancel_event(
    app: &App,
    request: Request<CancelEventRequest>,
) -> Result<CancelEventResponse, Error> {
    let actor = actor(app, &request)?;
    let cancel = read(actor, &request.into_inner())?;
    let id = cancel.id;
    let (event, types) = app
        .db
        .run(cancel, |conn, cancel| {
            Box::pin(async move {
                let event = find_or_cancel(conn, cancel).await?;
                // Here, because after the commit a failure would have to say what is not known.
                let types = catalog::ticket_types(conn, &[cancel.id.uuid()]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    wait_for_commits(&app.db, id).await?;
    if let Err(error) = dead_holds::free_active(&app.db, id).await {
        // Cancelled it is; these holds end by their deadline.
        tracing::warn!(%error, event_id = %id, "holds of a cancelled event keep their stock for now");
    }
    Ok(CancelEventResponse {
        event: Some(view::event(&event, &types)),
    })
}

fn read(actor: Actor, request: &CancelEventRequest) -> Result<Cancel, Error> {
    let id = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let mut fields = Fields::default();
    let reason = base::bounded_multiline("reason", &request.reason, 0, CANCEL_REASON_MAX_CHARS);
    let reason = fields.text("reason", reason).unwrap_or_default();
    fields.done()?;
    Ok(Cancel {
        id,
        actor,
        expected_version: request.expected_version,
        reason,
    })
}

async fn find_or_cancel(conn: &mut PgConnection, cancel: &Cancel) -> Result<Event, Error> {
    let before = catalog::lock_own_event(conn, cancel.id, &cancel.actor).await?;
    // Before the version: whoever repeats it has the one of before.
    if before.status() == EventStatus::Cancelled {
        return Ok(before);
    }
    before.must_be_at(cancel.expected_version)?;
    before.must_not_be_archived()?;
    sqlx::query!(
        r#"
        UPDATE events
        SET status = $2, cancel_reason = $3, cancelled_at = clock_timestamp(),
            version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        "#,
        cancel.id.uuid(),
        EventStatus::Cancelled.word(),
        cancel.reason,
    )
    .execute(&mut *conn)
    .await?;
    let after = catalog::event(conn, cancel.id).await?;
    let after = after.ok_or(Error::Fault("a locked event is gone"))?;
    let change = Change {
        action: "event.cancelled",
        event_id: cancel.id,
        object_id: cancel.id.uuid(),
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &cancel.actor, &change).await?;
    Ok(after)
}

/// Waits until every commit has ended that began before the event was cancelled.
async fn wait_for_commits(db: &Db, id: EventId) -> Result<(), Error> {
    let alone: Result<(), Error> = db
        .run(id, |conn, id| {
            Box::pin(async move {
                sqlx::query!("SELECT id FROM events WHERE id = $1 FOR UPDATE", id.uuid())
                    .fetch_one(conn)
                    .await?;
                Ok(())
            })
        })
        .await;
    // The event is cancelled all the same, so "nothing was done" would be wrong.
    alone.map_err(|_| Error::Db(DbError::OutcomeUnknown))
}
