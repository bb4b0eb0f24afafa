//! What people read: dates in the concert's zone, money, and sentences for words of the contracts.

use std::{collections::BTreeMap, fmt::Display};

use base::{Currency, Language, Zone};
use kit::ErrorReason;
use minijinja::{Value, context};
use time::OffsetDateTime;

use super::{problem_page, table::Says as _};
use crate::{
    problem::Problem,
    rest::types::{
        Availability, CancellationRule, EventImage, Line, Money, PaymentProvider, Seller,
        TicketType, moment,
    },
};

/// For attributes that scripts and browsers read, and for class names.
pub use crate::rest::types::{moment::text as machine_time, word};

/// Below this many tickets the page says how few are left.
const FEW_TICKETS: i64 = 10;

/// `Friday 12 June 2026, 20:00 CEST`.
pub fn when(language: Language, at: OffsetDateTime, zone: &str) -> String {
    match zone.parse::<Zone>() {
        Ok(zone) => language.moment(&zone, at),
        Err(_) => moment::text(at),
    }
}

/// `45.00 EUR`, or `Free`.
pub fn price(language: Language, money: &Money) -> String {
    if money.amount_minor == 0 {
        language.say("offer.free").to_owned()
    } else {
        amount(language, money)
    }
}

/// Of a concert, in the programme: `from 45.00 EUR`.
pub fn price_from(language: Language, money: &Money) -> String {
    if money.amount_minor == 0 {
        language.say("programme.free").to_owned()
    } else {
        let values: &[(&str, &dyn Display)] = &[("amount", &amount(language, money))];
        language.fill("programme.price_from", values)
    }
}

/// `45.00 EUR`.
pub fn amount(language: Language, money: &Money) -> String {
    match money.currency.parse::<Currency>() {
        Ok(currency) => language.money(base::Money::new(money.amount_minor, currency)),
        Err(_) => money.to_string(),
    }
}

/// What an `img` says; its smallest size for browsers that do not choose.
pub fn picture(image: &EventImage) -> Value {
    context! {
        src => image.sizes.first().map_or(&image.url, |size| &size.url),
        srcset => image.srcset(),
        width => image.width,
        height => image.height,
        alt => &image.alt,
    }
}

/// The service fee in a price; none where there is none.
pub fn fee(language: Language, fee: &Money) -> Option<String> {
    (fee.amount_minor > 0).then(|| amount(language, fee))
}

pub fn providers(language: Language, providers: &[PaymentProvider]) -> Vec<Value> {
    let entry = |provider: &PaymentProvider| {
        let title = language.translate(&provider.title);
        context! { name => &provider.name, title => title.unwrap_or(&provider.title) }
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
pub fn taxes(language: Language, lines: &[Line]) -> Vec<Value> {
    let mut sums: BTreeMap<u32, Option<Money>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.tax_rate_ppm > 0) {
        let sum = sums.entry(line.tax_rate_ppm).or_default();
        match (sum, &line.tax) {
            (Some(sum), Some(tax)) => sum.amount_minor += tax.amount_minor,
            (sum, tax) => *sum = tax.clone(),
        }
    }
    let entry = |(ppm, sum): (u32, Option<Money>)| {
        let sum = sum.map(|sum| amount(language, &sum));
        context! { rate => language.percent(ppm), amount => sum }
    };
    sums.into_iter().rev().map(entry).collect()
}

/// How a paid order can be cancelled, for whoever thinks of buying.
pub fn cancellation(language: Language, rule: &CancellationRule) -> String {
    let hours = rule.until_hours;
    let until = match (hours, hours % 24) {
        (0, _) => language.say("cancellation.until_0").to_owned(),
        (1, _) => language.say("cancellation.until_1").to_owned(),
        (24, _) => language.say("cancellation.until_day").to_owned(),
        (_, 0) => language.fill("cancellation.until_days", &[("n", &(hours / 24))]),
        _ => language.fill("cancellation.until_hours", &[("n", &hours)]),
    };
    match rule.fee_ppm {
        0 => language.fill("cancellation.all_back", &[("until", &until)]),
        ppm => {
            let percent = language.percent(ppm);
            let values: &[(&str, &dyn Display)] = &[("until", &until), ("percent", &percent)];
            language.fill("cancellation.some_kept", values)
        }
    }
}

pub fn lines(language: Language, lines: &[Line]) -> Vec<Value> {
    let line = |line: &Line| {
        context! {
            category => &line.category,
            quantity => line.quantity,
            fee => fee(language, &line.unit_fee),
            given_back => (line.refunded_quantity > 0).then_some(line.refunded_quantity),
            unit_price => price(language, &line.unit_price),
            line_total => amount(language, &line.line_total),
        }
    };
    lines.iter().map(line).collect()
}

/// Of a concert, in the programme.
pub fn availability(language: Language, availability: Availability) -> &'static str {
    language.say(match availability {
        Availability::OnSale => "availability.on_sale",
        Availability::NotYet => "availability.not_yet",
        Availability::SoldOut => "availability.sold_out",
        Availability::HeldByOthers => "availability.held_by_others",
        Availability::Ended => "availability.ended",
        Availability::Cancelled => "availability.cancelled",
        Availability::Halted => "availability.halted",
    })
}

