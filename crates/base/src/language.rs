//! The languages that guests are spoken to in, and how each writes dates and money.

use crate::{Money, Zone};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Of a page, a message or a document. Whoever asked for another one reads English.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    De,
    Fr,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::En, Self::De, Self::Fr];

    /// Of a BCP 47 tag such as `de-AT`, whose first subtag decides.
    pub fn of(locale: &str) -> Self {
        let first = locale.split(['-', '_']).next().unwrap_or_default();
        let known = |language: &Self| language.tag().eq_ignore_ascii_case(first);
        Self::ALL.into_iter().find(known).unwrap_or_default()
    }

    /// Only the tag itself, unlike [`Language::of`].
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// What its own speakers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
            Self::Fr => "Français",
        }
    }

    /// ISO 639-1, as documents and headers name it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
        }
    }

    /// `Friday 12 June 2026, 20:00 CEST`.
    pub fn moment(self, zone: &Zone, at: OffsetDateTime) -> String {
        let (date, time) = (self.date(zone, at), self.time(zone, at));
        match self {
            Self::En | Self::De => format!("{date}, {time}"),
            Self::Fr => format!("{date} à {time}"),
        }
    }

    /// `Friday 12 June 2026`.
    pub fn date(self, zone: &Zone, at: OffsetDateTime) -> String {
        let local = zone.to_local(at);
        let weekday = usize::from(local.weekday().number_days_from_monday());
        let month = usize::from(u8::from(local.month())) - 1;
        let (day, year) = (local.day(), local.year());
        match self {
            Self::En => format!("{} {day} {} {year}", local.weekday(), local.month()),
            Self::De => {
                let (weekday, month) = (GERMAN_DAYS[weekday], GERMAN_MONTHS[month]);
                format!("{weekday}, {day}. {month} {year}")
            }
            Self::Fr => {
                let (weekday, month) = (FRENCH_DAYS[weekday], FRENCH_MONTHS[month]);
                let first = if day == 1 { "er" } else { "" };
                format!("{weekday} {day}{first} {month} {year}")
            }
        }
    }

    /// `20:00 CEST`, on the clock of that zone.
    pub fn time(self, zone: &Zone, at: OffsetDateTime) -> String {
        let local = zone.to_local(at);
        let (hour, minute) = (local.hour(), local.minute());
        let (_, word) = zone.offset_at(at);
        match self {
            Self::En => format!("{hour:02}:{minute:02} {word}"),
            Self::De => format!("{hour:02}:{minute:02} Uhr {}", german_zone(&word)),
            Self::Fr => format!("{hour} h {minute:02} ({word})"),
        }
    }

    /// `1,234.50 EUR`, `1.234,50 EUR`, `1 234,50 EUR`; the digits after the point are the currency's.
    pub fn money(self, money: Money) -> String {
        // U+202F, a narrow space at which no line is broken.
        let (group, point) = match self {
            Self::En => (',', '.'),
            Self::De => ('.', ','),
            Self::Fr => ('\u{202f}', ','),
        };
        let plain = money.to_string();
        let (amount, code) = plain.split_once(' ').unwrap_or((&plain, ""));
        let (sign, amount) = match amount.strip_prefix('-') {
            Some(amount) => ("-", amount),
            None => ("", amount),
        };
        let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
        let mut text = String::from(sign);
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                text.push(group);
            }
            text.push(digit);
        }
        if !part.is_empty() {
            text.push(point);
            text.push_str(part);
        }
        format!("{text} {code}")
    }

    /// A rate in parts per million as people write it, without needless zeros: `19 %`, `7.7 %`, `8.875 %`.
    pub fn percent(self, rate_ppm: u32) -> String {
        const PPM_PER_PERCENT: u32 = 10_000;
        let (whole, part) = (rate_ppm / PPM_PER_PERCENT, rate_ppm % PPM_PER_PERCENT);
        let point = match self {
            Self::En => '.',
            Self::De | Self::Fr => ',',
        };
        let decimals = format!("{part:04}");
        match decimals.trim_end_matches('0') {
            "" => format!("{whole} %"),
            decimals => format!("{whole}{point}{decimals} %"),
        }
    }
}

const GERMAN_DAYS: [&str; 7] = [
    "Montag",
    "Dienstag",
    "Mittwoch",
    "Donnerstag",
    "Freitag",
    "Samstag",
    "Sonntag",
];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const FRENCH_DAYS: [&str; 7] = [
    "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
];
const FRENCH_MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// German has words of its own for the zones it is spoken in.
fn german_zone(word: &str) -> &str {
    match word {
        "CET" => "MEZ",
        "CEST" => "MESZ",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;
    use time::macros::datetime;

    #[test]
    fn the_first_subtag_decides() {
        for (locale, language) in [
            ("", Language::En),
            ("en", Language::En),
            ("de", Language::De),
            ("DE-at", Language::De),
            ("fr_CA", Language::Fr),
            ("fra", Language::En),
            ("pl", Language::En),
            ("x-de", Language::En),
        ] {
            assert_eq!(Language::of(locale), language, "{locale:?}");
        }
    }

    #[test]
    fn dates() {
        let zone: Zone = "Europe/Paris".parse().unwrap();
        let text = |language: Language, at| language.moment(&zone, at);
        let evening = datetime!(2026-06-12 18:00 UTC);
        assert_eq!(
            text(Language::En, evening),
            "Friday 12 June 2026, 20:00 CEST"
        );
        assert_eq!(text(Language::En, evening), zone.format_long(evening));
        assert_eq!(
            text(Language::De, evening),
            "Freitag, 12. Juni 2026, 20:00 Uhr MESZ"
        );
        assert_eq!(
            text(Language::Fr, evening),
            "vendredi 12 juin 2026 à 20 h 00 (CEST)"
        );
        let new_year = datetime!(2028-12-31 23:05 UTC);
        assert_eq!(
            text(Language::De, new_year),
            "Montag, 1. Januar 2029, 00:05 Uhr MEZ"
        );
        assert_eq!(
            text(Language::Fr, new_year),
            "lundi 1er janvier 2029 à 0 h 05 (CET)"
        );
    }

    #[test]
    fn amounts() {
        let text = |language: Language, amount, code: &str| {
            let currency: Currency = code.parse().unwrap();
            language.money(Money::new(amount, currency))
        };
        for (language, cents, large, yen) in [
            (Language::En, "-0.05 EUR", "1,234,567.80 EUR", "4,500 JPY"),
            (Language::De, "-0,05 EUR", "1.234.567,80 EUR", "4.500 JPY"),
            (
                Language::Fr,
                "-0,05 EUR",
                "1\u{202f}234\u{202f}567,80 EUR",
                "4\u{202f}500 JPY",
            ),
        ] {
            assert_eq!(text(language, -5, "EUR"), cents);
            assert_eq!(text(language, 123_456_780, "EUR"), large);
            assert_eq!(text(language, 4_500, "JPY"), yen);
        }
        assert_eq!(text(Language::En, 99_999, "EUR"), "999.99 EUR");
        assert_eq!(text(Language::De, -100_000, "KWD"), "-100,000 KWD");
    }

    #[test]
    fn rates() {
        assert_eq!(Language::En.percent(190_000), "19 %");
        assert_eq!(Language::En.percent(77_000), "7.7 %");
        assert_eq!(Language::De.percent(88_750), "8,875 %");
        assert_eq!(Language::Fr.percent(55_000), "5,5 %");
    }
}
