//! Changes the given fields of a ticket type. Holds keep the price they were made at. Stock below
//! what is held, sold and blocked is CAPACITY_TOO_SMALL.

use base::{Money, PoolId, TicketTypeId};
use proto::ticket::{ClearedField, UpdateTicketTypeRequest, UpdateTicketTypeResponse};
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
        pools::{self, Allotment},
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
    /// `Some(None)`: no value from now on; here and below.
    total_stock: Option<Option<i64>>,
    sales_start: Option<Option<OffsetDateTime>>,
    sales_end: Option<Option<OffsetDateTime>>,
    min_per_order: Option<i32>,
    max_per_order: Option<i32>,
    max_per_guest: Option<Option<i32>>,
    tax_rate_ppm: Option<i32>,
    blocked: Option<i64>,
    pool_ids: Option<Vec<PoolId>>,
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
    let id = request
        .ticket_type_id
        .parse()
        .map_err(|_| Error::NotFound("ticket type"))?;
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
    let total_stock = fields.stock("total_stock", request.total_stock);
    let sales_start = fields.time("sales_start", request.sales_start.as_ref());
    let sales_end = fields.time("sales_end", request.sales_end.as_ref());
    let max_per_guest = request.max_per_guest.map(|n| fields.per_guest(n));
    let mut clear = Clear::read(&mut fields, request);
    let edit = Edit {
        id,
        actor,
        expected_version: request.expected_version,
        category,
        price,
        total_stock: clear.or(ClearedField::Stock, total_stock),
        sales_start: clear.or(ClearedField::SalesStart, sales_start),
        sales_end: clear.or(ClearedField::SalesEnd, sales_end),
        min_per_order: request
            .min_per_order
            .map(|n| fields.per_order("min_per_order", n)),
        max_per_order: request
            .max_per_order
            .map(|n| fields.per_order("max_per_order", n)),
        max_per_guest: clear.or(ClearedField::MaxPerGuest, max_per_guest),
        tax_rate_ppm: request
            .tax_rate_ppm
            .map(|rate| terms::tax_rate_ppm(&mut fields, rate)),
        blocked: request.blocked.map(|units| fields.blocked(units)),
        pool_ids: request.pools.as_ref().map(|own| fields.pools(&own.ids)),
    };
    clear.done(&mut fields);
    fields.done()?;
    Ok(edit)
}

async fn update(conn: &mut PgConnection, edit: &Edit) -> Result<(Event, TicketType), Error> {
    let (event, before) = catalog::lock_own_type(conn, edit.id, &edit.actor).await?;
    if changes::is_recorded(conn, &edit.actor).await? {
        return Ok((event, before));
    }
    catalog::must_be_at(before.version, edit.expected_version)?;
    event.must_not_be_archived()?;
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
    let after = catalog::ticket_type(conn, event.id(), edit.id).await?;
    let after = after.ok_or(Error::Fault("a ticket type of a locked event is gone"))?;
    let change = Change {
        action: "ticket_type.updated",
        event_id: event.id(),
        object_id: after.id,
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &edit.actor, &change).await?;
    Ok((event, after))
}

async fn write(conn: &mut PgConnection, edit: &Edit, before: &TicketType) -> Result<(), Error> {
    sqlx::query!(
        r#"
        UPDATE ticket_types
        SET category = COALESCE($2, category), price_minor = COALESCE($3, price_minor),
            sales_start = CASE WHEN $4 THEN $5 ELSE sales_start END,
            sales_end = CASE WHEN $6 THEN $7 ELSE sales_end END,
            min_per_order = COALESCE($8, min_per_order),
            max_per_order = COALESCE($9, max_per_order),
            max_per_guest = CASE WHEN $10 THEN $11 ELSE max_per_guest END,
            tax_rate_ppm = COALESCE($12, tax_rate_ppm),
            version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        "#,
        edit.id.uuid(),
        edit.category,
        edit.price.map(|price| price.amount_minor),
        edit.sales_start.is_some(),
        edit.sales_start.flatten(),
        edit.sales_end.is_some(),
        edit.sales_end.flatten(),
        edit.min_per_order,
        edit.max_per_order,
        edit.max_per_guest.is_some(),
        edit.max_per_guest.flatten(),
        edit.tax_rate_ppm,
    )
    .execute(&mut *conn)
    .await?;
    if let Some(pool_ids) = &edit.pool_ids {
        pools::set_draws(conn, before, pool_ids).await?;
    }
    if edit.total_stock.is_some() || edit.blocked.is_some() {
        let allotment = Allotment {
            capacity: edit.total_stock,
            blocked: edit.blocked,
        };
        pools::allot(conn, edit.actor.audit_id, before.pool_id(), allotment).await?;
    }
    Ok(())
}

/// The fields that are to have no value.
struct Clear(Vec<ClearedField>, Vec<&'static str>);

impl Clear {
    fn read(fields: &mut Fields, request: &UpdateTicketTypeRequest) -> Self {
        let named: Vec<ClearedField> = request.clear().collect();
        if named.len() != request.clear.len() || named.contains(&ClearedField::Unspecified) {
            fields.refuse("clear", "must name fields that may have no value");
        }
        Self(named, Vec::new())
    }

    /// `Some(None)` where the field is to have no value.
    fn or<T>(&mut self, field: ClearedField, value: Option<T>) -> Option<Option<T>> {
        match (self.0.contains(&field), value) {
            (true, Some(_)) => {
                self.1.push(name(field));
                None
            }
            (true, None) => Some(None),
            (false, value) => value.map(Some),
        }
    }

    fn done(self, fields: &mut Fields) {
        for field in self.1 {
            fields.refuse(field, "cannot have a value and none");
        }
    }
}

fn name(field: ClearedField) -> &'static str {
    match field {
        ClearedField::Unspecified => "clear",
        ClearedField::Stock => "total_stock",
        ClearedField::SalesStart => "sales_start",
        ClearedField::SalesEnd => "sales_end",
        ClearedField::MaxPerGuest => "max_per_guest",
    }
}
