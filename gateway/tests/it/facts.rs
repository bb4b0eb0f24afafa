//! One concert, one hold and one order, as the services would tell them.

use proto::{common, payment, ticket};
use time::{OffsetDateTime, macros::datetime};

pub const EVENT: &str = "0190b6a2-7c1e-7000-8000-000000000001";
pub const STANDING: &str = "0190b6a2-7c1e-7000-8000-000000000002";
pub const SEATED: &str = "0190b6a2-7c1e-7000-8000-000000000003";
pub const POOL: &str = "0190b6a2-7c1e-7000-8000-00000000000a";
pub const HOLD: &str = "0190b6a2-7c1e-7000-8000-000000000004";
pub const HOLD_SECRET: &str = "hold-secret-hold-secret-hold-secret-1234567";
/// Of nobody.
pub const NO_ACCOUNT: &str = "0190b6a2-7c1e-7000-8000-00000000000f";
pub const ORDER: &str = "0190b6a2-7c1e-7000-8000-000000000005";
pub const ORDER_SECRET: &str = "order-secret-order-secret-order-secret-1234";
pub const PURCHASE_PROOF: &str = "purchase-proof-purchase-proof-purchase-12345";
pub const TRANSFER: &str = "0190b6a2-7c1e-8000-8000-00000000000b";
pub const TICKET_SECRET: &str = "ticket-secret-ticket-secret-ticket-secret-1";
pub const TICKET: &str = "0190b6a2-7c1e-7000-8000-000000000101";
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
        fee: Some(ticket::ServiceFee {
            mode: ticket::FeeMode::Added.into(),
            fixed_minor: 100,
            rate_ppm: 0,
        }),
        ..Default::default()
    }
}

pub fn ticket_types() -> Vec<ticket::TicketType> {
    // A fee of 1.00 is added to what the admin set.
    let standing = ticket::TicketType {
        id: STANDING.to_owned(),
        event_id: EVENT.to_owned(),
        category: "Standing".to_owned(),
        price: eur(2400),
        total_stock: Some(100),
        remaining: Some(7),
        availability: ticket::Availability::OnSale.into(),
        sales_start: None,
        sales_end: None,
        min_per_order: 1,
        max_per_order: 4,
        version: 5,
        tax_rate_ppm: 190_000,
        unit_price: eur(2500),
        unit_fee: eur(100),
        max_per_guest: Some(6),
        held: 3,
        sold: 80,
        blocked: 10,
        pool_ids: vec![POOL.to_owned()],
    };
    let seated = ticket::TicketType {
        id: SEATED.to_owned(),
        category: "Seated".to_owned(),
        price: eur(4400),
        unit_price: eur(4500),
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
            unit_fee: eur(100),
            tax_rate_ppm: 190_000,
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
            unit_fee: eur(100),
            tax_rate_ppm: 190_000,
            tax: eur(798),
            refunded_quantity: 0,
        }],
        total_amount: eur(5000),
        payment: Some(payment::PaymentAttempt {
            provider: "sandbox".to_owned(),
            status: payment::AttemptStatus::RequiresAction.into(),
            payment_ref: REFERENCE.to_owned(),
            checkout_url: format!("http://127.0.0.1:1/pay/sandbox/{REFERENCE}"),
            expires_at: at(datetime!(2027-06-01 18:00 UTC)),
            instructions: String::new(),
            captured: None,
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
        seller: Some(common::Seller {
            name: "Moonlight GmbH".to_owned(),
            address: "Mondweg 1\n10115 Berlin".to_owned(),
            tax_id: "DE123456789".to_owned(),
            contact: "help@moonlight.example".to_owned(),
        }),
        tax_total: eur(798),
        payment_providers: vec!["sandbox".to_owned(), "manual".to_owned()],
        ..Default::default()
    }
}

