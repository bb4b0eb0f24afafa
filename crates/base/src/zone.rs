//! Time zones by IANA name. The rules are compiled in, so every machine reads the same clock.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

static RULES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone such as `Europe/Berlin`, in the database's own spelling.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// No time zone of the IANA database has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time zone of the IANA database, such as Europe/Berlin")]
pub struct UnknownZone;

impl Zone {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The distance from UTC at that moment, and what people there call it (`CEST`; `UTC+03` where there is no word).
    pub fn offset_at(&self, at: OffsetDateTime) -> (UtcOffset, String) {
        let nanos = i32::try_from(at.nanosecond()).unwrap_or(0);
        // Beyond the range of the database (years ±9999) the far end's rule goes on.
        let moment =
            jiff::Timestamp::new(at.unix_timestamp(), nanos).unwrap_or(jiff::Timestamp::MAX);
        let info = self.rules.to_offset_info(moment);
        let offset = UtcOffset::from_whole_seconds(info.offset().seconds());
        let word = match info.abbreviation() {
            word if word.starts_with(['+', '-']) => format!("UTC{word}"),
            word => word.to_owned(),
        };
        (offset.unwrap_or(UtcOffset::UTC), word)
    }

    /// The same moment on the clock of this zone.
    pub fn to_local(&self, at: OffsetDateTime) -> OffsetDateTime {
        at.checked_to_offset(self.offset_at(at).0).unwrap_or(at)
    }

    /// The moment at which the clock of this zone shows that. A time that the clock skips is moved on
    /// by what was skipped; of one that it shows twice, the first is meant.
    pub fn at_local(&self, shown: PrimitiveDateTime) -> OffsetDateTime {
        let naive = shown.assume_utc();
        let clock = jiff::Timestamp::new(naive.unix_timestamp(), 0)
            .map(|moment| TimeZone::UTC.to_datetime(moment))
            .and_then(|clock| self.rules.to_ambiguous_timestamp(clock).compatible());
        let seconds = clock.map_or(naive.unix_timestamp(), jiff::Timestamp::as_second);
        let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(naive);
        moment
            .replace_nanosecond(naive.nanosecond())
            .unwrap_or(moment)
    }

    /// The moment that is as far from `to` as `at` is from `from`, by the clock of this zone: an
    /// hour of the day stays that hour across a change to summer time.
    pub fn moved(
        &self,
        at: OffsetDateTime,
        from: OffsetDateTime,
        to: OffsetDateTime,
    ) -> OffsetDateTime {
        let shown = |moment| {
            let local = self.to_local(moment);
            PrimitiveDateTime::new(local.date(), local.time())
        };
        match shown(to).checked_add(shown(at) - shown(from)) {
            Some(moved) => self.at_local(moved),
            None => to,
        }
    }

    /// For people: `Friday 12 June 2026, 20:00 CEST`.
    pub fn format_long(&self, at: OffsetDateTime) -> String {
        let format = format_description!(
            "[weekday] [day padding:none] [month repr:long] [year], [hour]:[minute]"
        );
        let (_, word) = self.offset_at(at);
        match self.to_local(at).format(&format) {
            Ok(text) => format!("{text} {word}"),
            Err(_) => at.to_string(),
        }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let rules = RULES.get(name).map_err(|_| UnknownZone)?;
        let name = rules.iana_name().ok_or(UnknownZone)?.to_owned();
        if rules.is_unknown() {
            return Err(UnknownZone);
        }
        Ok(Self { name, rules })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

serde_as_text!(Zone);

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    #[test]
    fn names() {
        assert_eq!(zone("Europe/Berlin").to_string(), "Europe/Berlin");
        assert_eq!(zone("europe/berlin"), zone("Europe/Berlin"));
        assert_eq!(zone("UTC").name(), "UTC");
        for bad in [
            "",
            "Europe/Atlantis",
            "+02:00",
            "Etc/Unknown",
            "Europe/Berlin\0",
            "local",
        ] {
            assert_eq!(bad.parse::<Zone>(), Err(UnknownZone), "{bad:?}");
        }
    }

    #[test]
    fn people_read() {
        let evening = datetime!(2026-06-12 18:00 UTC);
        let text = |name| zone(name).format_long(evening);
        assert_eq!(text("Europe/Berlin"), "Friday 12 June 2026, 20:00 CEST");
        assert_eq!(text("America/New_York"), "Friday 12 June 2026, 14:00 EDT");
        assert_eq!(text("Asia/Tokyo"), "Saturday 13 June 2026, 03:00 JST");
        assert_eq!(
            text("America/Sao_Paulo"),
            "Friday 12 June 2026, 15:00 UTC-03"
        );
        assert_eq!(text("UTC"), "Friday 12 June 2026, 18:00 UTC");
    }

    #[test]
    fn summer_time_changes_the_offset() {
        let berlin = zone("Europe/Berlin");
        let before = berlin.offset_at(datetime!(2026-03-29 00:59:59 UTC));
        let after = berlin.offset_at(datetime!(2026-03-29 01:00 UTC));
        assert_eq!(before, (time::macros::offset!(+1), "CET".to_owned()));
        assert_eq!(after, (time::macros::offset!(+2), "CEST".to_owned()));
        let local = berlin.to_local(datetime!(2026-03-29 01:00 UTC));
        assert_eq!(
            (local.hour(), local.offset()),
            (3, time::macros::offset!(+2))
        );
    }

    #[test]
    fn a_clock_skips_an_hour_and_shows_another_twice() {
        let berlin = zone("Europe/Berlin");
        let at = |shown| berlin.at_local(shown);
        assert_eq!(
            at(datetime!(2026-06-12 20:00:00.5)),
            datetime!(2026-06-12 18:00:00.5 UTC)
        );
        // 02:30 does not exist on that day, 03:30 does.
        assert_eq!(
            at(datetime!(2026-03-29 2:30)),
            datetime!(2026-03-29 1:30 UTC)
        );
        assert_eq!(
            at(datetime!(2026-10-25 2:30)),
            datetime!(2026-10-25 0:30 UTC)
        );
    }

    #[test]
    fn what_is_moved_keeps_its_hour() {
        let berlin = zone("Europe/Berlin");
        // A sale from 10:00 on, 14 days before a show at 20:00 in winter, for a show in summer.
        let moved = berlin.moved(
            datetime!(2026-02-27 9:00 UTC),
            datetime!(2026-03-13 19:00 UTC),
            datetime!(2026-04-10 18:00 UTC),
        );
        assert_eq!(moved, datetime!(2026-03-27 9:00 UTC));
        let moved = berlin.moved(
            datetime!(2026-02-27 9:00 UTC),
            datetime!(2026-03-13 19:00 UTC),
            datetime!(2026-04-24 18:00 UTC),
        );
        assert_eq!(moved, datetime!(2026-04-10 8:00 UTC));
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for at in [
            datetime!(-9999-01-01 0:00 UTC),
            datetime!(9999-12-31 23:59:59 UTC),
        ] {
            let far = zone("Pacific/Kiritimati");
            assert!(!far.format_long(at).is_empty());
            far.moved(at, datetime!(2026-01-01 0:00 UTC), at);
        }
    }
}
