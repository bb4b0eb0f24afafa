//! From rows to what travels.

use base::Money;
use proto::{common, ticket as api};
use uuid::Uuid;

use crate::{
    domain::{
        event_status::EventStatus,
        fee::{Fee, FeeMode},
        hold_state::HoldState,
        key_state::KeyState,
        sales::{self, Availability},
        verdict::Verdict,
    },
    error::Error,
    signers::Signers,
    store::{
        catalog::{Event, TicketType},
        grants::GrantRow,
        holds::{Hold, HoldLine},
        keys::EventKey,
        orders::Ticket,
        pools::Pool,
    },
};

/// An event with what its own ticket types say about it; types of other events are passed over.
pub fn event(event: &Event, types: &[TicketType]) -> api::Event {
    let own = || {
        types
            .iter()
            .filter(|ticket_type| ticket_type.event_id == event.id)
    };
    let fee = event.fee();
    // What a guest pays at least.
    let price_from = own().map(|own| fee.of(own.price_minor).price_minor).min();
    api::Event {
        id: event.id().to_string(),
        slug: event.slug.clone(),
        title: event.title.clone(),
        description: event.description.clone(),
        location: event.location.clone(),
        date_time: Some(proto::timestamp(event.date_time)),
        timezone: event.timezone.clone(),
        status: event_status(event.status()).into(),
        currency: event.currency.clone(),
        version: event.version,
        price_from: price_from.map(|minor| money(minor, &event.currency)),
        availability: availability(event, types).into(),
        payment_providers: event.payment_providers.clone(),
        seller: seller(event),
        fee: Some(service_fee(fee)),
        manual_payment_days: event.manual_payment_days.cast_unsigned(),
        cancel_reason: event.cancel_reason.clone(),
        previous_date_time: event.previous_date_time.map(proto::timestamp),
        archived_at: event.archived_at.map(proto::timestamp),
        cancellation: cancellation(event),
        image: image(event),
    }
}

fn image(event: &Event) -> Option<api::EventImage> {
    Some(api::EventImage {
        key: event.image_key.clone()?,
        width: event.image_width?.cast_unsigned(),
        height: event.image_height?.cast_unsigned(),
        alt: event.image_alt.clone(),
    })
}

/// None where guests may not cancel what they have paid.
pub fn cancellation(event: &Event) -> Option<api::CancellationRule> {
    let until_hours = event.cancel_until_hours?;
    Some(api::CancellationRule {
        allowed: true,
        until_hours: until_hours.cast_unsigned(),
        fee_ppm: event.cancel_fee_ppm.cast_unsigned(),
    })
}

/// Of an event by its own ticket types; types of other events are passed over.
pub fn availability(event: &Event, types: &[TicketType]) -> api::Availability {
    let own = types.iter().filter(|one| one.event_id == event.id);
    let begun = event.date_time <= event.now;
    let own = own.map(|one| of_type(event, one));
    availability_word(sales::of_event(event.status(), begun, own))
}

pub fn availability_of_type(event: &Event, ticket_type: &TicketType) -> api::Availability {
    availability_word(of_type(event, ticket_type))
}

/// The event's own; none where the installation sells.
pub fn seller(event: &Event) -> Option<common::Seller> {
    (!event.seller_name.is_empty()).then(|| common::Seller {
        name: event.seller_name.clone(),
        address: event.seller_address.clone(),
        tax_id: event.seller_tax_id.clone(),
        contact: event.seller_contact.clone(),
    })
}

fn service_fee(fee: Fee) -> api::ServiceFee {
    let mode = match fee.mode {
        FeeMode::Absorbed => api::FeeMode::Absorbed,
        FeeMode::Added => api::FeeMode::Added,
    };
    api::ServiceFee {
        mode: mode.into(),
        fixed_minor: fee.fixed_minor,
        rate_ppm: fee.rate_ppm,
    }
}

