//! One concert, one hold and one order, as the services would tell them.

use proto::{common, payment, ticket};
use time::{OffsetDateTime, macros::datetime};

pub const EVENT: &str = "0190b6a2-7c1e-7000-8000-000000000001";
pub const STANDING: &str = "0190b6a2-7c1e-7000-8000-000000000002";
pub const SEATED: &str = "0190b6a2-7c1e-7000-8000-000000000003";
pub const HOLD: &str = "0190b6a2-7c1e-7000-8000-000000000004";
pub const HOLD_SECRET: &str = "hold-secret-hold-secret-hold-secret-1234567";
pub const ORDER: &str = "0190b6a2-7c1e-7000-8000-000000000005";
pub const ORDER_SECRET: &str = "order-secret-order-secret-order-secret-1234";
pub const REFERENCE: &str = "sandbox-reference-0123456789abcdef";
pub const CODE: &str = "BXT1:K1:6F00-ABCDEF0123456789:0001";

pub fn eur(amount_minor: i64) -> Option<common::Money> {
    Some(common::Money {
        amount_minor,
        currency: "EUR".to_owned(),
    })
}

fn at(time: OffsetDateTime) -> Option<prost_types::Timestamp> {
    Some(proto::timestamp(time))
}

pub fn event() -> ticket::Event {
    ticket::Event {
        id: EVENT.to_owned(),
        slug: "moonlight-sessions".to_owned(),
        title: "Moonlight Sessions".to_owned(),
        description: "Strings under the open sky.\nBring a blanket.".to_owned(),
        location: "Waldbühne, Berlin".to_owned(),
        date_time: at(datetime!(2027-06-12 18:00 UTC)),
        timezone: "Europe/Berlin".to_owned(),
        status: ticket::EventStatus::Active.into(),
        currency: "EUR".to_owned(),
        version: 3,
        price_from: eur(2500),
        availability: ticket::Availability::OnSale.into(),
    }
}

pub fn ticket_types() -> Vec<ticket::TicketType> {
    let standing = ticket::TicketType {
        id: STANDING.to_owned(),
        event_id: EVENT.to_owned(),
        category: "Standing".to_owned(),
        price: eur(2500),
        total_stock: Some(100),
        remaining: Some(7),
        availability: ticket::Availability::OnSale.into(),
        sales_start: None,
        sales_end: None,
        min_per_order: 1,
        max_per_order: 4,
        version: 5,
    };
    let seated = ticket::TicketType {
        id: SEATED.to_owned(),
        category: "Seated".to_owned(),
        price: eur(4500),
        remaining: Some(0),
        availability: ticket::Availability::HeldByOthers.into(),
        sales_start: at(datetime!(2026-06-01 08:00 UTC)),
        ..standing.clone()
    };
    vec![standing, seated]
}

pub fn hold() -> ticket::Hold {
    ticket::Hold {
        id: HOLD.to_owned(),
        event_id: EVENT.to_owned(),
        status: ticket::HoldStatus::Active.into(),
        expires_at: at(OffsetDateTime::now_utc() + time::Duration::minutes(10)),
        lines: vec![ticket::HoldLine {
            ticket_type_id: STANDING.to_owned(),
            category: "Standing".to_owned(),
            quantity: 2,
            unit_price: eur(2500),
            line_total: eur(5000),
        }],
        total: eur(5000),
    }
}

pub fn order() -> payment::Order {
    payment::Order {
        id: ORDER.to_owned(),
        number: "BX-7K3M9Q".to_owned(),
        status: payment::OrderStatus::AwaitingPayment.into(),
        event_id: EVENT.to_owned(),
        email: "ada@example.org".to_owned(),
        phone_number: "+4930123456".to_owned(),
        name: "Ada".to_owned(),
        lines: vec![payment::OrderLine {
            ticket_type_id: STANDING.to_owned(),
            category: "Standing".to_owned(),
            quantity: 2,
            unit_price: eur(2500),
            line_total: eur(5000),
        }],
        total_amount: eur(5000),
        payment: Some(payment::PaymentAttempt {
            provider: "sandbox".to_owned(),
            status: payment::AttemptStatus::RequiresAction.into(),
            payment_ref: REFERENCE.to_owned(),
            checkout_url: format!("http://127.0.0.1:1/pay/sandbox/{REFERENCE}"),
            expires_at: at(datetime!(2027-06-01 18:00 UTC)),
        }),
        tickets: Vec::new(),
        timeline: vec![payment::TimelineEntry {
            at: at(datetime!(2027-06-01 17:45 UTC)),
            what: "awaiting_payment".to_owned(),
            detail: "The tickets are set aside.".to_owned(),
        }],
        created_at: at(datetime!(2027-06-01 17:45 UTC)),
        event_title: "Moonlight Sessions".to_owned(),
        event_slug: "moonlight-sessions".to_owned(),
        event_date_time: at(datetime!(2027-06-12 18:00 UTC)),
        event_timezone: "Europe/Berlin".to_owned(),
        event_location: "Waldbühne, Berlin".to_owned(),
    }
}

pub fn fulfilled_order() -> payment::Order {
    let ticket = |n: u32| ticket::Ticket {
        id: format!("0190b6a2-7c1e-7000-8000-0000000001{n:02}"),
        ticket_type_id: STANDING.to_owned(),
        category: "Standing".to_owned(),
        code: format!("{CODE}{n}"),
        status: ticket::TicketStatus::Valid.into(),
    };
    payment::Order {
        status: payment::OrderStatus::Fulfilled.into(),
        tickets: vec![ticket(1), ticket(2)],
        ..order()
    }
}

pub fn session() -> payment::SandboxSession {
    payment::SandboxSession {
        reference: REFERENCE.to_owned(),
        amount: eur(5000),
        status: payment::SandboxSessionStatus::Open.into(),
        description: "Order BX-7K3M9Q".to_owned(),
        return_url: format!("http://127.0.0.1:1/orders/{ORDER}"),
        expires_at: at(datetime!(2027-06-01 18:00 UTC)),
    }
}
