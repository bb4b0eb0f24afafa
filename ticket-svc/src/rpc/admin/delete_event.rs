//! Deletes an event of which nothing was ever held or sold. What anybody held or bought is a fact of
//! somebody's order and stays.
//!
//! The pools are locked before it is asked whether they were touched: a hold locks them too, so it
//! is either seen, or finds the event gone.

use base::EventId;
use proto::ticket::{DeleteEventRequest, DeleteEventResponse};
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::actor;
use crate::{
    app::App,
    error::Error,
    store::{
        catalog::{self, Event},
        changes::{self, Actor, Change},
        pools,
    },
};

#[derive(Debug)]
struct Delete {
    id: EventId,
    actor: Actor,
    expected_version: i64,
}

pub async fn delete_event(
    app: &App,
    request: Request<DeleteEventRequest>,
) -> Result<DeleteEventResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let id = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let delete = Delete {
        id,
        actor,
        expected_version: request.expected_version,
    };
    app.db
        .run(delete, |conn, delete| {
            Box::pin(find_and_delete(conn, delete))
        })
        .await?;
    Ok(DeleteEventResponse {})
}

async fn find_and_delete(conn: &mut PgConnection, delete: &Delete) -> Result<(), Error> {
    let found = catalog::lock_own_event(conn, delete.id, &delete.actor).await;
    let is_gone = matches!(found, Err(Error::NotFound(_)));
    // By this very call, whose commit had no answer.
    if is_gone && changes::is_recorded(conn, &delete.actor).await? {
        return Ok(());
    }
    let before = found?;
    before.must_be_at(delete.expected_version)?;
    let all = pools::lock_all(conn, delete.id).await?;
    if pools::have_sales(conn, &all).await? {
        return Err(Error::HasSales);
    }
    remove(conn, delete.id, &all).await?;
    let change = Change::<Option<Event>> {
        action: "event.deleted",
        event_id: delete.id,
        object_id: delete.id.uuid(),
        before: Some(&Some(before)),
        after: &None,
    };
    changes::record(conn, &delete.actor, &change).await
}

/// The feed of changes and the audit log keep what they know.
async fn remove(conn: &mut PgConnection, id: EventId, all: &[Uuid]) -> Result<(), Error> {
    let types = catalog::ticket_types(conn, &[id.uuid()]).await?;
    pools::delete_types(conn, &types).await?;
    pools::delete(conn, all).await?;
    sqlx::query!("DELETE FROM event_grants WHERE event_id = $1", id.uuid())
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM events WHERE id = $1", id.uuid())
        .execute(conn)
        .await?;
    Ok(())
}
