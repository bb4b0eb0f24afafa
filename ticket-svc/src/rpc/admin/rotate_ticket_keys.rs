//! Ends the signing of a key; the next one takes its place. What it signed stays valid, unless the key is
//! revoked: then its tickets have codes of the new key at once, and printed ones are dead.
//!
//! The key is named, so a repeat finds it replaced and does nothing more.

use base::EventId;
use proto::ticket::{RotateTicketKeysRequest, RotateTicketKeysResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::{key_state::KeyState, limits::KEYS_MAX},
    error::Error,
    rpc::view,
    signers::Signers,
    store::{
        catalog,
        changes::{self, Actor, Change},
        keys::{self, EventKey},
    },
};

#[derive(Debug)]
struct Rotate {
    event: EventId,
    actor: Actor,
    number: u32,
    revoke: bool,
    signers: Signers,
}

pub async fn rotate_ticket_keys(
    app: &App,
    request: Request<RotateTicketKeysRequest>,
) -> Result<RotateTicketKeysResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let event = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let rotate = Rotate {
        event,
        actor,
        number: request.key_number,
        revoke: request.revoke,
        signers: app.signers.clone(),
    };
    let keys = app
        .db
        .run(rotate, |conn, rotate| {
            Box::pin(find_or_rotate(conn, rotate))
        })
        .await?;
    Ok(RotateTicketKeysResponse {
        keys: view::ticket_keys(&keys),
    })
}

async fn find_or_rotate(conn: &mut PgConnection, rotate: &Rotate) -> Result<Vec<EventKey>, Error> {
    // The lock keeps copies of this call apart.
    let event = catalog::lock_own_event(conn, rotate.event, &rotate.actor).await?;
    let before = keys::of_event(conn, rotate.event).await?;
    let key = before
        .iter()
        .find(|key| u32::from(key.number) == rotate.number);
    let key = key.ok_or(Error::NotFound("key of this event"))?;
    let is_there = match key.state {
        KeyState::Active => false,
        KeyState::Retired => !rotate.revoke,
        KeyState::Revoked => true,
    };
    if is_there {
        return Ok(before);
    }
    event.must_not_be_archived()?;
    end(conn, rotate, key.number).await?;
    if key.state == KeyState::Active {
        let last = before.last().map_or(0, |key| key.number);
        if before.len() >= KEYS_MAX {
            let rule = format!("must be one of at most {KEYS_MAX} keys of an event");
            return Err(Error::field("key_number", rule));
        }
        keys::make(conn, &rotate.signers, rotate.event, last + 1).await?;
    }
    let after = keys::of_event(conn, rotate.event).await?;
    let action = if rotate.revoke {
        "ticket_key.revoked"
    } else {
        "ticket_key.rotated"
    };
    let change = Change {
        action,
        event_id: rotate.event,
        object_id: rotate.event.uuid(),
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &rotate.actor, &change).await?;
    Ok(after)
}

async fn end(conn: &mut PgConnection, rotate: &Rotate, number: u16) -> Result<(), Error> {
    sqlx::query!(
        r#"
        UPDATE event_keys
        SET state = CASE WHEN $3 THEN 'revoked' ELSE 'retired' END,
            retired_at = COALESCE(retired_at, clock_timestamp()),
            revoked_at = CASE WHEN $3 THEN clock_timestamp() END
        WHERE event_id = $1 AND number = $2
        "#,
        rotate.event.uuid(),
        i32::from(number),
        rotate.revoke,
    )
    .execute(conn)
    .await?;
    Ok(())
}
