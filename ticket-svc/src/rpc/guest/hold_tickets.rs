//! Sets stock aside for one guest, all lines or none, at the price of this moment.
//!
//! The hold's id is derived from the idempotency key, and it is looked for before anything is
//! refused: a guest whose answer was lost meets their own hold, also when the last ticket is gone.

use std::collections::HashSet;

use base::{EventId, HoldId, Money, TicketTypeId, body_hash, derived_id};
use prost::Message as _;
use proto::ticket::{HoldTicketsLine, HoldTicketsRequest, HoldTicketsResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        event_status::EventStatus, hold_state::HoldState, limits::LINES_MAX, sales::WindowState,
    },
    error::Error,
    rpc::{fields, fields::Fields, proof, view},
    store::{
        catalog::{self, Event, TicketType},
        holds::{self, Hold, HoldLine},
        stock::{self, Shortage, Take, Taken},
    },
};

/// Counted up, it would revoke the secrets before.
const FIRST_GENERATION: u32 = 1;

#[derive(Clone, Debug)]
struct Wish {
    hold_id: HoldId,
    event_id: EventId,
    lines: Vec<WishLine>,
    body_hash: [u8; 32],
    secret_key_id: String,
    ttl_secs: f64,
}

#[derive(Clone, Copy, Debug)]
struct WishLine {
    ticket_type_id: TicketTypeId,
    quantity: u32,
}

pub async fn hold_tickets(
    app: &App,
    request: HoldTicketsRequest,
) -> Result<HoldTicketsResponse, Error> {
    let wish = read(app, request)?;
    let mut held = try_hold(app, &wish).await;
    if matches!(held, Err(Error::HeldByOthers(_))) {
        // Dead holds may still have stock: before a guest is refused, it is taken back.
        holds::reclaim(&app.db, wish.event_id).await?;
        held = try_hold(app, &wish).await;
    }
    let hold = held?;
    kit::failpoint!("ticket.held");
    let (key_id, generation) = (&hold.secret_key_id, hold.secret_generation);
    let secret = app
        .hold_keys
        .derive_with(key_id, proof::PURPOSE, hold.id.uuid(), generation)
        .ok_or(Error::Fault("the key of a hold has left HOLD_KEYS"))?;
    Ok(HoldTicketsResponse {
        hold: Some(view::hold(&hold)),
        secret: secret.expose().to_owned(),
    })
}

fn read(app: &App, mut request: HoldTicketsRequest) -> Result<Wish, Error> {
    let key = fields::required_key(&std::mem::take(&mut request.idempotency_key))?;
    // The key is taken out, so this is the body.
    let body_hash = body_hash(&[&request.encode_to_vec()]);
    let mut fields = Fields::default();
    let event_id = fields.parse("event_id", &request.event_id);
    if !(1..=LINES_MAX).contains(&request.lines.len()) {
        fields.refuse("lines", format!("must have 1 to {LINES_MAX} entries"));
    }
    let lines = read_lines(&mut fields, &request.lines);
    let Some(event_id) = event_id else {
        return Err(fields.into_error());
    };
    fields.done()?;
    Ok(Wish {
        hold_id: derived_id("holds", &key).into(),
        event_id,
        lines,
        body_hash,
        secret_key_id: app.hold_keys.current_id().to_owned(),
        ttl_secs: f64::from(app.hold_ttl_secs),
    })
}

fn read_lines(fields: &mut Fields, lines: &[HoldTicketsLine]) -> Vec<WishLine> {
    let mut seen = HashSet::new();
    let mut read = Vec::new();
    for (index, line) in lines.iter().enumerate().take(LINES_MAX) {
        let field = format!("lines[{index}].ticket_type_id");
        let Some(ticket_type_id) = fields.parse::<TicketTypeId>(&field, &line.ticket_type_id)
        else {
            continue;
        };
        if !seen.insert(ticket_type_id) {
            fields.refuse(&field, "must be another one on each line");
        }
        if line.quantity == 0 {
            fields.refuse(&format!("lines[{index}].quantity"), "must be at least 1");
        }
        read.push(WishLine {
            ticket_type_id,
            quantity: line.quantity,
        });
    }
    read
}

async fn try_hold(app: &App, wish: &Wish) -> Result<Hold, Error> {
    app.db
        .run(wish.clone(), |conn, wish| {
            Box::pin(find_or_hold(conn, wish))
        })
        .await
}

async fn find_or_hold(conn: &mut PgConnection, wish: &Wish) -> Result<Hold, Error> {
    if let Some(hold) = find_own(conn, wish).await? {
        return Ok(hold);
    }
    let event = catalog::event(conn, wish.event_id)
        .await?
        .ok_or(Error::NotFound("event"))?;
    let types = catalog::ticket_types(conn, &[event.id]).await?;
    let lines = price(&event, &types, &wish.lines)?;
    let needs = holds::needs(conn, &lines).await?;
    let Some(hold) = insert(conn, wish, &event, lines).await? else {
        // A copy of this call was faster; it has committed by now.
        return find_own(conn, wish)
            .await?
            .ok_or(Error::Fault("a hold is there and is not"));
    };
    // Last, because everybody waits for these rows until this transaction commits.
    match stock::take(conn, wish.hold_id.uuid(), &needs, Take::Held).await? {
        Taken::All => Ok(hold),
        Taken::Nothing(shortages) => Err(refusal(&needs, &hold.lines, &shortages)),
    }
}

async fn find_own(conn: &mut PgConnection, wish: &Wish) -> Result<Option<Hold>, Error> {
    match holds::find(conn, wish.hold_id).await? {
        Some(hold) if hold.body_hash != wish.body_hash => Err(Error::IdempotencyKeyReused),
        found => Ok(found),
    }
}

