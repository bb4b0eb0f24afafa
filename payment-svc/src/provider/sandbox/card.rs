//! The sandbox's cards.

use time::{Date, Month, OffsetDateTime};

/// What a card does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardOutcome {
    Pays,
    Declined,
    /// The guest is asked once more, as by a bank's own page.
    AsksFirst,
    PaysButReportsLate,
    /// Until it is closed or settled.
    Pends,
    /// Until it is settled; it cannot be closed.
    PendsForGood,
    PaysButRefundsLate,
    PaysButNeverRefunds,
}

const CARDS: &[(&str, CardOutcome)] = &[
    ("4242424242424242", CardOutcome::Pays),
    ("4000002500003155", CardOutcome::AsksFirst),
    ("4000000000000077", CardOutcome::PaysButReportsLate),
    ("4000000000000119", CardOutcome::Pends),
    ("4000000000000341", CardOutcome::PendsForGood),
    ("4000000000007726", CardOutcome::PaysButRefundsLate),
    ("4000000000005126", CardOutcome::PaysButNeverRefunds),
];

/// Any number but the known ones is declined. Spaces and dashes do not count.
pub fn outcome(number: &str) -> CardOutcome {
    let digits: String = number.chars().filter(|c| !" -".contains(*c)).collect();
    let known = CARDS.iter().find(|(card, _)| *card == digits);
    known.map_or(CardOutcome::Declined, |(_, outcome)| *outcome)
}

/// `MM/YY` or `MM/YYYY`, and the month is not over yet.
pub fn expiry_is_good(exp: &str, now: OffsetDateTime) -> bool {
    first_day_after(exp).is_some_and(|day| now.date() < day)
}

/// Exactly three digits.
pub fn cvc_is_good(cvc: &str) -> bool {
    cvc.len() == 3 && cvc.bytes().all(|b| b.is_ascii_digit())
}

fn first_day_after(exp: &str) -> Option<Date> {
    let (month, year) = exp.trim().split_once('/')?;
    let (month, year) = (month.trim(), year.trim());
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !(all_digits(month) && all_digits(year)) || month.len() > 2 {
        return None;
    }
    let year = match year.len() {
        2 => 2000 + year.parse::<i32>().ok()?,
        4 => year.parse().ok()?,
        _ => return None,
    };
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let year = if month == Month::December {
        year + 1
    } else {
        year
    };
    Date::from_calendar_date(year, month.next(), 1).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_card_is_known_by_its_digits() {
        assert_eq!(outcome("4242 4242 4242 4242"), CardOutcome::Pays);
        assert_eq!(outcome("4000-0025-0000-3155"), CardOutcome::AsksFirst);
        for declined in ["4000000000000002", "42424242424242424", "", "Ω"] {
            assert_eq!(outcome(declined), CardOutcome::Declined, "{declined}");
        }
    }

    #[test]
    fn a_card_is_good_to_the_end_of_its_month() {
        let now = datetime!(2026-12-31 23:59 UTC);
        for good in ["12/26", "1/27", "12/2026", " 12 / 26 "] {
            assert!(expiry_is_good(good, now), "{good}");
        }
        for bad in [
            "11/26", "13/27", "0/27", "12", "1226", "12/6", "+1/27", "12/99999", "Ω/27",
        ] {
            assert!(!expiry_is_good(bad, now), "{bad}");
        }
        assert!(
            cvc_is_good("123") && !cvc_is_good("12") && !cvc_is_good("12a") && !cvc_is_good("1234")
        );
    }
}
