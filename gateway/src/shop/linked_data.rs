//! A concert as search engines and messengers read it: schema.org/Event as JSON-LD.

use base::{Currency, Zone};
use minijinja::Value as Markup;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    config::PublicUrl,
    rest::types::{Availability, Event, EventDetail, EventStatus, Money, TicketType, moment},
};

/// A description in a preview is cut there.
const SUMMARY_MAX_CHARS: usize = 200;

/// What stands in a `<script type="application/ld+json">`. It is data, which no policy about scripts
/// is asked for, and nothing in it can end the element.
pub fn of(detail: &EventDetail, public_url: &PublicUrl) -> Markup {
    let text = event(detail, public_url).to_string();
    let escaped = text
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e");
    Markup::from_safe_string(escaped)
}

fn event(detail: &EventDetail, public_url: &PublicUrl) -> Value {
    let event = &detail.event;
    let url = &public_url.join(&format!("/events/{}", event.slug));
    let kinds = detail.ticket_types.iter();
    let mut data = json!({
        "@context": "https://schema.org",
        "@type": "Event",
        "name": event.title,
        "url": url,
        "startDate": local(event.date_time, &event.timezone),
        "eventStatus": format!("https://schema.org/{}", status(event)),
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": { "@type": "Place", "name": event.location, "address": event.location },
        "offers": kinds.map(|kind| offer(kind, url)).collect::<Vec<_>>(),
    });
    if !event.description.is_empty() {
        data["description"] = json!(event.description);
    }
    if let Some(image) = &event.image {
        // The cut for other sites first, then as it is.
        data["image"] = json!([&image.share_url, &image.url].map(|path| public_url.join(path)));
    }
    if let Some(before) = event.previous_date_time {
        data["previousStartDate"] = json!(local(before, &event.timezone));
    }
    data
}

/// A new date is known with every postponement, and that is what schema.org calls rescheduled.
fn status(event: &Event) -> &'static str {
    match event.status {
        EventStatus::Cancelled => "EventCancelled",
        _ if event.previous_date_time.is_some() => "EventRescheduled",
        EventStatus::Active | EventStatus::Inactive => "EventScheduled",
    }
}

fn offer(kind: &TicketType, url: &str) -> Value {
    let mut offer = json!({
        "@type": "Offer",
        "name": kind.category,
        "url": url,
        "price": decimal(&kind.price),
        "priceCurrency": kind.price.currency,
        "availability": format!("https://schema.org/{}", availability(kind.availability)),
    });
    if let Some(start) = kind.sales_start {
        offer["validFrom"] = json!(moment::text(start));
    }
    if let Some(end) = kind.sales_end {
        offer["validThrough"] = json!(moment::text(end));
    }
    offer
}

fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::OnSale => "InStock",
        Availability::NotYet => "PreOrder",
        Availability::SoldOut => "SoldOut",
        Availability::HeldByOthers | Availability::Halted => "OutOfStock",
        Availability::Ended | Availability::Cancelled => "Discontinued",
    }
}

/// `45.00`, with the digits of the currency.
fn decimal(money: &Money) -> String {
    match money.currency.parse::<Currency>() {
        Ok(_) => money.decimal(&money.currency),
        Err(_) => money.amount_minor.to_string(),
    }
}

/// On the clock of the place, with its distance from UTC.
fn local(at: OffsetDateTime, zone: &str) -> String {
    let local = zone.parse::<Zone>().map_or(at, |zone| zone.to_local(at));
    local.format(&Rfc3339).unwrap_or_default()
}

