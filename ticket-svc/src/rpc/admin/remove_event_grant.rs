//! The event is no longer an admin's. It works with the next call: grants are in no token.

use base::{EventId, UserId};
use proto::ticket::{RemoveEventGrantRequest, RemoveEventGrantResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::{actor, set_event_grant::must_keep_an_owner};
use crate::{
    app::App,
    error::Error,
    rpc::fields::Fields,
    store::{
        catalog,
        changes::{self, Actor, Change},
        grants::{self, GrantRow},
    },
};

#[derive(Debug)]
struct Remove {
    event: EventId,
    user: UserId,
    actor: Actor,
}

pub async fn remove_event_grant(
    app: &App,
    request: Request<RemoveEventGrantRequest>,
) -> Result<RemoveEventGrantResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let absent = |_| Error::NotFound("event");
    let event = request.event_id.parse().map_err(absent)?;
    let mut fields = Fields::default();
    let Some(user) = fields.parse("user_id", &request.user_id) else {
        return Err(fields.into_error());
    };
    let remove = Remove { event, user, actor };
    app.db
        .run(remove, |conn, remove| {
            Box::pin(find_and_remove(conn, remove))
        })
        .await?;
    Ok(RemoveEventGrantResponse {})
}

async fn find_and_remove(conn: &mut PgConnection, remove: &Remove) -> Result<(), Error> {
    let found = catalog::lock_own_event(conn, remove.event, &remove.actor).await;
    // By this very call, whose commit had no answer, it may be the caller's own that is gone.
    if found.is_err() && changes::is_recorded(conn, &remove.actor).await? {
        return Ok(());
    }
    found?;
    let all = grants::all(conn, remove.event).await?;
    let Some(before) = all.iter().find(|row| row.user_id == remove.user.uuid()) else {
        return Ok(());
    };
    must_keep_an_owner(&all, remove.user)?;
    sqlx::query!(
        "DELETE FROM event_grants WHERE event_id = $1 AND user_id = $2",
        remove.event.uuid(),
        remove.user.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    let change = Change::<Option<GrantRow>> {
        action: "grant.removed",
        event_id: remove.event,
        object_id: remove.event.uuid(),
        before: Some(&Some(before.clone())),
        after: &None,
    };
    changes::record(conn, &remove.actor, &change).await
}
