//! The period that figures are asked for, in the days and hours of an event's zone.

use base::Zone;
use time::{
    Date, Duration, OffsetDateTime, PrimitiveDateTime, Time,
    format_description::well_known::Rfc3339, macros::format_description,
};

/// Of hours.
pub const HOURS_MAX: Duration = Duration::days(31);

/// How long a piece of the period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Hour,
    Day,
    Week,
    Month,
}

impl Piece {
    /// As PostgreSQL names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// An end of a period, as somebody wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Day(Date),
    At(OffsetDateTime),
}

impl Bound {
    /// None where it is neither a day nor a time.
    pub fn read(text: &str) -> Option<Self> {
        let day = Date::parse(text, format_description!("[year]-[month]-[day]"));
        let at = || OffsetDateTime::parse(text, &Rfc3339).map(Self::At);
        let bound = day.map(Self::Day).or_else(|_| at()).ok()?;
        let year = match bound {
            Self::Day(day) => day.year(),
            Self::At(at) => at.year(),
        };
        // PostgreSQL and the calendar both know these, and the days around them.
        (1900..=9000).contains(&year).then_some(bound)
    }
}

/// A period in a zone. An end that is absent is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: Option<OffsetDateTime>,
    /// The first moment after it.
    pub to: Option<OffsetDateTime>,
    /// The same in days.
    pub first_day: Option<Date>,
    /// The first one after it.
    pub end_day: Option<Date>,
}

/// What is wrong with a period, by the field that it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong(pub &'static str, pub &'static str);

impl Period {
    pub fn of(
        ends: (Option<Bound>, Option<Bound>),
        piece: Option<Piece>,
        zone: &Zone,
        now: OffsetDateTime,
    ) -> Result<Self, Wrong> {
        let hours = piece == Some(Piece::Hour);
        let mut from = ends.0.map(|bound| begin(bound, zone, hours));
        let to = ends.1.map(|bound| end(bound, zone, hours));
        if hours {
            let last = to.unwrap_or_else(|| ceil_hour(now, zone));
            let first = from.get_or_insert(last - HOURS_MAX);
            if last - *first > HOURS_MAX + Duration::hours(2) {
                return Err(Wrong(
                    "from",
                    "must be at most 31 days before `to`, for hours",
                ));
            }
        }
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(Wrong("to", "must be after `from`"));
        }
        Ok(Self {
            from,
            to,
            first_day: from.map(|at| zone.to_local(at).date()),
            end_day: to.map(|at| day_after(at, zone)),
        })
    }
}

/// The first moment of a day there.
pub fn midnight(day: Date, zone: &Zone) -> OffsetDateTime {
    zone.at_local(PrimitiveDateTime::new(day, Time::MIDNIGHT))
}

fn begin(bound: Bound, zone: &Zone, hours: bool) -> OffsetDateTime {
    match bound {
        Bound::Day(day) => midnight(day, zone),
        Bound::At(at) if hours => floor_hour(at, zone),
        Bound::At(at) => midnight(zone.to_local(at).date(), zone),
    }
}

fn end(bound: Bound, zone: &Zone, hours: bool) -> OffsetDateTime {
    match bound {
        Bound::Day(day) => midnight(next(day), zone),
        Bound::At(at) if hours => ceil_hour(at, zone),
        Bound::At(at) => midnight(day_after(at, zone), zone),
    }
}

/// The first day that has nothing of what lies before this moment.
fn day_after(at: OffsetDateTime, zone: &Zone) -> Date {
    next(zone.to_local(at - Duration::NANOSECOND).date())
}

fn next(day: Date) -> Date {
    day.next_day().unwrap_or(Date::MAX)
}

/// When the hour of the clock there began that shows this moment.
fn floor_hour(at: OffsetDateTime, zone: &Zone) -> OffsetDateTime {
    let shown = zone.to_local(at).time();
    at - Duration::minutes(shown.minute().into())
        - Duration::seconds(shown.second().into())
        - Duration::nanoseconds(shown.nanosecond().into())
}

fn ceil_hour(at: OffsetDateTime, zone: &Zone) -> OffsetDateTime {
    let floor = floor_hour(at, zone);
    if floor == at {
        at
    } else {
        floor + Duration::HOUR
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-10-25 12:34:56 UTC);

    fn period(from: &str, to: &str, piece: Piece, zone: &str) -> Result<Period, Wrong> {
        let ends = (Bound::read(from), Bound::read(to));
        Period::of(ends, Some(piece), &zone.parse().unwrap(), NOW)
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let found = period("2026-10-25", "2026-10-25", Piece::Day, "Europe/Berlin").unwrap();
        // Summer time ends: this day has 25 hours.
        assert_eq!(found.from, Some(datetime!(2026-10-24 22:00 UTC)));
        assert_eq!(found.to, Some(datetime!(2026-10-25 23:00 UTC)));
        assert_eq!(found.first_day, Some(date!(2026 - 10 - 25)));
        assert_eq!(found.end_day, Some(date!(2026 - 10 - 26)));
    }

    #[test]
    fn a_time_takes_its_day_or_its_hour_whole() {
        let (from, to) = ("2026-10-24T20:15:00Z", "2026-10-24T22:00:00Z");
        let days = period(from, to, Piece::Week, "Asia/Kathmandu").unwrap();
        assert_eq!(days.from, Some(datetime!(2026-10-24 18:15 UTC)));
        assert_eq!(days.end_day, Some(date!(2026 - 10 - 26)));
        let hours = period(from, to, Piece::Hour, "Asia/Kathmandu").unwrap();
        assert_eq!(hours.from, Some(datetime!(2026-10-24 20:15 UTC)));
        assert_eq!(hours.to, Some(datetime!(2026-10-24 22:15 UTC)));
    }

    #[test]
    fn hours_are_few() {
        let found = period("", "", Piece::Hour, "UTC").unwrap();
        assert_eq!(found.from, Some(datetime!(2026-09-24 13:00 UTC)));
        assert!(period("2026-01-01", "2026-02-02", Piece::Hour, "UTC").is_err());
        assert!(period("2026-01-01", "2026-01-31", Piece::Hour, "UTC").is_ok());
    }

    #[test]
    fn nonsense_is_no_period() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "0001-01-01",
            "2026-10-24T20:15",
        ] {
            assert_eq!(Bound::read(text), None, "{text}");
        }
        let wrong = period("2026-10-02", "2026-10-01", Piece::Day, "UTC");
        assert_eq!(wrong, Err(Wrong("to", "must be after `from`")));
    }
}