/// The beginning of a description, for previews; where and when, if there is none.
pub fn summary(description: &str, otherwise: String) -> String {
    let words: Vec<&str> = description.split_whitespace().collect();
    let text = words.join(" ");
    if text.is_empty() {
        return otherwise;
    }
    match text.char_indices().nth(SUMMARY_MAX_CHARS) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn detail() -> EventDetail {
        let money = |amount_minor| Money {
            amount_minor,
            currency: "EUR".to_owned(),
        };
        let kind = TicketType {
            id: "1".to_owned(),
            category: "Standing".to_owned(),
            price: money(2550),
            fee: money(0),
            tax_rate_ppm: 0,
            remaining: Some(3),
            availability: Availability::NotYet,
            sales_start: Some(datetime!(2027-01-01 9:00 UTC)),
            sales_end: None,
            min_per_order: 1,
            max_per_order: 4,
            max_per_guest: None,
        };
        EventDetail {
            event: Event {
                image: None,
                id: "1".to_owned(),
                slug: "late".to_owned(),
                title: "</script><b>Late".to_owned(),
                description: String::new(),
                location: "Kesselhaus, Berlin".to_owned(),
                date_time: datetime!(2027-06-12 18:00 UTC),
                previous_date_time: None,
                timezone: "Europe/Berlin".to_owned(),
                status: EventStatus::Active,
                price_from: None,
                availability: Availability::NotYet,
                cancellation: None,
            },
            ticket_types: vec![kind],
            payment_providers: Vec::new(),
        }
    }

    fn shop() -> PublicUrl {
        "https://t.example.org".parse().unwrap()
    }

    #[test]
    fn nothing_ends_the_element() {
        let text = of(&detail(), &shop()).to_string();
        assert!(!text.contains(['<', '>', '&']), "{text}");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["name"], "</script><b>Late");
    }

    #[test]
    fn what_search_engines_ask_for_is_there() {
        let data = event(&detail(), &shop());
        assert_eq!(data["url"], "https://t.example.org/events/late");
        assert_eq!(data["image"], Value::Null);
        assert_eq!(data["startDate"], "2027-06-12T20:00:00+02:00");
        assert_eq!(data["eventStatus"], "https://schema.org/EventScheduled");
        assert_eq!(data["location"]["name"], "Kesselhaus, Berlin");
        let offer = &data["offers"][0];
        assert_eq!(
            (&offer["price"], &offer["priceCurrency"]),
            (&json!("25.50"), &json!("EUR"))
        );
        assert_eq!(offer["availability"], "https://schema.org/PreOrder");
        assert_eq!(offer["validFrom"], "2027-01-01T09:00:00Z");
    }

    #[test]
    fn nothing_else_is_there() {
        let mut sold_out = detail();
        sold_out.event.description = "Strings.".to_owned();
        sold_out.event.title = "Late".to_owned();
        let kind = &mut sold_out.ticket_types[0];
        kind.availability = Availability::SoldOut;
        kind.price.currency = "JPY".to_owned();
        kind.sales_end = Some(datetime!(2027-06-12 16:00 UTC));
        let url = "https://t.example.org/events/late";
        let expected = json!({
            "@context": "https://schema.org",
            "@type": "Event",
            "name": "Late",
            "description": "Strings.",
            "url": url,
            "startDate": "2027-06-12T20:00:00+02:00",
            "eventStatus": "https://schema.org/EventScheduled",
            "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
            "location": {
                "@type": "Place",
                "name": "Kesselhaus, Berlin",
                "address": "Kesselhaus, Berlin",
            },
            "offers": [{
                "@type": "Offer",
                "name": "Standing",
                "url": url,
                "price": "2550",
                "priceCurrency": "JPY",
                "availability": "https://schema.org/SoldOut",
                "validFrom": "2027-01-01T09:00:00Z",
                "validThrough": "2027-06-12T16:00:00Z",
            }],
        });
        assert_eq!(event(&sold_out, &shop()), expected);
    }

    #[test]
    fn whether_it_can_be_bought_is_a_word_of_theirs() {
        for (ours, theirs) in [
            (Availability::OnSale, "InStock"),
            (Availability::NotYet, "PreOrder"),
            (Availability::SoldOut, "SoldOut"),
            (Availability::HeldByOthers, "OutOfStock"),
            (Availability::Halted, "OutOfStock"),
            (Availability::Ended, "Discontinued"),
            (Availability::Cancelled, "Discontinued"),
        ] {
            assert_eq!(availability(ours), theirs);
        }
    }

    #[test]
    fn another_date_and_none_at_all_are_said() {
        let mut moved = detail();
        moved.event.previous_date_time = Some(datetime!(2027-05-01 18:00 UTC));
        let data = event(&moved, &shop());
        assert_eq!(data["eventStatus"], "https://schema.org/EventRescheduled");
        assert_eq!(data["previousStartDate"], "2027-05-01T20:00:00+02:00");
        moved.event.status = EventStatus::Cancelled;
        assert_eq!(
            event(&moved, &shop())["eventStatus"],
            "https://schema.org/EventCancelled"
        );
    }

    #[test]
    fn a_preview_is_short() {
        assert_eq!(summary(" a\n\nb ", String::new()), "a b");
        assert_eq!(summary("", "there".to_owned()), "there");
        let long = summary(&"ä".repeat(500), String::new());
        assert_eq!(long.chars().count(), SUMMARY_MAX_CHARS + 1);
    }
}
