//! What people read: dates in the concert's zone, money, and sentences for words of the contracts.

use std::collections::BTreeMap;

use base::Zone;
use minijinja::{Value, context};
use time::OffsetDateTime;

use crate::{
    problem::Problem,
    rest::types::{
        Availability, CancellationRule, Line, Money, PaymentProvider, Seller, TicketType, moment,
    },
};

/// For attributes that scripts and browsers read, and for class names.
pub use crate::rest::types::{moment::text as machine_time, word};

/// Below this many tickets the page says how few are left.
const FEW_TICKETS: i64 = 10;

/// `Friday 12 June 2026, 20:00 CEST`.
pub fn when(at: OffsetDateTime, zone: &str) -> String {
    match zone.parse::<Zone>() {
        Ok(zone) => zone.format_long(at),
        Err(_) => moment::text(at),
    }
}

/// `45.00 EUR`, or `Free`.
pub fn price(money: &Money) -> String {
    if money.amount_minor == 0 {
        "Free".to_owned()
    } else {
        money.to_string()
    }
}

/// Of a concert, in the programme: `from 45.00 EUR`.
pub fn price_from(money: &Money) -> String {
    if money.amount_minor == 0 {
        "free".to_owned()
    } else {
        format!("from {money}")
    }
}

/// `45.00 EUR`.
pub fn amount(money: &Money) -> String {
    money.to_string()
}

/// The service fee in a price; none where there is none.
pub fn fee(fee: &Money) -> Option<String> {
    (fee.amount_minor > 0).then(|| amount(fee))
}

pub fn providers(providers: &[PaymentProvider]) -> Vec<Value> {
    let entry = |provider: &PaymentProvider| {
        context! { name => &provider.name, title => &provider.title }
    };
    providers.iter().map(entry).collect()
}

pub fn seller(seller: &Seller) -> Value {
    context! {
        name => &seller.name,
        address => &seller.address,
        tax_id => &seller.tax_id,
        contact => &seller.contact,
    }
}

/// One entry per rate, the highest first, with what it comes to once that is settled.
pub fn taxes(lines: &[Line]) -> Vec<Value> {
    let mut sums: BTreeMap<u32, Option<Money>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.tax_rate_ppm > 0) {
        let sum = sums.entry(line.tax_rate_ppm).or_default();
        match (sum, &line.tax) {
            (Some(sum), Some(tax)) => sum.amount_minor += tax.amount_minor,
            (sum, tax) => *sum = tax.clone(),
        }
    }
    let entry = |(ppm, sum): (u32, Option<Money>)| {
        context! { rate => percent(ppm), amount => sum.map(|sum| amount(&sum)) }
    };
    sums.into_iter().rev().map(entry).collect()
}

/// `19`, `7.5`.
fn percent(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How a paid order can be cancelled, for whoever thinks of buying.
pub fn cancellation(rule: &CancellationRule) -> String {
    let hours = rule.until_hours;
    let until = match (hours, hours % 24) {
        (0, _) => "until the concert begins".to_owned(),
        (1, _) => "until one hour before the concert begins".to_owned(),
        (24, _) => "until one day before the concert begins".to_owned(),
        (_, 0) => format!("until {} days before the concert begins", hours / 24),
        _ => format!("until {hours} hours before the concert begins"),
    };
    match rule.fee_ppm {
        0 => format!("You can cancel {until}, and all of your money goes back."),
        ppm => format!(
            "You can cancel {until}; {} % of the money is kept.",
            percent(ppm)
        ),
    }
}

pub fn lines(lines: &[Line]) -> Vec<Value> {
    let line = |line: &Line| {
        context! {
            category => &line.category,
            quantity => line.quantity,
            fee => fee(&line.unit_fee),
            given_back => (line.refunded_quantity > 0).then_some(line.refunded_quantity),
            unit_price => price(&line.unit_price),
            line_total => line.line_total.to_string(),
        }
    };
    lines.iter().map(line).collect()
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
        Availability::Halted => "The sale is interrupted",
    }
}

/// Of what is left, where that could not be found out for some seconds.
pub fn old(age_secs: u64) -> String {
    format!("What is left was last known {age_secs} seconds ago.")
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
        Availability::Halted => "The sale is interrupted. Please look again later.".to_owned(),
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
        R::SalesHalted => {
            "The sale of these tickets is interrupted. Please try again later.".to_owned()
        }
        R::EventNotActive => "This concert is not on sale.".to_owned(),
        R::TicketNotValid => "This ticket is no longer valid.".to_owned(),
        R::TotalChanged => "The total has changed. Please look again before you go on.".to_owned(),
        R::ProviderNotEnabled => {
            "This concert cannot be paid like that. Please choose another way to pay.".to_owned()
        }
        R::TermsNotAccepted => "Please read the terms and accept them.".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sentences() {
        let rule = |until_hours, fee_ppm| {
            cancellation(&CancellationRule {
                allowed: true,
                until_hours,
                fee_ppm,
            })
        };
        assert_eq!(
            rule(48, 0),
            "You can cancel until 2 days before the concert begins, and all of your money goes back."
        );
        assert_eq!(
            rule(5, 75_000),
            "You can cancel until 5 hours before the concert begins; 7.5 % of the money is kept."
        );
        for hours in [0, 1, 24] {
            assert!(rule(hours, 0).starts_with("You can cancel until"));
        }
    }

    #[test]
    fn rates_are_percents() {
        let texts = [190_000, 75_000, 81_000, 1_000_000, 1].map(percent);
        assert_eq!(texts, ["19", "7.5", "8.1", "100", "0.0001"]);
    }
}
