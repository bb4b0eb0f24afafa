//! Changes the given fields of a shared pool. A capacity below what is held, sold and blocked is
//! CAPACITY_TOO_SMALL. The own stock of a ticket type is changed with the type.

use base::{EventId, PoolId};
use proto::ticket::{UpdatePoolRequest, UpdatePoolResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::limits::POOL_NAME_MAX_CHARS,
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog,
        changes::{self, Actor, Change},
        pools::{self, Allotment, Pool},
    },
};

/// None leaves a field as it is.
#[derive(Debug)]
struct Edit {
    id: PoolId,
    actor: Actor,
    expected_version: i64,
    name: Option<String>,
    allotment: Allotment,
}

pub async fn update_pool(
    app: &App,
    request: Request<UpdatePoolRequest>,
) -> Result<UpdatePoolResponse, Error> {
    let actor = actor(app, &request)?;
    let edit = read(actor, &request.into_inner())?;
    let pool = app
        .db
        .run(edit, |conn, edit| Box::pin(update(conn, edit)))
        .await?;
    Ok(UpdatePoolResponse {
        pool: Some(view::pool(&pool)),
    })
}

fn read(actor: Actor, request: &UpdatePoolRequest) -> Result<Edit, Error> {
    let id = request.pool_id.parse().map_err(|_| not_found())?;
    let mut fields = Fields::default();
    let name = request.name.as_ref().and_then(|name| {
        let name = base::bounded("name", name, 1, POOL_NAME_MAX_CHARS);
        fields.text("name", name)
    });
    let capacity = fields.stock("capacity", request.capacity);
    if request.unlimited && capacity.is_some() {
        fields.refuse("capacity", "cannot have a value and none");
    }
    let blocked = request.blocked.map(|units| fields.blocked(units));
    fields.done()?;
    Ok(Edit {
        id,
        actor,
        expected_version: request.expected_version,
        name,
        allotment: Allotment {
            capacity: match request.unlimited {
                true => Some(None),
                false => capacity.map(Some),
            },
            blocked,
        },
    })
}

async fn update(conn: &mut PgConnection, edit: &Edit) -> Result<Pool, Error> {
    let event_id = sqlx::query_scalar!("SELECT event_id FROM pools WHERE id = $1", edit.id.uuid());
    let event_id = event_id.fetch_optional(&mut *conn).await?;
    let event_id = event_id.map(EventId::from).ok_or_else(not_found)?;
    // A foreign event's pool is as absent as the event.
    let event = catalog::lock_own_event(conn, event_id, &edit.actor).await;
    let event = event.map_err(|error| match error {
        Error::NotFound(_) => not_found(),
        error => error,
    })?;
    let before = pools::find(conn, event_id, edit.id).await?;
    let before = before.ok_or_else(not_found)?;
    if changes::is_recorded(conn, &edit.actor).await? {
        return Ok(before);
    }
    catalog::must_be_at(before.version, edit.expected_version)?;
    event.must_not_be_archived()?;
    if let Some(name) = &edit.name {
        sqlx::query!("UPDATE pools SET name = $2 WHERE id = $1", before.id, name)
            .execute(&mut *conn)
            .await?;
    }
    // It counts the version up, also where nothing of the stock changes.
    pools::allot(conn, edit.actor.audit_id, edit.id, edit.allotment).await?;
    let after = pools::find(conn, event_id, edit.id).await?;
    let after = after.ok_or(Error::Fault("a pool of a locked event is gone"))?;
    let change = Change {
        action: "pool.updated",
        event_id,
        object_id: after.id,
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &edit.actor, &change).await?;
    Ok(after)
}

fn not_found() -> Error {
    Error::NotFound("pool")
}