pub fn fulfilled_order() -> payment::Order {
    let ticket = |n: u32| ticket::Ticket {
        id: format!("0190b6a2-7c1e-7000-8000-0000000001{n:02}"),
        ticket_type_id: STANDING.to_owned(),
        category: "Standing".to_owned(),
        code: format!("{CODE}{n}"),
        status: ticket::TicketStatus::Valid.into(),
        generation: 1,
        holder_name: String::new(),
        voided_by: String::new(),
    };
    let mut timeline = order().timeline;
    timeline.push(payment::TimelineEntry {
        at: at(datetime!(2027-06-01 17:50 UTC)),
        what: "paid".to_owned(),
        detail: "Your payment has arrived.".to_owned(),
    });
    payment::Order {
        status: payment::OrderStatus::Fulfilled.into(),
        tickets: vec![ticket(1), ticket(2)],
        timeline,
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

pub const REFUND: &str = "0190b6a2-7c1e-7000-8000-000000000006";
pub const ATTEMPT: &str = "0190b6a2-7c1e-7000-8000-000000000007";

/// Waits for a bank transfer, of which a part has arrived.
pub fn transfer_order() -> payment::Order {
    let instructions = "Moonlight GmbH\nDE89 3704 0044 0532 0130 00\nAmount: 30.00 EUR\n\
                        Reference: BX-7K3M9Q-4F";
    let attempt = payment::PaymentAttempt {
        provider: "manual".to_owned(),
        payment_ref: "BX-7K3M9Q-4F".to_owned(),
        checkout_url: String::new(),
        instructions: instructions.to_owned(),
        captured: eur(2000),
        ..order().payment.unwrap()
    };
    payment::Order {
        payment: Some(attempt),
        balance_due: eur(3000),
        ..order()
    }
}

pub fn refund() -> payment::Refund {
    payment::Refund {
        id: REFUND.to_owned(),
        number: 1,
        amount: eur(2500),
        status: payment::RefundStatus::Succeeded.into(),
        reason: payment::RefundReason::Requested.into(),
        note: "One seat could not be used.".to_owned(),
        created_at: at(datetime!(2027-06-02 9:00 UTC)),
        ended_at: at(datetime!(2027-06-02 9:01 UTC)),
        withdrawn: false,
    }
}

pub fn refund_detail() -> payment::RefundDetail {
    payment::RefundDetail {
        refund: Some(refund()),
        attempt_id: ATTEMPT.to_owned(),
        provider: "sandbox".to_owned(),
        provider_ref: "re_1".to_owned(),
        failure_reason: String::new(),
        requested_by: "0190b6a2-7c1e-7000-8000-000000000009".to_owned(),
        next_try_at: None,
        tickets_voided: true,
    }
}

pub fn summary() -> payment::OrderSummary {
    payment::OrderSummary {
        id: ORDER.to_owned(),
        number: "BX-7K3M9Q".to_owned(),
        status: payment::OrderStatus::PartiallyRefunded.into(),
        event_id: EVENT.to_owned(),
        event_title: "Moonlight Sessions".to_owned(),
        email: "ada@example.org".to_owned(),
        name: "=HYPERLINK(\"http://evil.example\")".to_owned(),
        total_amount: eur(5000),
        captured: eur(5000),
        refunded: eur(2500),
        provider: "sandbox".to_owned(),
        ticket_count: 2,
        needs_attention: String::new(),
        created_at: at(datetime!(2027-06-01 17:45 UTC)),
        paid_at: at(datetime!(2027-06-01 17:46 UTC)),
        phone_number: "+4930123456".to_owned(),
        payment_ref: REFERENCE.to_owned(),
    }
}

pub fn story() -> payment::InspectOrderResponse {
    let booked = |account: &str, amount_minor| payment::AccountEntry {
        at: at(datetime!(2027-06-01 17:46 UTC)),
        entry: "capture".to_owned(),
        account: account.to_owned(),
        amount: eur(amount_minor),
    };
    payment::InspectOrderResponse {
        order: Some(fulfilled_order()),
        needs_attention: "A refund needs a person.".to_owned(),
        attempts: vec![payment::AttemptDetail {
            id: ATTEMPT.to_owned(),
            number: 1,
            provider: "sandbox".to_owned(),
            status: payment::AttemptStatus::Succeeded.into(),
            provider_ref: REFERENCE.to_owned(),
            amount: eur(5000),
            captured: eur(5000),
            refunded: eur(2500),
            failure_reason: String::new(),
            checks: 2,
            created_at: at(datetime!(2027-06-01 17:45 UTC)),
            deadline: at(datetime!(2027-06-01 18:00 UTC)),
            ended_at: at(datetime!(2027-06-01 17:46 UTC)),
        }],
        refunds: vec![refund_detail()],
        history: vec![payment::HistoryEntry {
            at: at(datetime!(2027-06-01 17:45 UTC)),
            actor: "guest".to_owned(),
            from: 0,
            to: payment::OrderStatus::Created.into(),
            reason: "placed".to_owned(),
            trace_id: String::new(),
        }],
        provider_events: vec![payment::ReceivedEvent {
            event_id: "evt_1".to_owned(),
            kind: "session.paid".to_owned(),
            state: "applied".to_owned(),
            outcome: "paid".to_owned(),
            received_at: at(datetime!(2027-06-01 17:46 UTC)),
        }],
        account_entries: vec![booked("provider:sandbox", 5000), booked("guest", -5000)],
    }
}

pub fn providers() -> Vec<payment::PaymentProvider> {
    let provider = |name: &str, title: &str| payment::PaymentProvider {
        name: name.to_owned(),
        title: title.to_owned(),
    };
    vec![
        provider("sandbox", "Card (sandbox)"),
        provider("manual", "Bank transfer"),
    ]
}

pub fn event_refund() -> payment::GetEventRefundResponse {
    payment::GetEventRefundResponse {
        cancelled_at: at(datetime!(2027-06-03 9:00 UTC)),
        finished_at: None,
        orders_total: 3,
        orders_done: 1,
        orders_stuck: 1,
        refunded: eur(5000).into_iter().collect(),
        outstanding: eur(7500).into_iter().collect(),
    }
}

pub fn halted_pool() -> ticket::HaltedPool {
    ticket::HaltedPool {
        id: POOL.to_owned(),
        event_id: EVENT.to_owned(),
        event_title: "Moonlight Sessions".to_owned(),
        name: String::new(),
        categories: vec!["Standing".to_owned()],
        capacity: Some(100),
        counters: Some(ticket::PoolUnits {
            held: 3,
            sold: 90,
            blocked: 0,
        }),
        ledger: Some(ticket::PoolUnits {
            held: 2,
            sold: 90,
            blocked: 0,
        }),
        halted_at: at(datetime!(2027-06-01 17:46 UTC)),
        reason: "held 3, sold 90, blocked 0; the ledger says 2, 90 and 0".to_owned(),
    }
}

pub fn pool() -> ticket::Pool {
    ticket::Pool {
        id: POOL.to_owned(),
        event_id: EVENT.to_owned(),
        name: "The whole hall".to_owned(),
        capacity: Some(150),
        held: 3,
        sold: 80,
        blocked: 10,
        remaining: Some(57),
        ticket_type_ids: vec![STANDING.to_owned(), SEATED.to_owned()],
        version: 2,
    }
}

/// The concert a week later than it was sold for.
pub fn postponed() -> ticket::Event {
    ticket::Event {
        date_time: at(datetime!(2027-06-19 18:00 UTC)),
        previous_date_time: event().date_time,
        version: 4,
        ..event()
    }
}

pub fn archived() -> ticket::Event {
    ticket::Event {
        status: ticket::EventStatus::Inactive.into(),
        archived_at: at(datetime!(2027-07-01 8:00 UTC)),
        version: 4,
        ..event()
    }
}

/// Where an admin is signed in.
pub fn session_of_an_admin() -> proto::user::Session {
    proto::user::Session {
        id: "0190b6a2-7c1e-7000-8000-000000000201".to_owned(),
        created_at: at(datetime!(2027-01-01 08:00 UTC)),
        last_used_at: at(datetime!(2027-01-01 09:00 UTC)),
        expires_at: at(datetime!(2027-01-01 20:00 UTC)),
        network: "203.0.113.1".to_owned(),
        user_agent: "a browser".to_owned(),
        current: true,
    }
}

pub const SOMEBODY: &str = "0190b6a2-7c1e-7000-8000-000000000202";
/// Of an account that is made at once.
pub const FIRST_PASSWORD: &str = "correct horse battery";

pub fn admin() -> proto::user::User {
    proto::user::User {
        id: SOMEBODY.to_owned(),
        email: "grace@example.org".to_owned(),
        role: proto::user::Role::Admin.into(),
    }
}

pub fn account() -> proto::user::Account {
    proto::user::Account {
        user: Some(admin()),
        status: proto::user::AccountStatus::Disabled.into(),
        created_at: at(datetime!(2027-01-01 08:00 UTC)),
        last_seen_at: None,
        second_factor: true,
    }
}

pub fn invitation() -> proto::user::Invitation {
    proto::user::Invitation {
        id: "0190b6a2-7c1e-7000-8000-000000000203".to_owned(),
        email: "grace@example.org".to_owned(),
        role: proto::user::Role::Admin.into(),
        created_at: at(datetime!(2027-01-01 08:00 UTC)),
        sent_at: at(datetime!(2027-01-02 08:00 UTC)),
        expires_at: at(datetime!(2027-01-09 08:00 UTC)),
    }
}

pub fn account_request() -> proto::user::AccountRequest {
    proto::user::AccountRequest {
        id: "0190b6a2-7c1e-7000-8000-000000000204".to_owned(),
        email: "eve@example.org".to_owned(),
        note: "I run the club".to_owned(),
        created_at: at(datetime!(2027-01-01 08:00 UTC)),
    }
}

pub fn api_key() -> proto::user::ApiKey {
    proto::user::ApiKey {
        id: "0190b6a2-7c1e-7000-8000-000000000205".to_owned(),
        name: "Till".to_owned(),
        scopes: vec!["orders:read".to_owned()],
        created_at: at(datetime!(2027-01-01 08:00 UTC)),
        expires_at: at(datetime!(2027-02-01 08:00 UTC)),
        last_used_at: None,
        last_network: String::new(),
    }
}
