//! The event as a calendar file (RFC 5545).

use jiff::{
    SignedDuration, Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use time::OffsetDateTime;

use super::vtimezone::vtimezone;
use super::{Receipt, one_line};

/// Nobody told us how long the concert lasts. Without an end most calendars show a moment of no length, which
/// overlaps with nothing and reminds of nothing; three hours block the evening of a usual concert.
const ASSUMED_LENGTH: SignedDuration = SignedDuration::from_hours(3);

/// Longest line in octets, its CRLF not counted (RFC 5545 §3.1).
const LINE_OCTETS: usize = 75;

/// An `.ics` file with one event. The same order always gives the same UID, so a second import replaces the first.
///
/// There is no ORGANIZER: calendars would offer to answer an address that nobody reads.
pub fn calendar(receipt: &Receipt) -> String {
    let (order, event) = (&receipt.order, &receipt.event);
    let start = timestamp(event.starts_at);
    let end = start.saturating_add(ASSUMED_LENGTH).unwrap_or(start);
    let local = zone_in_which_both_are_clear(event.zone.name(), start, end);
    let stamp = |name: &str, at: Timestamp| match &local {
        Some((id, zone)) => {
            format!(
                "{name};TZID={id}:{}",
                zone.to_datetime(at).strftime("%Y%m%dT%H%M%S")
            )
        }
        None => format!("{name}:{}", utc(at)),
    };

    let mut file = File::default();
    file.line("BEGIN:VCALENDAR");
    file.line("VERSION:2.0");
    file.line("PRODID:-//Boxoffice//Receipt//EN");
    file.line("CALSCALE:GREGORIAN");
    file.line("METHOD:PUBLISH");
    if let Some((id, zone)) = &local {
        vtimezone(id, zone, start)
            .iter()
            .for_each(|line| file.line(line));
    }
    file.line("BEGIN:VEVENT");
    file.line(&format!("UID:{}-{}@boxoffice", event.id, order.id));
    file.line("SEQUENCE:0");
    // When the facts were fixed, not when this text was made: rendering again changes nothing.
    file.line(&format!("DTSTAMP:{}", utc(timestamp(order.paid_at))));
    file.line(&stamp("DTSTART", start));
    file.line(&stamp("DTEND", end));
    file.line(&format!("SUMMARY:{}", escape(&one_line(&event.title))));
    file.line(&format!("LOCATION:{}", escape(&one_line(&event.location))));
    file.line(&format!("DESCRIPTION:{}", escape(&description(receipt))));
    file.line(&format!("URL:{}", one_line(&order.link)));
    file.line("STATUS:CONFIRMED");
    file.line("TRANSP:OPAQUE");
    file.line("END:VEVENT");
    file.line("END:VCALENDAR");
    file.0
}

fn description(receipt: &Receipt) -> String {
    let count = receipt.tickets.len();
    let tickets = if count == 1 { "ticket" } else { "tickets" };
    let order = format!("Order {}, {count} {tickets}", receipt.order.number);
    match receipt.event.description.trim() {
        "" => order,
        about => format!("{about}\n\n{order}"),
    }
}

/// The zone and its name, unless local time would be read wrongly: on the night the clocks go back an hour exists
/// twice, and RFC 5545 takes the first. Then, and for a zone unknown here, the file says UTC.
fn zone_in_which_both_are_clear(
    id: &str,
    start: Timestamp,
    end: Timestamp,
) -> Option<(String, TimeZone)> {
    let zone = TimeZoneDatabase::bundled()
        .get(id)
        .ok()
        .filter(|zone| *zone != TimeZone::UTC)?;
    let clear = |at: Timestamp| {
        let read = zone.to_ambiguous_timestamp(zone.to_datetime(at)).earlier();
        read.is_ok_and(|read| read == at)
    };
    (clear(start) && clear(end)).then(|| (id.to_owned(), zone.clone()))
}

fn timestamp(at: OffsetDateTime) -> Timestamp {
    // The largest years of `time` lie outside jiff's; no concert does.
    Timestamp::from_second(at.unix_timestamp()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// TEXT as in RFC 5545 §3.3.11; other control characters are not allowed in it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' | '\r' => escaped.push_str("\\n"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The file so far.
#[derive(Default)]
struct File(String);

impl File {
    /// Adds a content line, folded without cutting a character in two.
    fn line(&mut self, line: &str) {
        let mut octets = 0;
        for c in line.chars() {
            if octets + c.len_utf8() > LINE_OCTETS {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(c);
            octets += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}
