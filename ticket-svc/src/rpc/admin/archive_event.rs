//! Puts an event away, or takes it out of the archive again. An archived event is in no list and
//! nothing of it is changed or sold; what was sold before stays sold. An active one is paused by it,
//! and stays so when it comes back.

use base::EventId;
use proto::ticket::{ArchiveEventRequest, ArchiveEventResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    error::Error,
    rpc::view,
    store::{
        catalog::{self, Event},
        changes::{self, Actor, Change},
    },
};

#[derive(Debug)]
struct Archive {
    id: EventId,
    actor: Actor,
    expected_version: i64,
    archived: bool,
}

pub async fn archive_event(
    app: &App,
    request: Request<ArchiveEventRequest>,
) -> Result<ArchiveEventResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let id = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let archive = Archive {
        id,
        actor,
        expected_version: request.expected_version,
        archived: request.archived,
    };
    let (event, types) = app
        .db
        .run(archive, |conn, archive| {
            Box::pin(async move {
                let event = find_or_archive(conn, archive).await?;
                let types = catalog::ticket_types(conn, &[event.id]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    Ok(ArchiveEventResponse {
        event: Some(view::event(&event, &types)),
    })
}

async fn find_or_archive(conn: &mut PgConnection, archive: &Archive) -> Result<Event, Error> {
    let before = catalog::lock_own_event(conn, archive.id, &archive.actor).await?;
    // Before the version: whoever repeats it has the one of before.
    if before.archived_at.is_some() == archive.archived {
        return Ok(before);
    }
    before.must_be_at(archive.expected_version)?;
    sqlx::query!(
        r#"
        UPDATE events
        SET archived_at = CASE WHEN $2 THEN clock_timestamp() END,
            status = CASE WHEN status = 'active' THEN 'inactive' ELSE status END,
            version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        "#,
        archive.id.uuid(),
        archive.archived,
    )
    .execute(&mut *conn)
    .await?;
    let after = catalog::event(conn, archive.id).await?;
    let after = after.ok_or(Error::Fault("a locked event is gone"))?;
    let action = if archive.archived {
        "event.archived"
    } else {
        "event.restored"
    };
    let change = Change {
        action,
        event_id: archive.id,
        object_id: archive.id.uuid(),
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &archive.actor, &change).await?;
    Ok(after)
}
