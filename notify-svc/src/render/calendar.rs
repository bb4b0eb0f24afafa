//! The event as a calendar file (RFC 5545).

use base::OrderId;
use jiff::{
    SignedDuration, Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use time::OffsetDateTime;

use super::vtimezone::vtimezone;
use super::{About, Event, File, Language, Receipt, one_line};

/// Nobody told us how long the concert lasts. Without an end most calendars show a moment of no length, which
/// overlaps with nothing and reminds of nothing; three hours block the evening of a usual concert.
const ASSUMED_LENGTH: SignedDuration = SignedDuration::from_hours(3);

/// Longest line in octets, its CRLF not counted (RFC 5545 §3.1).
const LINE_OCTETS: usize = 75;

/// An order's event, as its guest's calendar is to have it.
#[derive(Debug, Clone)]
pub struct Appointment<'a> {
    pub event: &'a Event,
    pub order_id: OrderId,
    pub number: &'a str,
    pub link: &'a str,
    pub language: Language,
    /// None where the reader knows how many there are.
    pub tickets: Option<usize>,
    /// When the facts were fixed, not when this text is made: rendering again changes nothing.
    pub at: OffsetDateTime,
    /// It does not take place, and calendars are to drop it.
    pub cancelled: bool,
}

/// The calendar file of a paid order.
pub fn calendar(receipt: &Receipt) -> String {
    let order = &receipt.order;
    let appointment = Appointment {
        event: &receipt.event,
        order_id: order.id,
        number: &order.number,
        link: &order.link,
        language: order.language,
        tickets: Some(receipt.tickets.len()),
        at: order.paid_at,
        cancelled: false,
    };
    appointment.file()
}

/// What brings a guest's calendar up to date when an event has a new date, or none any more.
pub(crate) fn date_file(about: &About, at: OffsetDateTime, cancelled: bool) -> File {
    let appointment = Appointment {
        event: &about.event,
        order_id: about.id,
        number: &about.number,
        link: &about.link,
        language: about.language,
        tickets: None,
        at,
        cancelled,
    };
    File {
        name: "event.ics".to_owned(),
        media_type: if cancelled {
            "text/calendar; charset=utf-8; method=CANCEL"
        } else {
            "text/calendar; charset=utf-8; method=PUBLISH"
        },
        content: appointment.file().into_bytes(),
    }
}

impl Appointment<'_> {
    /// An `.ics` file with one event. The same order always gives the same UID, and newer facts of the event a greater
    /// SEQUENCE: what is imported later replaces what was there, and an older file changes nothing.
    ///
    /// There is no ORGANIZER: calendars would offer to answer an address that nobody reads.
    pub fn file(&self) -> String {
        let event = self.event;
        let start = timestamp(event.starts_at);
        let end = start.saturating_add(ASSUMED_LENGTH).unwrap_or(start);
        let local = zone_in_which_both_are_clear(event.zone.name(), start, end);
        let stamp = |name: &str, at: Timestamp| match &local {
            Some((id, zone)) => {
                let shown = zone.to_datetime(at).strftime("%Y%m%dT%H%M%S");
                format!("{name};TZID={id}:{shown}")
            }
            None => format!("{name}:{}", utc(at)),
        };
        let (method, status, step) = match self.cancelled {
            true => ("CANCEL", "CANCELLED", 1),
            false => ("PUBLISH", "CONFIRMED", 0),
        };
        // RFC 5545 §3.3.8: an INTEGER ends at 2^31 - 1.
        let sequence = event.version.saturating_add(step);
        let sequence = sequence.clamp(0, i64::from(i32::MAX));

        let mut file = Lines::default();
        file.line("BEGIN:VCALENDAR");
        file.line("VERSION:2.0");
        file.line("PRODID:-//Boxoffice//Receipt//EN");
        file.line("CALSCALE:GREGORIAN");
        file.line(&format!("METHOD:{method}"));
        if let Some((id, zone)) = &local {
            let rules = vtimezone(id, zone, start);
            rules.iter().for_each(|line| file.line(line));
        }
        file.line("BEGIN:VEVENT");
        file.line(&format!("UID:{}-{}@boxoffice", event.id, self.order_id));
        file.line(&format!("SEQUENCE:{sequence}"));
        file.line(&format!("DTSTAMP:{}", utc(timestamp(self.at))));
        file.line(&stamp("DTSTART", start));
        file.line(&stamp("DTEND", end));
        file.line(&format!("SUMMARY:{}", escape(&one_line(&event.title))));
        file.line(&format!("LOCATION:{}", escape(&one_line(&event.location))));
        file.line(&format!("DESCRIPTION:{}", escape(&self.description())));
        file.line(&format!("URL:{}", one_line(self.link)));
        file.line(&format!("STATUS:{status}"));
        file.line(if self.cancelled {
            "TRANSP:TRANSPARENT"
        } else {
            "TRANSP:OPAQUE"
        });
        file.line("END:VEVENT");
        file.line("END:VCALENDAR");
        file.0
    }

    fn description(&self) -> String {
        let (order, one, several) = match self.language {
            Language::En => ("Order", "ticket", "tickets"),
            Language::De => ("Bestellung", "Ticket", "Tickets"),
            Language::Fr => ("Commande", "billet", "billets"),
        };
        let order = match self.tickets {
            None => format!("{order} {}", self.number),
            Some(1) => format!("{order} {}, 1 {one}", self.number),
            Some(count) => format!("{order} {}, {count} {several}", self.number),
        };
        match self.event.description.trim() {
            "" => order,
            about => format!("{about}\n\n{order}"),
        }
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
struct Lines(String);

impl Lines {
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
