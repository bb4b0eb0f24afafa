//! Who gets what: in the order of arrival, all lines or none. One who does not fit is refused, and the
//! next one may fit. No I/O; whether it comes true is decided by the statement.

use std::collections::{HashMap, HashSet};

use base::{EventId, Money, PoolId, TicketTypeId};
use time::OffsetDateTime;

use super::{
    sale::{Offer, Sale},
    wish::{Wish, WishLine},
};
use crate::{
    domain::{event_status::EventStatus, sales::WindowState},
    error::Error,
    store::{holds::HoldLine, stock::Need},
};

/// What is known when it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub sales: &'a HashMap<EventId, Sale>,
    pub pools: &'a HashMap<PoolId, Level>,
    pub now: OffsetDateTime,
}

/// A pool as it was seen last. None means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Neither held, sold nor blocked.
    pub free: Option<i64>,
    /// Free if every hold came back.
    pub returnable: Option<i64>,
    /// The auditor has halted it.
    pub halted: bool,
}

impl Level {
    /// Of a pool that nobody has looked at: the statement will tell.
    const UNKNOWN: Self = Self {
        free: None,
        returnable: None,
        halted: false,
    };
}

#[derive(Debug)]
pub enum Decision {
    Grant(Grant),
    Refuse(Refusal),
    /// One before it, with the same key and another body, is granted. If that comes true this one is
    /// wrong.
    Wait,
}

/// A hold to be made.
#[derive(Debug)]
pub struct Grant {
    pub lines: Vec<HoldLine>,
    pub needs: Vec<Need>,
    pub total: Money,
    /// It may be made from then on, where that is a limit.
    pub opens_at: Option<OffsetDateTime>,
    /// And before then.
    pub closes_at: OffsetDateTime,
}

#[derive(Debug)]
pub struct Refusal {
    pub error: Error,
    pub because: Because,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Because {
    /// The picture of the sale does not know the type. A newer one may.
    UnknownType,
    /// Others hold what is missing in these pools.
    Held(Vec<PoolId>),
    /// Anything else that the facts say.
    Facts,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            because: Because::Facts,
        }
    }
}

/// A decision for each wish, in their order.
pub fn decide<'a>(facts: &Facts<'_>, wishes: impl Iterator<Item = &'a Wish>) -> Vec<Decision> {
    let (mut taken, mut granted) = (HashMap::new(), HashSet::new());
    let decisions = wishes.map(|wish| {
        if granted.contains(&wish.key_id) {
            return Decision::Wait;
        }
        match one(facts, &mut taken, wish) {
            Ok(grant) => {
                granted.insert(wish.key_id);
                Decision::Grant(grant)
            }
            Err(refusal) => Decision::Refuse(refusal),
        }
    });
    decisions.collect()
}

fn one(facts: &Facts<'_>, taken: &mut HashMap<PoolId, i64>, wish: &Wish) -> Result<Grant, Refusal> {
    let sale = facts.sales.get(&wish.event_id);
    let sale = sale.ok_or(Error::NotFound("event"))?;
    // First of all: a picture that does not know a type is older than the type, and so may be its
    // status. No pool of the type tells so.
    let offers = offers(sale, wish)?;
    if sale.event.status() != EventStatus::Active {
        return Err(Error::EventNotActive.into());
    }
    let mut grant = Grant {
        lines: Vec::with_capacity(wish.lines.len()),
        needs: Vec::with_capacity(wish.lines.len()),
        total: Money::new(0, sale.event.currency()),
        opens_at: None,
        closes_at: sale.event.date_time,
    };
    for ((index, line), offer) in (0_i32..).zip(&wish.lines).zip(offers) {
        grant.add(facts, sale, (index, line), offer)?;
    }
    let amounts = grant.lines.iter();
    let amounts = amounts.map(|line| Money::new(line.total_minor(), grant.total.currency));
    grant.total = Money::sum(grant.total.currency, amounts)
        .map_err(|_| Error::Fault("a hold's total is beyond the limits of its lines"))?;
    take(facts, taken, &grant)?;
    Ok(grant)
}

/// What is offered for each line.
fn offers<'a>(sale: &'a Sale, wish: &Wish) -> Result<Vec<&'a Offer>, Refusal> {
    let lines = wish.lines.iter().enumerate();
    let offers = lines.map(|(index, line)| {
        sale.offer(line.ticket_type_id).ok_or_else(|| Refusal {
            error: Error::field(
                format!("lines[{index}].ticket_type_id"),
                "must be a ticket type of this event",
            ),
            because: Because::UnknownType,
        })
    });
    offers.collect()
}

