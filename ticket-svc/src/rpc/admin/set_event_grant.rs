//! Lets an admin do so much with an event from now on. It works with the next call: grants are in no token.

use base::{EventId, UserId};
use proto::{
    Grant,
    common::Grant as Wire,
    ticket::{SetEventGrantRequest, SetEventGrantResponse},
};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::limits::GRANTS_PER_EVENT_MAX,
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog,
        changes::{self, Actor, Change},
        grants::{self, GrantRow},
    },
};

#[derive(Debug)]
struct Set {
    event: EventId,
    user: UserId,
    grant: Grant,
    actor: Actor,
}

pub async fn set_event_grant(
    app: &App,
    request: Request<SetEventGrantRequest>,
) -> Result<SetEventGrantResponse, Error> {
    let actor = actor(app, &request)?;
    let set = read(actor, &request.into_inner())?;
    let row = app
        .db
        .run(set, |conn, set| Box::pin(find_or_write(conn, set)))
        .await?;
    Ok(SetEventGrantResponse {
        grant: Some(view::event_grant(&row)),
    })
}

fn read(actor: Actor, request: &SetEventGrantRequest) -> Result<Set, Error> {
    let absent = |_| Error::NotFound("event");
    let event = request.event_id.parse().map_err(absent)?;
    let mut fields = Fields::default();
    let user = fields.parse("user_id", &request.user_id);
    let grant = match request.grant() {
        Wire::Owner => Some(Grant::Owner),
        Wire::Editor => Some(Grant::Editor),
        Wire::Viewer => Some(Grant::Viewer),
        Wire::Door => Some(Grant::Door),
        Wire::Unspecified => {
            fields.refuse("grant", "must be OWNER, EDITOR, VIEWER or DOOR");
            None
        }
    };
    let (Some(user), Some(grant)) = (user, grant) else {
        return Err(fields.into_error());
    };
    Ok(Set {
        event,
        user,
        grant,
        actor,
    })
}

async fn find_or_write(conn: &mut PgConnection, set: &Set) -> Result<GrantRow, Error> {
    // The lock lets changes of one event's grants follow one another.
    let event = catalog::lock_own_event(conn, set.event, &set.actor).await?;
    let all = grants::all(conn, set.event).await?;
    let before = all.iter().find(|row| row.user_id == set.user.uuid());
    if let Some(row) = before
        && row.grant() == set.grant
    {
        return Ok(row.clone());
    }
    event.must_not_be_archived()?;
    if set.grant != Grant::Owner {
        must_keep_an_owner(&all, set.user)?;
    }
    if before.is_none() && all.len() >= GRANTS_PER_EVENT_MAX {
        let rule = format!("must be one of at most {GRANTS_PER_EVENT_MAX} admins of an event");
        return Err(Error::field("user_id", rule));
    }
    write(conn, set).await?;
    let after = grants::all(conn, set.event).await?;
    let after = after.into_iter().find(|row| row.user_id == set.user.uuid());
    let after = after.ok_or(Error::Fault("a grant is gone that was just given"))?;
    let change = Change {
        action: "grant.set",
        event_id: set.event,
        object_id: set.event.uuid(),
        before,
        after: &after,
    };
    changes::record(conn, &set.actor, &change).await?;
    Ok(after)
}

/// Somebody must be able to give grants without a superadmin.
pub(super) fn must_keep_an_owner(all: &[GrantRow], leaves: UserId) -> Result<(), Error> {
    let mut owners = all.iter().filter(|row| row.grant() == Grant::Owner);
    let is_last = owners.all(|row| row.user_id == leaves.uuid());
    let is_owner = all
        .iter()
        .any(|row| row.user_id == leaves.uuid() && row.grant() == Grant::Owner);
    if is_owner && is_last {
        let rule = "must not be the last owner of the event: make somebody else its owner first";
        return Err(Error::field("user_id", rule));
    }
    Ok(())
}

async fn write(conn: &mut PgConnection, set: &Set) -> Result<(), Error> {
    sqlx::query!(
        r#"
        INSERT INTO event_grants (event_id, user_id, role, granted_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT (event_id, user_id)
        DO UPDATE SET role = $3, granted_by = $4, granted_at = clock_timestamp()
        "#,
        set.event.uuid(),
        set.user.uuid(),
        set.grant.word(),
        set.actor.user_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
