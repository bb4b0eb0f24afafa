//! When a ticket type is on sale, and what a guest is told about it.

use time::OffsetDateTime;

use super::event_status::EventStatus;

/// When a ticket type is sold.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// None: at once.
    pub opens_at: Option<OffsetDateTime>,
    /// None: when the event begins.
    pub closes_at: Option<OffsetDateTime>,
    pub event_begins_at: OffsetDateTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowState {
    NotYet,
    Open,
    Ended,
}

impl Window {
    pub fn at(&self, now: OffsetDateTime) -> WindowState {
        if self.closes_at.unwrap_or(self.event_begins_at) <= now {
            WindowState::Ended
        } else if self.opens_at.is_some_and(|opens_at| now < opens_at) {
            WindowState::NotYet
        } else {
            WindowState::Open
        }
    }
}

/// What is left of a type: the least over the pools it draws from. No number means unlimited.
#[derive(Clone, Copy, Debug)]
pub struct StockLevel {
    /// Neither held, sold nor blocked.
    pub free: Option<i64>,
    /// Free if every hold came back.
    pub returnable: Option<i64>,
    /// Whether one of the pools is halted: then the numbers are in doubt.
    pub halted: bool,
}

/// Why a guest can or cannot buy now, from the best answer to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Availability {
    OnSale,
    HeldByOthers,
    Halted,
    NotYet,
    SoldOut,
    Ended,
    Cancelled,
}

/// Of one ticket type of which a guest must take `min_per_order` or more.
pub fn of_type(
    status: EventStatus,
    window: WindowState,
    stock: StockLevel,
    min_per_order: i64,
) -> Availability {
    let enough = |units: Option<i64>| units.is_none_or(|units| units >= min_per_order);
    match (status, window) {
        (EventStatus::Cancelled, _) => Availability::Cancelled,
        (_, WindowState::Ended) => Availability::Ended,
        (EventStatus::Inactive, _) | (_, WindowState::NotYet) => Availability::NotYet,
        (EventStatus::Active, WindowState::Open) if stock.halted => Availability::Halted,
        (EventStatus::Active, WindowState::Open) if enough(stock.free) => Availability::OnSale,
        (EventStatus::Active, WindowState::Open) if enough(stock.returnable) => {
            Availability::HeldByOthers
        }
        (EventStatus::Active, WindowState::Open) => Availability::SoldOut,
    }
}

/// Of an event: the best of its types. Without any it is not on sale yet, or over.
pub fn of_event(
    status: EventStatus,
    begun: bool,
    types: impl IntoIterator<Item = Availability>,
) -> Availability {
    match types.into_iter().min() {
        _ if status == EventStatus::Cancelled => Availability::Cancelled,
        Some(best) => best,
        None if begun => Availability::Ended,
        None => Availability::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::{Duration, macros::datetime};

    const SHOW: OffsetDateTime = datetime!(2026-06-12 18:00 UTC);

    fn level(free: i64, returnable: i64) -> StockLevel {
        StockLevel {
            free: Some(free),
            returnable: Some(returnable),
            halted: false,
        }
    }

    #[test]
    fn a_window_opens_and_closes_on_the_dot() {
        let opens_at = SHOW - Duration::days(2);
        let window = Window {
            opens_at: Some(opens_at),
            closes_at: None,
            event_begins_at: SHOW,
        };
        let instant = Duration::microseconds(1);
        assert_eq!(window.at(opens_at - instant), WindowState::NotYet);
        assert_eq!(window.at(opens_at), WindowState::Open);
        assert_eq!(window.at(SHOW - instant), WindowState::Open);
        assert_eq!(window.at(SHOW), WindowState::Ended);
        let always = Window {
            opens_at: None,
            closes_at: Some(SHOW),
            event_begins_at: SHOW,
        };
        assert_eq!(always.at(SHOW - Duration::days(9999)), WindowState::Open);
    }

    #[test]
    fn a_type_says_why() {
        let of = |window, stock| of_type(EventStatus::Active, window, stock, 2);
        assert_eq!(of(WindowState::Open, level(2, 2)), Availability::OnSale);
        assert_eq!(
            of(WindowState::Open, level(1, 2)),
            Availability::HeldByOthers
        );
        assert_eq!(of(WindowState::Open, level(1, 1)), Availability::SoldOut);
        assert_eq!(of(WindowState::NotYet, level(0, 0)), Availability::NotYet);
        assert_eq!(of(WindowState::Ended, level(5, 5)), Availability::Ended);
        let unlimited = StockLevel {
            free: None,
            returnable: None,
            halted: false,
        };
        assert_eq!(of(WindowState::Open, unlimited), Availability::OnSale);
        let halted = StockLevel {
            halted: true,
            ..unlimited
        };
        assert_eq!(of(WindowState::Open, halted), Availability::Halted);
        assert_eq!(of(WindowState::Ended, halted), Availability::Ended);
        assert_eq!(of(WindowState::NotYet, halted), Availability::NotYet);
        let cancelled = of_type(EventStatus::Cancelled, WindowState::Open, unlimited, 1);
        assert_eq!(cancelled, Availability::Cancelled);
    }

    #[test]
    fn an_event_is_as_good_as_its_best_type() {
        use Availability::{Ended, HeldByOthers, NotYet, OnSale, SoldOut};
        let of = |types: &[_]| of_event(EventStatus::Active, false, types.iter().copied());
        assert_eq!(of(&[SoldOut, OnSale, Ended]), OnSale);
        assert_eq!(of(&[SoldOut, HeldByOthers, NotYet]), HeldByOthers);
        assert_eq!(of(&[SoldOut, NotYet]), NotYet);
        assert_eq!(of(&[]), NotYet);
        assert_eq!(of_event(EventStatus::Active, true, []), Ended);
    }
}