pub fn ticket_type(event: &Event, ticket_type: &TicketType) -> api::TicketType {
    let unit = event.fee().of(ticket_type.price_minor);
    api::TicketType {
        id: ticket_type.id().to_string(),
        event_id: event.id().to_string(),
        category: ticket_type.category.clone(),
        price: Some(money(ticket_type.price_minor, &ticket_type.currency)),
        total_stock: ticket_type.total_stock,
        remaining: ticket_type.free,
        availability: availability_word(of_type(event, ticket_type)).into(),
        sales_start: ticket_type.sales_start.map(proto::timestamp),
        sales_end: ticket_type.sales_end.map(proto::timestamp),
        min_per_order: ticket_type.min_per_order.cast_unsigned(),
        max_per_order: ticket_type.max_per_order.cast_unsigned(),
        version: ticket_type.version,
        tax_rate_ppm: ticket_type.tax_rate_ppm.cast_unsigned(),
        unit_price: Some(money(unit.price_minor, &ticket_type.currency)),
        unit_fee: Some(money(unit.fee_minor, &ticket_type.currency)),
        max_per_guest: ticket_type.max_per_guest.map(i32::cast_unsigned),
        held: ticket_type.held,
        sold: ticket_type.sold,
        blocked: ticket_type.blocked,
        pool_ids: ticket_type.pool_ids.iter().map(Uuid::to_string).collect(),
    }
}

pub fn pool(pool: &Pool) -> api::Pool {
    let taken = pool.held + pool.sold + pool.blocked;
    api::Pool {
        id: pool.id.to_string(),
        event_id: pool.event_id.to_string(),
        name: pool.name.clone(),
        capacity: pool.capacity,
        held: pool.held,
        sold: pool.sold,
        blocked: pool.blocked,
        remaining: pool.capacity.map(|capacity| capacity - taken),
        ticket_type_ids: pool.ticket_type_ids.iter().map(Uuid::to_string).collect(),
        version: pool.version,
    }
}

pub fn ticket_types(of: &Event, types: &[TicketType]) -> Vec<api::TicketType> {
    types.iter().map(|one| ticket_type(of, one)).collect()
}

/// What an order must remember of its event.
pub fn event_facts(event: &Event) -> api::EventFacts {
    api::EventFacts {
        id: event.id().to_string(),
        slug: event.slug.clone(),
        title: event.title.clone(),
        location: event.location.clone(),
        date_time: Some(proto::timestamp(event.date_time)),
        timezone: event.timezone.clone(),
        version: event.version,
    }
}

/// A hold as its guest sees it.
pub fn hold(hold: &Hold) -> api::Hold {
    api::Hold {
        id: hold.id.to_string(),
        event_id: hold.event_id.to_string(),
        status: hold_status(hold.seen()).into(),
        expires_at: Some(proto::timestamp(hold.expires_at)),
        lines: hold_lines(hold),
        total: Some(proto::money(hold.total)),
    }
}

pub fn hold_lines(hold: &Hold) -> Vec<api::HoldLine> {
    hold.lines
        .iter()
        .map(|line| hold_line(line, hold.total))
        .collect()
}

fn hold_line(line: &HoldLine, total: Money) -> api::HoldLine {
    let unit_price = Money::new(line.unit_price_minor, total.currency);
    let line_total = Money::new(line.total_minor(), total.currency);
    let unit_fee = Money::new(line.unit_fee_minor, total.currency);
    api::HoldLine {
        ticket_type_id: line.ticket_type_id.to_string(),
        category: line.category.clone(),
        quantity: line.quantity,
        unit_price: Some(proto::money(unit_price)),
        line_total: Some(proto::money(line_total)),
        unit_fee: Some(proto::money(unit_fee)),
        tax_rate_ppm: line.tax_rate_ppm,
    }
}

/// Signatures between which others have their turn: half a millisecond.
const SIGNATURES_AT_ONCE: usize = 16;

/// Tickets with their codes. A fault where a code's key has left the ring.
pub async fn tickets(signers: &Signers, tickets: &[Ticket]) -> Result<Vec<api::Ticket>, Error> {
    let mut seen = Vec::with_capacity(tickets.len());
    for some in tickets.chunks(SIGNATURES_AT_ONCE) {
        for one in some {
            seen.push(ticket(signers, one)?);
        }
        if some.len() == SIGNATURES_AT_ONCE {
            tokio::task::yield_now().await;
        }
    }
    Ok(seen)
}

