//! Changes the given fields of a ticket type. Holds keep the price they were made at. Stock below
//! what is held, sold and blocked is CAPACITY_TOO_SMALL.

use base::{EventId, Money, TicketTypeId};
use proto::ticket::{UpdateTicketTypeRequest, UpdateTicketTypeResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;

use super::{actor, terms};
use crate::{
    app::App,
    domain::limits::CATEGORY_MAX_CHARS,
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog::{self, Event, TicketType},
        changes::{self, Actor, Change},
    },
};

/// None leaves a field as it is.
#[derive(Debug)]
struct Edit {
    id: TicketTypeId,
    actor: Actor,
    expected_version: i64,
    category: Option<String>,
    price: Option<Money>,
    total_stock: Option<i64>,
    sales_start: Option<OffsetDateTime>,
    sales_end: Option<OffsetDateTime>,
    min_per_order: Option<i32>,
    max_per_order: Option<i32>,
    tax_rate_ppm: Option<i32>,
}

pub async fn update_ticket_type(
    app: &App,
    request: Request<UpdateTicketTypeRequest>,
) -> Result<UpdateTicketTypeResponse, Error> {
    let actor = actor(app, &request)?;
    let edit = read(actor, &request.into_inner())?;
    let (event, edited) = app
        .db
        .run(edit, |conn, edit| Box::pin(update(conn, edit)))
        .await?;
    Ok(UpdateTicketTypeResponse {
        ticket_type: Some(view::ticket_type(&event, &edited)),
    })
}

fn read(actor: Actor, request: &UpdateTicketTypeRequest) -> Result<Edit, Error> {
    let id = request.ticket_type_id.parse().map_err(|_| not_found())?;
    let mut fields = Fields::default();
    let category = request.category.as_ref().and_then(|category| {
        fields.text(
            "category",
            base::bounded("category", category, 1, CATEGORY_MAX_CHARS),
        )
    });
    let price = request
        .price
        .as_ref()
        .and_then(|price| fields.price("price", Some(price)));
    let edit = Edit {
        id,
        actor,
        expected_version: request.expected_version,
        category,
        price,
        total_stock: fields.stock("total_stock", request.total_stock),
        sales_start: fields.time("sales_start", request.sales_start.as_ref()),
        sales_end: fields.time("sales_end", request.sales_end.as_ref()),
        min_per_order: request
            .min_per_order
            .map(|n| fields.per_order("min_per_order", n)),
        max_per_order: request
            .max_per_order
            .map(|n| fields.per_order("max_per_order", n)),
        tax_rate_ppm: request
            .tax_rate_ppm
            .map(|rate| terms::tax_rate_ppm(&mut fields, rate)),
    };
    fields.done()?;
    Ok(edit)
}

async fn update(conn: &mut PgConnection, edit: &Edit) -> Result<(Event, TicketType), Error> {
    let event_id = event_of(conn, edit.id).await?;
    // A foreign event's ticket type is as absent as the event.
    let event = catalog::lock_own_event(conn, event_id, &edit.actor).await;
    let event = event.map_err(|error| match error {
        Error::NotFound(_) => not_found(),
        error => error,
    })?;
    let before = catalog::ticket_type(conn, event_id, edit.id)
        .await?
        .ok_or_else(not_found)?;
    if changes::is_recorded(conn, &edit.actor).await? {
        return Ok((event, before));
    }
    if ![0, before.version].contains(&edit.expected_version) {
        return Err(Error::VersionMismatch {
            current: before.version,
        });
    }
    if edit
        .price
        .is_some_and(|price| price.currency != event.currency())
    {
        return Err(Error::field(
            "price",
            format!("must be in {}", event.currency),
        ));
    }
    write(conn, edit, &before).await?;
    let after = catalog::ticket_type(conn, event_id, edit.id)
        .await?
        .ok_or_else(not_found)?;
    let change = Change {
        action: "ticket_type.updated",
        event_id,
        object_id: after.id,
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &edit.actor, &change).await?;
    Ok((event, after))
}

async fn event_of(conn: &mut PgConnection, id: TicketTypeId) -> Result<EventId, Error> {
    let event_id =
        sqlx::query_scalar!("SELECT event_id FROM ticket_types WHERE id = $1", id.uuid());
    event_id
        .fetch_optional(conn)
        .await?
        .map(EventId::from)
        .ok_or_else(not_found)
}

async fn write(conn: &mut PgConnection, edit: &Edit, before: &TicketType) -> Result<(), Error> {
    sqlx::query!(
        r#"
        UPDATE ticket_types
        SET category = COALESCE($2, category), price_minor = COALESCE($3, price_minor),
            sales_start = COALESCE($4, sales_start), sales_end = COALESCE($5, sales_end),
            min_per_order = COALESCE($6, min_per_order),
            max_per_order = COALESCE($7, max_per_order),
            tax_rate_ppm = COALESCE($8, tax_rate_ppm),
            version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        "#,
        edit.id.uuid(),
        edit.category,
        edit.price.map(|price| price.amount_minor),
        edit.sales_start,
        edit.sales_end,
        edit.min_per_order,
        edit.max_per_order,
        edit.tax_rate_ppm,
    )
    .execute(&mut *conn)
    .await?;
    if let Some(total_stock) = edit.total_stock {
        // The pool's own rule refuses a capacity that is too small.
        sqlx::query!(
            "UPDATE pools SET capacity = $2 WHERE id = $1",
            before.pool_id().uuid(),
            total_stock,
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

fn not_found() -> Error {
    Error::NotFound("ticket type")
}
