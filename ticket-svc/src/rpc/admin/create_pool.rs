//! Adds a pool that ticket types of the event can share: a venue's total, or a limit on some of them.

use base::{EventId, PoolId, body_hash, derived_id};
use prost::Message as _;
use proto::ticket::{CreatePoolRequest, CreatePoolResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::limits::{POOL_NAME_MAX_CHARS, POOLS_MAX},
    error::Error,
    rpc::{fields, fields::Fields, view},
    store::{
        catalog,
        changes::{self, Actor, Change},
        pools::{self, Allotment, Pool},
    },
};

#[derive(Debug)]
struct NewPool {
    id: PoolId,
    event_id: EventId,
    actor: Actor,
    name: String,
    /// None means unlimited.
    capacity: Option<i64>,
    blocked: i64,
    /// Where a key was given.
    body_hash: Option<Vec<u8>>,
}

pub async fn create_pool(
    app: &App,
    request: Request<CreatePoolRequest>,
) -> Result<CreatePoolResponse, Error> {
    let actor = actor(app, &request)?;
    let new = read(app, actor, request.into_inner())?;
    let made = app
        .db
        .run(new, |conn, new| Box::pin(find_or_create(conn, new)))
        .await?;
    Ok(CreatePoolResponse {
        pool: Some(view::pool(&made)),
    })
}

fn read(app: &App, actor: Actor, mut request: CreatePoolRequest) -> Result<NewPool, Error> {
    let key = fields::optional_key(&std::mem::take(&mut request.idempotency_key))?;
    let event_id: EventId = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let mut fields = Fields::default();
    let name = base::bounded("name", &request.name, 1, POOL_NAME_MAX_CHARS);
    let name = fields.text("name", name);
    let capacity = fields.stock("capacity", request.capacity);
    let blocked = fields.blocked(request.blocked);
    let Some(name) = name else {
        return Err(fields.into_error());
    };
    fields.done()?;
    let route = format!("events/{event_id}/pools/{}", actor.user_id);
    let derived = key.as_ref().map(|key| derived_id(&route, key));
    Ok(NewPool {
        id: derived.map_or_else(|| PoolId::new(&app.sources), PoolId::from),
        event_id,
        actor,
        name,
        capacity,
        blocked,
        body_hash: key.map(|_| body_hash(&[&request.encode_to_vec()]).to_vec()),
    })
}

async fn find_or_create(conn: &mut PgConnection, new: &NewPool) -> Result<Pool, Error> {
    // The lock keeps copies of this call apart.
    let event = catalog::lock_own_event(conn, new.event_id, &new.actor).await?;
    let made = sqlx::query!("SELECT body_hash FROM pools WHERE id = $1", new.id.uuid());
    match made.fetch_optional(&mut *conn).await? {
        Some(made) if made.body_hash != new.body_hash => return Err(Error::IdempotencyKeyReused),
        Some(_) => return just_made(conn, new).await,
        None => {}
    }
    event.must_not_be_archived()?;
    if pools::shared(conn, new.event_id).await?.len() >= POOLS_MAX {
        let rule = format!("must be one of at most {POOLS_MAX} pools of an event");
        return Err(Error::field("name", rule));
    }
    insert(conn, new).await?;
    let made = just_made(conn, new).await?;
    let change = Change {
        action: "pool.created",
        event_id: new.event_id,
        object_id: made.id,
        before: None,
        after: &made,
    };
    changes::record(conn, &new.actor, &change).await?;
    Ok(made)
}

async fn just_made(conn: &mut PgConnection, new: &NewPool) -> Result<Pool, Error> {
    let made = pools::find(conn, new.event_id, new.id).await?;
    made.ok_or(Error::Fault("a pool is gone that was just made"))
}

async fn insert(conn: &mut PgConnection, new: &NewPool) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO pools (id, event_id, name, capacity, body_hash) VALUES ($1, $2, $3, $4, $5)",
        new.id.uuid(),
        new.event_id.uuid(),
        new.name,
        new.capacity,
        new.body_hash,
    )
    .execute(&mut *conn)
    .await?;
    if new.blocked == 0 {
        return Ok(());
    }
    let allotment = Allotment {
        capacity: None,
        blocked: Some(new.blocked),
    };
    pools::allot(conn, new.actor.audit_id, new.id, allotment).await
}