pub fn ticket(signers: &Signers, ticket: &Ticket) -> Result<api::Ticket, Error> {
    let status = if ticket.is_void() {
        api::TicketStatus::Void
    } else {
        api::TicketStatus::Valid
    };
    Ok(api::Ticket {
        id: ticket.id.to_string(),
        ticket_type_id: ticket.ticket_type_id.to_string(),
        category: ticket.category.clone(),
        code: signers.code(&ticket.format, ticket.id, ticket.generation)?,
        status: status.into(),
        generation: ticket.generation,
        holder_name: ticket.holder_name.clone(),
        voided_by: ticket
            .voided_by
            .map(|id| id.to_string())
            .unwrap_or_default(),
    })
}

pub fn ticket_keys(keys: &[EventKey]) -> Vec<api::TicketKey> {
    let keys = keys.iter().map(|key| api::TicketKey {
        number: key.number.into(),
        public_key: key.public_key.clone(),
        state: key_state(key.state).into(),
        created_at: Some(proto::timestamp(key.created_at)),
        retired_at: key.retired_at.map(proto::timestamp),
        revoked_at: key.revoked_at.map(proto::timestamp),
    });
    keys.collect()
}

pub fn verdict(verdict: Verdict) -> api::Verdict {
    match verdict {
        Verdict::Ok => api::Verdict::Ok,
        Verdict::Void => api::Verdict::Void,
        Verdict::WrongEvent => api::Verdict::WrongEvent,
        Verdict::Unknown => api::Verdict::Unknown,
        Verdict::Revoked => api::Verdict::Revoked,
    }
}

fn key_state(state: KeyState) -> api::TicketKeyState {
    match state {
        KeyState::Active => api::TicketKeyState::Active,
        KeyState::Retired => api::TicketKeyState::Retired,
        KeyState::Revoked => api::TicketKeyState::Revoked,
    }
}

fn of_type(event: &Event, ticket_type: &TicketType) -> Availability {
    let window = ticket_type.window(event).at(event.now);
    let min = i64::from(ticket_type.min_per_order);
    sales::of_type(event.status(), window, ticket_type.stock(), min)
}

fn money(amount_minor: i64, currency: &str) -> common::Money {
    common::Money {
        amount_minor,
        currency: currency.to_owned(),
    }
}

pub fn event_status(status: EventStatus) -> api::EventStatus {
    match status {
        EventStatus::Inactive => api::EventStatus::Inactive,
        EventStatus::Active => api::EventStatus::Active,
        EventStatus::Cancelled => api::EventStatus::Cancelled,
    }
}

fn hold_status(state: HoldState) -> api::HoldStatus {
    match state {
        HoldState::Active => api::HoldStatus::Active,
        HoldState::Paying => api::HoldStatus::Paying,
        HoldState::Committed => api::HoldStatus::Committed,
        HoldState::Released => api::HoldStatus::Released,
        HoldState::Expired => api::HoldStatus::Expired,
    }
}

fn availability_word(availability: Availability) -> api::Availability {
    match availability {
        Availability::OnSale => api::Availability::OnSale,
        Availability::HeldByOthers => api::Availability::HeldByOthers,
        Availability::NotYet => api::Availability::NotYet,
        Availability::SoldOut => api::Availability::SoldOut,
        Availability::Ended => api::Availability::Ended,
        Availability::Cancelled => api::Availability::Cancelled,
        Availability::Halted => api::Availability::Halted,
    }
}

pub fn event_grant(row: &GrantRow) -> api::EventGrant {
    api::EventGrant {
        user_id: row.user_id.to_string(),
        grant: common::Grant::from(row.grant()).into(),
        granted_at: Some(proto::timestamp(row.granted_at)),
        granted_by: row.granted_by.map(|by| by.to_string()).unwrap_or_default(),
    }
}