/// Of what is left, where that could not be found out for some seconds.
pub fn old(language: Language, age_secs: u64) -> String {
    language.fill("event.old", &[("secs", &age_secs)])
}

/// Of a ticket type, on the concert's page.
pub fn offer(language: Language, kind: &TicketType, zone: &str) -> String {
    let text = match kind.availability {
        Availability::OnSale => match kind.remaining {
            Some(1) => "offer.last",
            Some(left) if left <= FEW_TICKETS => {
                return language.fill("offer.few", &[("n", &left)]);
            }
            _ => "offer.available",
        },
        Availability::NotYet => match kind.sales_start {
            Some(start) => {
                return language.fill("offer.from", &[("when", &when(language, start, zone))]);
            }
            None => "availability.not_yet",
        },
        Availability::SoldOut => "availability.sold_out",
        Availability::HeldByOthers => "offer.held_by_others",
        Availability::Ended => "availability.ended",
        Availability::Cancelled => "offer.cancelled",
        Availability::Halted => "offer.halted",
    };
    language.say(text).to_owned()
}

/// What the script that follows what is left says, as the server does.
pub fn live(language: Language) -> String {
    let words = [
        ("not_yet", "availability.not_yet"),
        ("sold_out", "availability.sold_out"),
        ("held_by_others", "offer.held_by_others"),
        ("ended", "availability.ended"),
        ("cancelled", "offer.cancelled"),
        ("halted", "offer.halted"),
        ("available", "offer.available"),
        ("last", "offer.last"),
        ("few", "offer.few"),
        ("too_few", "offer.too_few"),
        ("unsure", "event.unsure"),
        ("gone", "event.gone"),
    ];
    let words = words.map(|(name, key)| (name, language.say(key)));
    serde_json::json!(BTreeMap::from(words)).to_string()
}

/// A sentence about a refusal, for the top of a form.
pub fn refusal(language: Language, problem: &Problem) -> String {
    let reason = problem.reason();
    let fact = |name: &str| {
        let found = problem.0.facts.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    if reason == ErrorReason::LimitExceeded {
        if let (Some(min), Some(max)) = (fact("min_per_order"), fact("max_per_order")) {
            return language.fill("refusal.per_order", &[("min", &min), ("max", &max)]);
        }
        if let Some(max) = fact("max_per_guest") {
            return language.fill("refusal.per_guest", &[("max", &max)]);
        }
    }
    let word = reason.word();
    if let Some(sentence) = language.find(&format!("refusal.{word}")) {
        return sentence.to_owned();
    }
    match language {
        // The service knows more about this case.
        Language::En => problem.0.detail.clone(),
        _ => {
            let known = problem_page::sentence(language, word);
            known.unwrap_or(language.say("problem.other")).to_owned()
        }
    }
}

/// What is wrong with a field, as a sentence beside it.
pub fn rule(language: Language, rule: &str) -> String {
    let english = match rule.strip_prefix("is not valid: ") {
        Some(sentence) => format!("{}.", capitalised(sentence)),
        None => format!("This {rule}."),
    };
    match language {
        Language::En => english,
        _ => {
            let known = language.translate(&english);
            known.unwrap_or(language.say("rule.other")).to_owned()
        }
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
    use kit::{Code, Failure};

    use super::*;

    #[test]
    fn a_busy_shop_says_so_in_every_language() {
        for reason in [ErrorReason::Overloaded, ErrorReason::TooManyRequests] {
            for language in [Language::De, Language::Fr] {
                let failure = Failure::refused(Code::Unavailable, reason, "Busy.");
                let sentence = refusal(language, &failure.into());
                assert_eq!(sentence, language.say("problem.UNAVAILABLE"));
            }
        }
    }

    #[test]
    fn rules_are_sentences() {
        let rule = |until_hours, fee_ppm| {
            let allowed = true;
            let rule = CancellationRule {
                allowed,
                until_hours,
                fee_ppm,
            };
            cancellation(Language::En, &rule)
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
}
