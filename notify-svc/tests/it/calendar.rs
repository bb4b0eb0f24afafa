//! The calendar file, read by somebody else's parser, and its rules of the clock applied as RFC 5545 says.

#![expect(clippy::unwrap_used, reason = "the helpers are test code, too")]

use base::Zone;
use ical::parser::Component as _;
use ical::parser::ical::component::{IcalCalendar, IcalTimeZone};
use notify_svc::render::{Appointment, Language, Receipt, calendar};
use time::format_description::well_known::Rfc3339;
use time::macros::{datetime, format_description};
use time::{Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::render::receipt;

fn parsed(ics: &str) -> IcalCalendar {
    let mut calendars = ical::IcalParser::new(ics.as_bytes());
    let calendar = calendars.next().unwrap().unwrap();
    assert!(calendars.next().is_none(), "one calendar in the file");
    assert_eq!(calendar.events.len(), 1, "one event in it");
    calendar
}

/// A property of the event as it stands, and its TZID.
fn property(calendar: &IcalCalendar, name: &str) -> (String, Option<String>) {
    let event = &calendar.events[0];
    let found = event.get_property(name);
    let found = found.unwrap_or_else(|| panic!("{name} is missing"));
    let parameters = found.params.iter().flatten();
    let mut zone = parameters
        .filter(|(key, _)| key == "TZID")
        .flat_map(|(_, zones)| zones);
    (found.value.clone().unwrap(), zone.next().cloned())
}

fn local(text: &str) -> PrimitiveDateTime {
    let format = format_description!("[year][month][day]T[hour][minute][second]");
    PrimitiveDateTime::parse(text.trim_end_matches('Z'), &format).unwrap()
}

fn offset(text: &str) -> UtcOffset {
    let digits = |range: std::ops::Range<usize>| -> i32 {
        text.get(range).map_or(0, |digits| digits.parse().unwrap())
    };
    let seconds = digits(1..3) * 3600 + digits(3..5) * 60 + digits(5..7);
    let sign = if text.starts_with('-') { -1 } else { 1 };
    UtcOffset::from_whole_seconds(sign * seconds).unwrap()
}

/// RFC 5545 §3.6.5: the observance with the latest onset that is not after the local time holds.
fn resolved(zone: &IcalTimeZone, at: PrimitiveDateTime) -> OffsetDateTime {
    let observances = zone.transitions.iter().map(|observance| {
        let value = |name: &str| {
            observance
                .get_property(name)
                .unwrap()
                .value
                .clone()
                .unwrap()
        };
        (local(&value("DTSTART")), offset(&value("TZOFFSETTO")))
    });
    let holding = observances.filter(|(onset, _)| *onset <= at).max();
    let (_, offset) = holding.unwrap_or_else(|| panic!("nothing holds at {at}"));
    at.assume_offset(offset)
}

/// The moment that a reader of the file understands.
fn moment(calendar: &IcalCalendar, name: &str) -> OffsetDateTime {
    let (value, zone) = property(calendar, name);
    let Some(zone) = zone else {
        assert!(value.ends_with('Z'), "{value}");
        return local(&value).assume_utc();
    };
    let rules = calendar.timezones.iter().find(|rules| {
        let id = rules.get_property("TZID").unwrap();
        id.value.as_ref() == Some(&zone)
    });
    resolved(rules.unwrap(), local(&value))
}

fn starting(at: OffsetDateTime, zone: &str) -> Receipt {
    let mut receipt = receipt();
    receipt.event.starts_at = at;
    receipt.event.zone = zone.parse().unwrap();
    receipt
}

#[test]
fn another_parser_reads_the_event() {
    let calendar = parsed(&calendar(&receipt()));
    let value = |name: &str| property(&calendar, name).0;
    assert_eq!(value("SUMMARY"), "Nightjar Live");
    assert_eq!(
        value("LOCATION"),
        "Lucerna Music Bar\\, Vodičkova 36\\, Praha"
    );
    assert_eq!(value("STATUS"), "CONFIRMED");
    assert_eq!(property(&calendar, "DTSTART").1.unwrap(), "Europe/Prague");
    assert_eq!(
        moment(&calendar, "DTSTART"),
        datetime!(2026-06-12 18:00 UTC)
    );
    assert_eq!(moment(&calendar, "DTEND"), datetime!(2026-06-12 21:00 UTC));
    assert_eq!(
        moment(&calendar, "DTSTAMP"),
        datetime!(2026-05-02 09:15:30 UTC)
    );
}

#[test]
fn in_every_zone_around_every_change_of_clocks_a_reader_comes_to_the_right_moment() {
    let mut moments = Vec::new();
    // Each hour around the changes of 2026 in Europe, America and Australia, and one in midwinter.
    for change in [
        datetime!(2026-01-15 19:00 UTC),
        datetime!(2026-03-08 8:00 UTC),
        datetime!(2026-03-29 1:00 UTC),
        datetime!(2026-04-04 16:00 UTC),
        datetime!(2026-10-03 16:00 UTC),
        datetime!(2026-10-25 1:00 UTC),
        datetime!(2026-11-01 7:00 UTC),
    ] {
        moments.extend((-4..=4).map(|hours| change + Duration::hours(hours)));
    }
    for zone in [
        "Europe/Prague",
        "Europe/Lisbon",
        "Europe/Dublin",
        "Africa/Casablanca",
        "Africa/Cairo",
        "America/New_York",
        "America/St_Johns",
        "America/Sao_Paulo",
        "America/Asuncion",
        "America/Nuuk",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Asia/Tehran",
        "Asia/Gaza",
        "Asia/Ho_Chi_Minh",
        "Australia/Sydney",
        "Australia/Lord_Howe",
        "Pacific/Auckland",
        "Pacific/Chatham",
        "Pacific/Kiritimati",
        "UTC",
    ] {
        for at in &moments {
            let read = parsed(&calendar(&starting(*at, zone)));
            for (name, meant) in [("DTSTART", *at), ("DTEND", *at + Duration::hours(3))] {
                let text = meant.format(&Rfc3339).unwrap();
                assert_eq!(moment(&read, name), meant, "{name} {text} in {zone}");
            }
        }
    }
}

#[test]
fn a_postponed_event_replaces_the_old_one_in_the_same_calendar() {
    let before = receipt();
    let mut after = before.clone();
    after.event.starts_at += Duration::days(30);
    after.event.version += 3;
    let (before, after) = (parsed(&calendar(&before)), parsed(&calendar(&after)));
    assert_eq!(property(&before, "UID"), property(&after, "UID"));
    let sequence = |read: &IcalCalendar| -> i32 { property(read, "SEQUENCE").0.parse().unwrap() };
    assert!(sequence(&before) < sequence(&after));
    assert_eq!(moment(&after, "DTSTART"), datetime!(2026-07-12 18:00 UTC));
}

#[test]
fn a_cancelled_event_is_taken_out_again() {
    let receipt = receipt();
    let appointment = Appointment {
        event: &receipt.event,
        order_id: receipt.order.id,
        number: &receipt.order.number,
        link: &receipt.order.link,
        language: Language::De,
        tickets: None,
        at: receipt.order.paid_at,
        cancelled: true,
    };
    let ics = appointment.file();
    assert!(ics.contains("\r\nMETHOD:CANCEL\r\n"), "{ics}");
    let (before, after) = (parsed(&calendar(&receipt)), parsed(&ics));
    assert_eq!(property(&before, "UID"), property(&after, "UID"));
    assert_eq!(property(&before, "SEQUENCE").0, "4");
    assert_eq!(property(&after, "SEQUENCE").0, "5");
    assert_eq!(property(&after, "STATUS").0, "CANCELLED");
    let description = property(&after, "DESCRIPTION").0;
    assert!(
        description.ends_with("Bestellung BX-7K3M9Q"),
        "{description}"
    );
}

#[test]
fn a_version_that_no_calendar_can_count_is_the_largest_it_can() {
    for (version, sequence) in [(i64::MAX, "2147483647"), (-1, "0"), (0, "0")] {
        let mut receipt = receipt();
        receipt.event.version = version;
        let read = parsed(&calendar(&receipt));
        assert_eq!(property(&read, "SEQUENCE").0, sequence);
    }
}

#[test]
fn the_description_is_in_the_orders_language() {
    for (language, words) in [
        (Language::En, "Order BX-7K3M9Q\\, 3 tickets"),
        (Language::De, "Bestellung BX-7K3M9Q\\, 3 Tickets"),
        (Language::Fr, "Commande BX-7K3M9Q\\, 3 billets"),
    ] {
        let mut receipt = receipt();
        receipt.order.language = language;
        let read = parsed(&calendar(&receipt));
        let description = property(&read, "DESCRIPTION").0;
        assert!(description.ends_with(words), "{description}");
    }
}

/// Zones come from the catalogue, and every one of it must have rules here.
#[test]
fn the_zone_that_people_read_is_the_one_that_calendars_read() {
    let zone: Zone = "Asia/Calcutta".parse().unwrap();
    let read = parsed(&calendar(&starting(
        datetime!(2026-06-12 18:00 UTC),
        zone.name(),
    )));
    assert_eq!(moment(&read, "DTSTART"), datetime!(2026-06-12 18:00 UTC));
}