impl Grant {
    /// One line, if it may be sold now, at the price of now.
    fn add(
        &mut self,
        facts: &Facts<'_>,
        sale: &Sale,
        (index, line): (i32, &WishLine),
        offer: &Offer,
    ) -> Result<(), Error> {
        let (id, ticket_type) = (line.ticket_type_id, &offer.ticket_type);
        let window = ticket_type.window(&sale.event);
        match window.at(facts.now) {
            WindowState::Open => {}
            WindowState::NotYet => return Err(Error::SalesNotStarted(id)),
            WindowState::Ended => return Err(Error::SalesEnded(id)),
        }
        let (min, max) = (ticket_type.min_per_order, ticket_type.max_per_order);
        if !(i64::from(min)..=i64::from(max)).contains(&i64::from(line.quantity)) {
            return Err(Error::LimitExceeded {
                ticket_type_id: id,
                min,
                max,
            });
        }
        self.opens_at = self.opens_at.max(window.opens_at);
        let closes_at = window.closes_at.unwrap_or(window.event_begins_at);
        self.closes_at = if index == 0 {
            closes_at
        } else {
            self.closes_at.min(closes_at)
        };
        let unit = sale.event.fee().of(ticket_type.price_minor);
        self.lines.push(HoldLine {
            line: index,
            ticket_type_id: id,
            category: ticket_type.category.clone(),
            quantity: line.quantity,
            unit_price_minor: unit.price_minor,
            unit_fee_minor: unit.fee_minor,
            tax_rate_ppm: ticket_type.tax_rate_ppm.cast_unsigned(),
        });
        self.needs.extend(offer.pools.iter().map(|pool_id| Need {
            line: index,
            pool_id: *pool_id,
            quantity: i64::from(line.quantity),
        }));
        Ok(())
    }

    fn type_of(&self, need: &Need) -> Option<TicketTypeId> {
        let line = self.lines.iter().find(|line| line.line == need.line)?;
        Some(line.ticket_type_id)
    }
}

