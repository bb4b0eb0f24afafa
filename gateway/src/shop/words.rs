//! What people read: dates in the concert's zone, money, and sentences for words of the contracts.

use base::{Currency, Zone};
use minijinja::{Value, context};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    problem::Problem,
    rest::types::{Availability, Line, Money, OrderStatus, TicketType},
};

/// Below this many tickets the page says how few are left.
const FEW_TICKETS: i64 = 10;

/// `Friday 12 June 2026, 20:00 CEST`.
pub fn when(at: OffsetDateTime, zone: &str) -> String {
    match zone.parse::<Zone>() {
        Ok(zone) => zone.format_long(at),
        Err(_) => at.format(&Rfc3339).unwrap_or_default(),
    }
}

/// For attributes that scripts and browsers read.
pub fn machine_time(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// `45.00 EUR`, or `Free`.
pub fn price(money: &Money) -> String {
    if money.amount_minor == 0 {
        "Free".to_owned()
    } else {
        amount(money)
    }
}

/// Of a concert, in the programme: `from 45.00 EUR`.
pub fn price_from(money: &Money) -> String {
    if money.amount_minor == 0 {
        "free".to_owned()
    } else {
        format!("from {}", amount(money))
    }
}

/// `45.00 EUR`.
pub fn amount(money: &Money) -> String {
    match money.currency.parse::<Currency>() {
        Ok(currency) => base::Money::new(money.amount_minor, currency).to_string(),
        Err(_) => format!("{} {}", money.amount_minor, money.currency),
    }
}

pub fn lines(lines: &[Line]) -> Vec<Value> {
    let line = |line: &Line| {
        context! {
            category => &line.category,
            quantity => line.quantity,
            unit_price => price(&line.unit_price),
            line_total => amount(&line.line_total),
        }
    };
    lines.iter().map(line).collect()
}

/// The word as it stands in JSON, for class names and the script.
pub fn word(status: impl serde::Serialize) -> String {
    match serde_json::to_value(status) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Of a concert, in the programme.
pub fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::OnSale => "Tickets on sale",
        Availability::NotYet => "Not on sale yet",
        Availability::SoldOut => "Sold out",
        Availability::HeldByOthers => "All taken at the moment",
        Availability::Ended => "Sales have ended",
        Availability::Cancelled => "Cancelled",
    }
}

/// Of a ticket type of which less is left than an order takes.
pub const TOO_FEW: &str = "Fewer are left than an order takes";

/// Of a ticket type, on the concert's page.
pub fn offer(kind: &TicketType, zone: &str) -> String {
    match kind.availability {
        Availability::OnSale => match kind.remaining {
            Some(1) => "The last one".to_owned(),
            Some(left) if left <= FEW_TICKETS => format!("Only {left} left"),
            _ => "Available".to_owned(),
        },
        Availability::NotYet => match kind.sales_start {
            Some(start) => format!("On sale from {}", when(start, zone)),
            None => "Not on sale yet".to_owned(),
        },
        Availability::SoldOut => "Sold out".to_owned(),
        Availability::HeldByOthers => {
            "All taken at the moment. Some may come back within minutes.".to_owned()
        }
        Availability::Ended => "Sales have ended".to_owned(),
        Availability::Cancelled => "The concert is cancelled".to_owned(),
    }
}

/// Title and sentence of an order's page.
pub fn order(status: OrderStatus, can_pay: bool, declined: bool) -> (&'static str, &'static str) {
    match status {
        OrderStatus::Created => ("One moment", "We are setting your tickets aside."),
        OrderStatus::AwaitingPayment if declined => (
            "Not paid yet",
            "The payment was declined. Nothing was charged, and your tickets are still set aside.",
        ),
        OrderStatus::AwaitingPayment if can_pay => (
            "Not paid yet",
            "Your tickets are set aside until the payment is done.",
        ),
        OrderStatus::AwaitingPayment => ("One moment", "We are preparing your payment."),
        OrderStatus::Processing => (
            "Payment being checked",
            "The payment provider has not told us the outcome yet. Please do not pay again.",
        ),
        OrderStatus::Paid => (
            "Payment received",
            "Your tickets are being made. This takes a moment.",
        ),
        OrderStatus::Fulfilled => (
            "Your tickets",
            "Your order is complete. Show the code of each ticket at the door. A receipt is on its way to you by mail.",
        ),
        OrderStatus::PartiallyRefunded => ("Your tickets", "Part of your money was returned."),
        OrderStatus::Refunded => ("Refunded", "Your money was returned."),
        OrderStatus::Expired => (
            "Time ran out",
            "The time to pay is over. Nothing was charged, and the tickets are free again.",
        ),
        OrderStatus::Cancelled => (
            "Cancelled",
            "This order is cancelled. Nothing was charged, and the tickets are free again.",
        ),
        OrderStatus::Mismatch => (
            "We are looking into it",
            "What arrived differs from what was asked. We are checking it and will write to you.",
        ),
        OrderStatus::Unfulfillable => (
            "Sorry, the tickets are gone",
            "Your payment came too late and the tickets were sold. All of your money goes back to you.",
        ),
    }
}

/// A sentence about a refusal, for the top of a form.
pub fn refusal(problem: &Problem) -> String {
    use kit::ErrorReason as R;
    match problem.reason() {
        R::SoldOut => "Sorry, these tickets are sold out now.".to_owned(),
        R::HeldByOthers => {
            "All of these are taken at the moment. Some may come back within minutes.".to_owned()
        }
        R::SalesNotStarted => "These tickets are not on sale yet.".to_owned(),
        R::SalesEnded => "The sale of these tickets has ended.".to_owned(),
        R::EventNotActive => "This concert is not on sale.".to_owned(),
        R::TotalChanged => "The total has changed. Please look again before you go on.".to_owned(),
        R::InvalidRequest => "Something in the form needs another look.".to_owned(),
        R::IdempotencyKeyReused => {
            "You sent this form before with another choice. Please check it and send it again."
                .to_owned()
        }
        _ => problem.0.detail.clone(),
    }
}

/// What is wrong with a field, as a sentence beside it.
pub fn rule(rule: &str) -> String {
    match rule.strip_prefix("is not valid: ") {
        Some(sentence) => format!("{}.", capitalised(sentence)),
        None => format!("This {rule}."),
    }
}

/// `paid_late` → `Paid late`.
pub fn capitalised(word: &str) -> String {
    let text = word.replace('_', " ");
    let mut letters = text.chars();
    letters
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default()
        + letters.as_str()
}