/// Whether each line may be sold now, and at which price.
fn price(event: &Event, types: &[TicketType], lines: &[WishLine]) -> Result<Vec<HoldLine>, Error> {
    if event.status() != EventStatus::Active {
        return Err(Error::EventNotActive);
    }
    let priced = (0_i32..).zip(lines).map(|(index, line)| {
        let id = line.ticket_type_id;
        let ticket_type = types.iter().find(|known| known.id() == id).ok_or_else(|| {
            let field = format!("lines[{index}].ticket_type_id");
            Error::field(field, "must be a ticket type of this event")
        })?;
        match ticket_type.window(event).at(event.now) {
            WindowState::Open => {}
            WindowState::NotYet => return Err(Error::SalesNotStarted(id)),
            WindowState::Ended => return Err(Error::SalesEnded(id)),
        }
        let (min, max) = (ticket_type.min_per_order, ticket_type.max_per_order);
        if !(i64::from(min)..=i64::from(max)).contains(&i64::from(line.quantity)) {
            return Err(Error::LimitExceeded {
                ticket_type_id: id,
                min,
                max,
            });
        }
        let unit = event.fee().of(ticket_type.price_minor);
        Ok(HoldLine {
            line: index,
            ticket_type_id: id,
            category: ticket_type.category.clone(),
            quantity: line.quantity,
            unit_price_minor: unit.price_minor,
            unit_fee_minor: unit.fee_minor,
            tax_rate_ppm: ticket_type.tax_rate_ppm.cast_unsigned(),
        })
    });
    priced.collect()
}

/// None if the hold is there already.
async fn insert(
    conn: &mut PgConnection,
    wish: &Wish,
    event: &Event,
    lines: Vec<HoldLine>,
) -> Result<Option<Hold>, Error> {
    let amounts = lines
        .iter()
        .map(|line| Money::new(line.total_minor(), event.currency()));
    let total = Money::sum(event.currency(), amounts)
        .map_err(|_| Error::Fault("a hold's total is beyond the limits of its lines"))?;
    let inserted = sqlx::query!(
        r#"
        INSERT INTO holds (id, event_id, status, expires_at, body_hash, secret_key_id,
                           secret_generation, currency, total_minor)
        VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6, $7, $8, $9)
        ON CONFLICT (id) DO NOTHING
        RETURNING expires_at, created_at
        "#,
        wish.hold_id.uuid(),
        event.id,
        HoldState::Active.word(),
        wish.ttl_secs,
        &wish.body_hash,
        wish.secret_key_id,
        FIRST_GENERATION.cast_signed(),
        event.currency,
        total.amount_minor,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(inserted) = inserted else {
        return Ok(None);
    };
    insert_lines(conn, wish.hold_id, &lines).await?;
    Ok(Some(Hold {
        id: wish.hold_id,
        event_id: wish.event_id,
        state: HoldState::Active,
        expires_at: inserted.expires_at,
        order_id: None,
        pay_by: None,
        paying_until: None,
        provider_kind: None,
        body_hash: wish.body_hash.to_vec(),
        secret_key_id: wish.secret_key_id.clone(),
        secret_generation: FIRST_GENERATION,
        total,
        lines,
        now: inserted.created_at,
    }))
}

async fn insert_lines(
    conn: &mut PgConnection,
    hold_id: HoldId,
    lines: &[HoldLine],
) -> Result<(), Error> {
    let numbers: Vec<i32> = lines.iter().map(|line| line.line).collect();
    let types: Vec<Uuid> = lines
        .iter()
        .map(|line| line.ticket_type_id.uuid())
        .collect();
    let categories: Vec<String> = lines.iter().map(|line| line.category.clone()).collect();
    let quantities: Vec<i32> = lines
        .iter()
        .map(|line| line.quantity.cast_signed())
        .collect();
    let prices: Vec<i64> = lines.iter().map(|line| line.unit_price_minor).collect();
    let fees: Vec<i64> = lines.iter().map(|line| line.unit_fee_minor).collect();
    let tax_rates: Vec<i32> = lines
        .iter()
        .map(|line| line.tax_rate_ppm.cast_signed())
        .collect();
    sqlx::query!(
        r#"
        INSERT INTO hold_lines (hold_id, line, ticket_type_id, category, quantity, unit_price_minor,
                                unit_fee_minor, tax_rate_ppm)
        SELECT $1, line, ticket_type_id, category, quantity, unit_price_minor, unit_fee_minor,
               tax_rate_ppm
        FROM UNNEST($2::int[], $3::uuid[], $4::text[], $5::int[], $6::bigint[], $7::bigint[],
                    $8::int[])
            AS l (line, ticket_type_id, category, quantity, unit_price_minor, unit_fee_minor,
                  tax_rate_ppm)
        "#,
        hold_id.uuid(),
        &numbers,
        &types,
        &categories,
        &quantities,
        &prices,
        &fees,
        &tax_rates,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sold out outweighs held by others: then waiting is in vain.
fn refusal(needs: &[stock::Need], lines: &[HoldLine], shortages: &[Shortage]) -> Error {
    let final_one = shortages.iter().find(|shortage| !shortage.may_return);
    let decisive = final_one.or(shortages.first());
    let line = decisive.and_then(|shortage| {
        let need = needs.iter().find(|need| need.pool_id == shortage.pool_id)?;
        lines.iter().find(|line| line.line == need.line)
    });
    match (line, final_one) {
        (Some(line), Some(_)) => Error::SoldOut(line.ticket_type_id),
        (Some(line), None) => Error::HeldByOthers(line.ticket_type_id),
        (None, _) => Error::Fault("stock was refused that nobody asked for"),
    }
}