/// Takes every need from what the wishes before have left, or nothing. A halted pool outweighs a
/// shortage, for its counters are in doubt; sold out outweighs held by others, for then waiting is in
/// vain.
fn take(facts: &Facts<'_>, taken: &mut HashMap<PoolId, i64>, grant: &Grant) -> Result<(), Refusal> {
    let mut wanted: HashMap<PoolId, i64> = HashMap::with_capacity(grant.needs.len());
    for need in &grant.needs {
        *wanted.entry(need.pool_id).or_default() += need.quantity;
    }
    let (mut halted, mut sold_out, mut held) = (None, None, Vec::new());
    for need in &grant.needs {
        let level = facts.pools.get(&need.pool_id).copied();
        let level = level.unwrap_or(Level::UNKNOWN);
        let before = taken.get(&need.pool_id).copied().unwrap_or(0);
        let wanted = wanted.get(&need.pool_id).copied().unwrap_or(0);
        if level.halted {
            halted = halted.or(grant.type_of(need));
        } else if level.returnable.is_some_and(|units| units < wanted) {
            sold_out = sold_out.or(grant.type_of(need));
        } else if level.free.is_some_and(|free| free < before + wanted) {
            held.push(need);
        }
    }
    let first_held = held.first().and_then(|need| grant.type_of(need));
    match (halted, sold_out, first_held) {
        (Some(id), _, _) => Err(Error::SalesHalted(id).into()),
        (None, Some(id), _) => Err(Error::SoldOut(id).into()),
        (None, None, Some(id)) => Err(Refusal {
            error: Error::HeldByOthers(id),
            because: Because::Held(held.iter().map(|need| need.pool_id).collect()),
        }),
        (None, None, None) => {
            for (pool_id, units) in wanted {
                *taken.entry(pool_id).or_default() += units;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::catalog::{Event, TicketType};
    use base::{HoldId, Sources};
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};
    use uuid::Uuid;

    const NOW: OffsetDateTime = datetime!(2026-06-12 18:00 UTC);
    const EVENT: u128 = 1;

    fn event() -> Event {
        let text = String::new;
        Event {
            id: Uuid::from_u128(EVENT),
            slug: text(),
            title: text(),
            description: text(),
            location: text(),
            date_time: NOW + Duration::days(30),
            timezone: text(),
            currency: "EUR".to_owned(),
            status: EventStatus::Active.word().to_owned(),
            payment_providers: Vec::new(),
            seller_name: text(),
            seller_address: text(),
            seller_tax_id: text(),
            seller_contact: text(),
            fee_mode: "absorbed".to_owned(),
            fee_fixed_minor: 0,
            fee_rate_ppm: 0,
            manual_payment_days: 0,
            cancel_until_hours: None,
            cancel_fee_ppm: 0,
            cancel_reason: text(),
            archived_at: None,
            previous_date_time: None,
            postpone_reason: text(),
            image_key: None,
            image_width: None,
            image_height: None,
            image_alt: text(),
            version: 1,
            now: NOW,
        }
    }

    /// A type by its number; its own pool has the same one.
    fn offer(number: u128) -> Offer {
        let ticket_type = TicketType {
            id: Uuid::from_u128(number),
            event_id: Uuid::from_u128(EVENT),
            category: String::new(),
            price_minor: 100,
            currency: "EUR".to_owned(),
            pool_id: Uuid::from_u128(number),
            pool_ids: Vec::new(),
            total_stock: None,
            blocked: 0,
            held: 0,
            sold: 0,
            sales_start: None,
            sales_end: None,
            min_per_order: 1,
            max_per_order: 100,
            max_per_guest: None,
            tax_rate_ppm: 0,
            version: 1,
            free: None,
            returnable: None,
            halted: false,
        };
        Offer {
            pools: vec![ticket_type.pool_id()],
            ticket_type,
        }
    }

    fn wish(lines: &[(u128, u32)]) -> Wish {
        let lines = lines.iter().map(|(number, quantity)| WishLine {
            ticket_type_id: Uuid::from_u128(*number).into(),
            quantity: *quantity,
        });
        Wish {
            key_id: HoldId::new(&Sources::system()).uuid(),
            event_id: Uuid::from_u128(EVENT).into(),
            lines: lines.collect(),
            body_hash: [0; 32],
        }
    }

    /// Which wishes are granted, by types 1 and 2 with so much free.
    fn granted(free: [i64; 2], wishes: &[Wish]) -> Vec<bool> {
        let sale = Sale::of(event(), [offer(1), offer(2)]);
        let sales = HashMap::from([(sale.event.id(), sale)]);
        let level = |free| Level {
            free: Some(free),
            returnable: None,
            halted: false,
        };
        let pools = [(1, free[0]), (2, free[1])];
        let pools = pools.map(|(id, free)| (Uuid::from_u128(id).into(), level(free)));
        let facts = Facts {
            sales: &sales,
            pools: &HashMap::from(pools),
            now: NOW,
        };
        let decisions = decide(&facts, wishes.iter()).into_iter();
        decisions
            .map(|decision| matches!(decision, Decision::Grant(_)))
            .collect()
    }

    #[test]
    fn first_come_first_served_and_who_does_not_fit_takes_nothing() {
        let wishes = [3, 3, 2, 1].map(|quantity| wish(&[(1, quantity)]));
        assert_eq!(granted([5, 0], &wishes), [true, false, true, false]);
        // All lines or none: what the first one cannot have of both is left to the next one.
        let wishes = [wish(&[(1, 2), (2, 2)]), wish(&[(1, 2)]), wish(&[(2, 1)])];
        assert_eq!(granted([2, 1], &wishes), [false, true, true]);
    }

    proptest! {
        /// The same as one after the other, each on what the ones before have left.
        #[test]
        fn a_batch_decides_as_single_calls_would(
            free in [0_i64..20, 0_i64..20],
            wants in prop::collection::vec((0_u32..4, 0_u32..4), 1..30),
        ) {
            let wants: Vec<_> = wants.into_iter().filter(|(a, b)| a + b > 0).collect();
            let wishes: Vec<Wish> = wants
                .iter()
                .map(|(a, b)| {
                    let lines = [(1, *a), (2, *b)];
                    wish(&lines.into_iter().filter(|line| line.1 > 0).collect::<Vec<_>>())
                })
                .collect();
            let together = granted(free, &wishes);
            let mut left = free;
            for ((a, b), granted_together) in wants.into_iter().zip(together) {
                let (a, b) = (i64::from(a), i64::from(b));
                let alone = a <= left[0] && b <= left[1];
                prop_assert_eq!(alone, granted_together);
                if alone {
                    left = [left[0] - a, left[1] - b];
                }
            }
        }
    }
}
