//! Adds a ticket type with a pool of its own, last in the event's order.

use base::{EventId, Money, PoolId, TicketTypeId, body_hash, derived_id};
use prost::Message as _;
use proto::ticket::{CreateTicketTypeRequest, CreateTicketTypeResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;

use super::{actor, terms};
use crate::{
    app::App,
    domain::limits::{CATEGORY_MAX_CHARS, PER_ORDER_DEFAULT},
    error::Error,
    rpc::{fields, fields::Fields, view},
    store::{
        catalog::{self, Event, TicketType},
        changes::{self, Actor, Change},
        pools::{self, Allotment},
    },
};

#[derive(Debug)]
struct NewType {
    id: TicketTypeId,
    pool_id: PoolId,
    event_id: EventId,
    actor: Actor,
    category: String,
    price: Money,
    /// None means unlimited.
    total_stock: Option<i64>,
    sales_start: Option<OffsetDateTime>,
    sales_end: Option<OffsetDateTime>,
    min_per_order: i32,
    max_per_order: i32,
    tax_rate_ppm: i32,
    /// Units of the stock that are not sold.
    blocked: i64,
    /// None means no limit.
    max_per_guest: Option<i32>,
    /// Shared ones.
    pool_ids: Vec<PoolId>,
    /// Where a key was given.
    body_hash: Option<Vec<u8>>,
}

pub async fn create_ticket_type(
    app: &App,
    request: Request<CreateTicketTypeRequest>,
) -> Result<CreateTicketTypeResponse, Error> {
    let actor = actor(app, &request)?;
    let new = read(app, actor, request.into_inner())?;
    let (event, made) = app
        .db
        .run(new, |conn, new| Box::pin(find_or_create(conn, new)))
        .await?;
    Ok(CreateTicketTypeResponse {
        ticket_type: Some(view::ticket_type(&event, &made)),
    })
}

fn read(app: &App, actor: Actor, mut request: CreateTicketTypeRequest) -> Result<NewType, Error> {
    let key = fields::optional_key(&std::mem::take(&mut request.idempotency_key))?;
    let body_hash = key
        .as_ref()
        .map(|_| body_hash(&[&request.encode_to_vec()]).to_vec());
    let event_id: EventId = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let mut fields = Fields::default();
    let category = base::bounded("category", &request.category, 1, CATEGORY_MAX_CHARS);
    let category = fields.text("category", category);
    let price = fields.price("price", request.price.as_ref());
    let total_stock = fields.stock("total_stock", request.total_stock);
    let sales_start = fields.time("sales_start", request.sales_start.as_ref());
    let sales_end = fields.time("sales_end", request.sales_end.as_ref());
    let or = |units, default| if units == 0 { default } else { units };
    let min_per_order = fields.per_order("min_per_order", or(request.min_per_order, 1));
    let max_per_order = fields.per_order(
        "max_per_order",
        or(request.max_per_order, PER_ORDER_DEFAULT),
    );
    let tax_rate_ppm = terms::tax_rate_ppm(&mut fields, request.tax_rate_ppm);
    let blocked = fields.blocked(request.blocked);
    let max_per_guest = request.max_per_guest.map(|units| fields.per_guest(units));
    let pool_ids = fields.pools(&request.pool_ids);
    let (Some(category), Some(price)) = (category, price) else {
        return Err(fields.into_error());
    };
    fields.done()?;
    let route = format!("events/{event_id}/ticket-types/{}", actor.user_id);
    let derived = key.as_ref().map(|key| derived_id(&route, key));
    Ok(NewType {
        id: derived.map_or_else(|| TicketTypeId::new(&app.sources), TicketTypeId::from),
        pool_id: PoolId::new(&app.sources),
        event_id,
        actor,
        category,
        price,
        total_stock,
        sales_start,
        sales_end,
        min_per_order,
        max_per_order,
        tax_rate_ppm,
        blocked,
        max_per_guest,
        pool_ids,
        body_hash,
    })
}

async fn find_or_create(
    conn: &mut PgConnection,
    new: &NewType,
) -> Result<(Event, TicketType), Error> {
    // The lock keeps copies of this call apart, and two new types from one position.
    let event = catalog::lock_own_event(conn, new.event_id, &new.actor).await?;
    if let Some(made) = find(conn, new).await? {
        return Ok((event, made));
    }
    event.must_not_be_archived()?;
    if new.price.currency != event.currency() {
        return Err(Error::field(
            "price",
            format!("must be in {}", event.currency),
        ));
    }
    insert(conn, new).await?;
    set_stock(conn, new).await?;
    let made = just_made(conn, new).await?;
    let change = Change {
        action: "ticket_type.created",
        event_id: new.event_id,
        object_id: made.id,
        before: None,
        after: &made,
    };
    changes::record(conn, &new.actor, &change).await?;
    Ok((event, made))
}

async fn just_made(conn: &mut PgConnection, new: &NewType) -> Result<TicketType, Error> {
    let made = catalog::ticket_type(conn, new.event_id, new.id).await?;
    made.ok_or(Error::Fault("a ticket type is gone that was just made"))
}

/// What is kept back of its own stock, and the shared stock that it draws from.
async fn set_stock(conn: &mut PgConnection, new: &NewType) -> Result<(), Error> {
    if new.blocked > 0 {
        let allotment = Allotment {
            capacity: None,
            blocked: Some(new.blocked),
        };
        pools::allot(conn, new.actor.audit_id, new.pool_id, allotment).await?;
    }
    let made = just_made(conn, new).await?;
    pools::set_draws(conn, &made, &new.pool_ids).await
}

/// The ticket type that an earlier copy of this call made.
async fn find(conn: &mut PgConnection, new: &NewType) -> Result<Option<TicketType>, Error> {
    let made = sqlx::query!(
        "SELECT body_hash FROM ticket_types WHERE id = $1",
        new.id.uuid()
    );
    match made.fetch_optional(&mut *conn).await? {
        None => Ok(None),
        Some(made) if made.body_hash != new.body_hash => Err(Error::IdempotencyKeyReused),
        Some(_) => catalog::ticket_type(conn, new.event_id, new.id).await,
    }
}

async fn insert(conn: &mut PgConnection, new: &NewType) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO pools (id, event_id, capacity) VALUES ($1, $2, $3)",
        new.pool_id.uuid(),
        new.event_id.uuid(),
        new.total_stock,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        INSERT INTO ticket_types (id, event_id, position, category, price_minor, currency, pool_id,
                                  sales_start, sales_end, min_per_order, max_per_order, body_hash,
                                  tax_rate_ppm, max_per_guest)
        SELECT $1, $2, COALESCE(MAX(position), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11,
               $12, $13
        FROM ticket_types WHERE event_id = $2
        "#,
        new.id.uuid(),
        new.event_id.uuid(),
        new.category,
        new.price.amount_minor,
        new.price.currency.code(),
        new.pool_id.uuid(),
        new.sales_start,
        new.sales_end,
        new.min_per_order,
        new.max_per_order,
        new.body_hash,
        new.tax_rate_ppm,
        new.max_per_guest,
    )
    .execute(conn)
    .await?;
    Ok(())
}
