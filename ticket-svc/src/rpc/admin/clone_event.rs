//! Copies an event for another date: a draft with the same terms, ticket types and pools, and nothing
//! held or sold. Sales windows keep their distance to the date by local clocks. With an idempotency
//! key a repeat answers the same copy.

use std::collections::HashMap;

use base::{EventId, PoolId, Sources, TicketTypeId, body_hash, derived_id};
use prost::Message as _;
use proto::ticket::{CloneEventRequest, CloneEventResponse};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;
use uuid::Uuid;

use super::{
    actor,
    create_event::{self, Made, NewEvent},
    terms::{Seller, Terms},
};
use crate::{
    app::App,
    domain::{event_status::EventStatus, limits::TITLE_MAX_CHARS},
    error::Error,
    rpc::{fields, fields::Fields, view},
    store::{
        catalog::{self, Event, TicketType},
        changes::{self, Actor, Change},
        pools::{self, Allotment},
    },
};

#[derive(Debug)]
struct Copy {
    id: EventId,
    source: EventId,
    actor: Actor,
    date_time: OffsetDateTime,
    /// None means the same.
    title: Option<String>,
    /// Where a key was given.
    body_hash: Option<Vec<u8>>,
    sources: Sources,
}

pub async fn clone_event(
    app: &App,
    request: Request<CloneEventRequest>,
) -> Result<CloneEventResponse, Error> {
    let actor = actor(app, &request)?;
    let copy = read(app, actor, request.into_inner())?;
    let (event, types) = app
        .db
        .run(copy, |conn, copy| {
            Box::pin(async move {
                let event = find_or_copy(conn, copy).await?;
                let types = catalog::ticket_types(conn, &[event.id]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    Ok(CloneEventResponse {
        event: Some(view::event(&event, &types)),
        ticket_types: view::ticket_types(&event, &types),
    })
}

fn read(app: &App, actor: Actor, mut request: CloneEventRequest) -> Result<Copy, Error> {
    let key = fields::optional_key(&std::mem::take(&mut request.idempotency_key))?;
    let source: EventId = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let mut fields = Fields::default();
    let date_time = fields.time("date_time", request.date_time.as_ref());
    if request.date_time.is_none() {
        fields.refuse("date_time", "is missing");
    }
    let title = base::bounded("title", &request.title, 0, TITLE_MAX_CHARS);
    let title = fields.text("title", title);
    let (Some(date_time), Some(title)) = (date_time, title) else {
        return Err(fields.into_error());
    };
    fields.done()?;
    let route = format!("events/{source}/clone/{}", actor.user_id);
    let derived = key.as_ref().map(|key| derived_id(&route, key));
    Ok(Copy {
        id: derived.map_or_else(|| EventId::new(&app.sources), EventId::from),
        source,
        actor,
        date_time,
        title: (!title.is_empty()).then_some(title),
        body_hash: key.map(|_| body_hash(&[&request.encode_to_vec()]).to_vec()),
        sources: app.sources.clone(),
    })
}

async fn find_or_copy(conn: &mut PgConnection, copy: &Copy) -> Result<Event, Error> {
    // Locked, so that what is copied belongs together.
    let source = catalog::lock_own_event(conn, copy.source, &copy.actor).await?;
    let event = match create_event::find_or_insert(conn, &draft(copy, &source)).await? {
        Made::Before(event) => return Ok(event),
        Made::Now(event) => event,
    };
    copy_image(conn, copy).await?;
    copy_parts(conn, copy, &source).await?;
    let event = catalog::event(conn, event.id()).await?;
    let event = event.ok_or(Error::Fault("an event is gone that was just made"))?;
    record(conn, copy, (&source, &event)).await?;
    Ok(event)
}

/// The copy and each of its parts.
async fn record(
    conn: &mut PgConnection,
    copy: &Copy,
    (source, event): (&Event, &Event),
) -> Result<(), Error> {
    let pools = pools::shared(conn, copy.id).await?;
    let types = catalog::ticket_types(conn, &[copy.id.uuid()]).await?;
    let change = Change {
        action: "event.cloned",
        event_id: copy.id,
        object_id: event.id,
        before: Some(source),
        after: event,
    };
    changes::record(conn, &copy.actor, &change).await?;
    for pool in &pools {
        record_part(conn, copy, "pool.created", (pool.id, pool)).await?;
    }
    for of in &types {
        record_part(conn, copy, "ticket_type.created", (of.id, of)).await?;
    }
    Ok(())
}

async fn record_part<T: Serialize>(
    conn: &mut PgConnection,
    copy: &Copy,
    action: &str,
    (object_id, part): (Uuid, &T),
) -> Result<(), Error> {
    let change = Change {
        action,
        event_id: copy.id,
        object_id,
        before: None,
        after: part,
    };
    let actor = Actor {
        audit_id: copy.sources.uuid_v7(),
        ..copy.actor.clone()
    };
    changes::record(conn, &actor, &change).await
}

fn draft(copy: &Copy, source: &Event) -> NewEvent {
    let title = copy.title.as_ref().unwrap_or(&source.title);
    NewEvent {
        id: copy.id,
        actor: copy.actor.clone(),
        title: title.clone(),
        description: source.description.clone(),
        location: source.location.clone(),
        date_time: copy.date_time,
        zone: source.zone(),
        currency: source.currency(),
        status: EventStatus::Inactive,
        terms: Terms {
            payment_providers: source.payment_providers.clone(),
            seller: Seller {
                name: source.seller_name.clone(),
                address: source.seller_address.clone(),
                tax_id: source.seller_tax_id.clone(),
                contact: source.seller_contact.clone(),
            },
            fee: source.fee(),
            manual_payment_days: source.manual_payment_days,
            cancellation: source.cancellation(),
        },
        body_hash: copy.body_hash.clone(),
    }
}

/// Both have the same picture, which nobody changes: another one has another name.
async fn copy_image(conn: &mut PgConnection, copy: &Copy) -> Result<(), Error> {
    sqlx::query!(
        r#"
        UPDATE events e
        SET image_key = s.image_key, image_width = s.image_width, image_height = s.image_height,
            image_alt = s.image_alt
        FROM events s WHERE e.id = $1 AND s.id = $2
        "#,
        copy.id.uuid(),
        copy.source.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Pools, ticket types, and which of them draw from which.
async fn copy_parts(conn: &mut PgConnection, copy: &Copy, source: &Event) -> Result<(), Error> {
    let mut new_ids: HashMap<Uuid, PoolId> = HashMap::new();
    for pool in pools::shared(conn, copy.source).await? {
        let id = copy_pool(conn, copy, pool.id.into(), pool.blocked).await?;
        new_ids.insert(pool.id, id);
    }
    for of in catalog::ticket_types(conn, &[source.id]).await? {
        let own = copy_pool(conn, copy, of.pool_id(), of.blocked).await?;
        let id = copy_type(conn, copy, source, (&of, own)).await?;
        let made = catalog::ticket_type(conn, copy.id, id).await?;
        let made = made.ok_or(Error::Fault("a ticket type is gone that was just made"))?;
        let draws = of.pool_ids.iter().filter_map(|old| new_ids.get(old));
        let draws: Vec<PoolId> = draws.copied().collect();
        pools::set_draws(conn, &made, &draws).await?;
    }
    Ok(())
}

/// An empty pool of the same size, with the same units kept back.
async fn copy_pool(
    conn: &mut PgConnection,
    copy: &Copy,
    of: PoolId,
    blocked: i64,
) -> Result<PoolId, Error> {
    let id = PoolId::new(&copy.sources);
    sqlx::query!(
        r#"
        INSERT INTO pools (id, event_id, capacity, name)
        SELECT $1, $2, capacity, name FROM pools WHERE id = $3
        "#,
        id.uuid(),
        copy.id.uuid(),
        of.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    if blocked > 0 {
        let allotment = Allotment {
            capacity: None,
            blocked: Some(blocked),
        };
        pools::allot(conn, copy.actor.audit_id, id, allotment).await?;
    }
    Ok(id)
}

async fn copy_type(
    conn: &mut PgConnection,
    copy: &Copy,
    source: &Event,
    (of, own): (&TicketType, PoolId),
) -> Result<TicketTypeId, Error> {
    let id = TicketTypeId::new(&copy.sources);
    let zone = source.zone();
    let moved = |at| zone.moved(at, source.date_time, copy.date_time);
    sqlx::query!(
        r#"
        INSERT INTO ticket_types (id, event_id, position, category, price_minor, currency, pool_id,
                                  sales_start, sales_end, min_per_order, max_per_order,
                                  max_per_guest, tax_rate_ppm)
        SELECT $1, $2, position, category, price_minor, currency, $3, $4, $5, min_per_order,
               max_per_order, max_per_guest, tax_rate_ppm
        FROM ticket_types WHERE id = $6
        "#,
        id.uuid(),
        copy.id.uuid(),
        own.uuid(),
        of.sales_start.map(moved),
        of.sales_end.map(moved),
        of.id,
    )
    .execute(conn)
    .await?;
    Ok(id)
}
