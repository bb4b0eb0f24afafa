//! The rules of one time zone around one moment, as a calendar file carries them.

use jiff::tz::{Dst, Offset, TimeZone};
use jiff::{Timestamp, civil::DateTime};

/// The lines of a VTIMEZONE that is right from the last change of clocks before `at` to the second one after it.
/// Exact past and coming changes are listed instead of a yearly rule, which many zones do not have.
pub(super) fn vtimezone(id: &str, zone: &TimeZone, at: Timestamp) -> Vec<String> {
    let mut lines = vec!["BEGIN:VTIMEZONE".to_owned(), format!("TZID:{id}")];
    // `preceding` is strict: a concert that starts with the change of clocks itself counts as after it.
    let after = at
        .saturating_add(jiff::SignedDuration::from_secs(1))
        .unwrap_or(at);
    let last = zone
        .preceding(after)
        .next()
        .map(|change| change.timestamp());
    match last {
        Some(change) => lines.extend(observance(zone, change)),
        None => lines.extend(fixed(zone, at)),
    }
    for change in zone.following(at).take(1) {
        lines.extend(observance(zone, change.timestamp()));
    }
    lines.push("END:VTIMEZONE".to_owned());
    lines
}

/// What holds from this change of clocks on.
fn observance(zone: &TimeZone, change: Timestamp) -> Vec<String> {
    let just_before = change
        .saturating_sub(jiff::SignedDuration::from_secs(1))
        .unwrap_or(change);
    let from = zone.to_offset(just_before);
    // The onset is written in the local time that ends with it.
    block(zone, change, from, from.to_datetime(change))
}

/// A zone whose clocks never changed.
fn fixed(zone: &TimeZone, at: Timestamp) -> Vec<String> {
    block(
        zone,
        at,
        zone.to_offset(at),
        DateTime::constant(1970, 1, 1, 0, 0, 0, 0),
    )
}

fn block(zone: &TimeZone, at: Timestamp, from: Offset, onset: DateTime) -> Vec<String> {
    let info = zone.to_offset_info(at);
    let kind = if info.dst() == Dst::Yes {
        "DAYLIGHT"
    } else {
        "STANDARD"
    };
    vec![
        format!("BEGIN:{kind}"),
        format!("DTSTART:{}", onset.strftime("%Y%m%dT%H%M%S")),
        format!("TZOFFSETFROM:{}", offset(from)),
        format!("TZOFFSETTO:{}", offset(info.offset())),
        format!("TZNAME:{}", info.abbreviation()),
        format!("END:{kind}"),
    ]
}

/// `+0200`, or `+001933` for the local mean time of long ago.
fn offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, rest) = (seconds.abs() / 3600, seconds.abs() % 3600);
    let (minutes, seconds) = (rest / 60, rest % 60);
    match seconds {
        0 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}{seconds:02}"),
    }
}
