//! From decisions to the columns of the statement.

use std::collections::{BTreeMap, HashMap};

use base::{EventId, HoldId, PoolId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    decide::Grant,
    sale::Sale,
    store::{Holds, Lines, Needs, Sheet},
    wish::Wish,
};
use crate::domain::hold_day::HoldDay;

/// What is the same for every hold of the service.
#[derive(Clone, Debug)]
pub struct Terms {
    pub secret_key_id: String,
    pub ttl_secs: u32,
}

/// The day of what is made, and those that a hold may be of which is there already.
#[derive(Clone, Debug)]
pub struct Days {
    pub today: HoldDay,
    others: Vec<HoldDay>,
}

impl Days {
    pub fn at(now: OffsetDateTime) -> Self {
        let today = HoldDay::of(now);
        let others = today.others(now);
        Self { today, others }
    }

    /// Every id that the hold of a wish may have.
    pub fn ids_of(&self, wish: &Wish) -> impl Iterator<Item = HoldId> {
        let days = std::iter::once(&self.today).chain(&self.others);
        days.map(|day| day.hold_id(wish.key_id))
    }

    fn ids(&self, wishes: &[&Wish]) -> Vec<Uuid> {
        let ids = wishes.iter().map(|wish| self.today.hold_id(wish.key_id));
        ids.map(HoldId::uuid).collect()
    }

    fn ids_beside(&self, wishes: &[&Wish]) -> Vec<Uuid> {
        let ids = wishes.iter().flat_map(|wish| self.ids_of(wish).skip(1));
        ids.map(HoldId::uuid).collect()
    }
}

impl Sheet {
    /// For these wishes, of which some shall be granted. The pools are told in any case, those of the
    /// grants among them.
    pub fn new<'a>(
        (terms, days): (&Terms, &Days),
        pools: &BTreeMap<PoolId, i64>,
        wishes: &[&Wish],
        grants: impl Iterator<Item = (&'a Wish, &'a Grant)>,
    ) -> Self {
        let mut sheet = Self {
            ids: days.ids(wishes),
            ids_beside: days.ids_beside(wishes),
            secret_key_id: terms.secret_key_id.clone(),
            ttl_secs: f64::from(terms.ttl_secs),
            ..Self::default()
        };
        for (pool_id, generation) in pools {
            // Its own id stands for no hold: none was derived from it.
            let subject = pool_id.uuid();
            sheet.needs.push((subject, 0), *pool_id, 0, *generation);
        }
        // In the order of the indexes that the rows go into; whoever stores the same holds at the same
        // moment waits and is not waited for.
        let mut grants: Vec<_> = grants.collect();
        grants.sort_unstable_by_key(|(wish, _)| wish.key_id);
        for (wish, grant) in grants {
            let id = days.today.hold_id(wish.key_id).uuid();
            sheet.holds.push(id, wish, grant);
            sheet.lines.push(id, grant);
            for need in &grant.needs {
                let generation = pools.get(&need.pool_id).copied().unwrap_or(0);
                let of = (id, need.line);
                sheet
                    .needs
                    .push(of, need.pool_id, need.quantity, generation);
            }
            sheet.opens_at = sheet.opens_at.max(grant.opens_at);
            sheet.closes_at = Some(earlier(sheet.closes_at, grant.closes_at));
        }
        sheet
    }
}

fn earlier(one: Option<OffsetDateTime>, other: OffsetDateTime) -> OffsetDateTime {
    one.map_or(other, |one| one.min(other))
}

/// Every pool that these wishes are about, as far as memory knows, with its generation.
pub fn pools(sales: &HashMap<EventId, Sale>, wishes: &[&Wish]) -> BTreeMap<PoolId, i64> {
    let mut pools = BTreeMap::new();
    for wish in wishes {
        let Some(sale) = sales.get(&wish.event_id) else {
            continue;
        };
        let offers = wish.lines.iter();
        let offers = offers.filter_map(|line| sale.offer(line.ticket_type_id));
        for pool_id in offers.flat_map(|offer| &offer.pools) {
            let generation = sale.generations.get(pool_id).copied().unwrap_or(0);
            pools.insert(*pool_id, generation);
        }
    }
    pools
}

impl Needs {
    fn push(
        &mut self,
        (hold_id, line): (Uuid, i32),
        pool_id: PoolId,
        quantity: i64,
        generation: i64,
    ) {
        self.hold_ids.push(hold_id);
        self.pool_ids.push(pool_id.uuid());
        self.lines.push(line);
        self.quantities.push(quantity);
        self.generations.push(generation);
    }
}

impl Holds {
    fn push(&mut self, id: Uuid, wish: &Wish, grant: &Grant) {
        self.ids.push(id);
        self.event_ids.push(wish.event_id.uuid());
        self.body_hashes.push(wish.body_hash.to_vec());
        self.currencies.push(grant.total.currency.to_string());
        self.totals.push(grant.total.amount_minor);
    }
}

impl Lines {
    fn push(&mut self, id: Uuid, grant: &Grant) {
        for line in &grant.lines {
            self.hold_ids.push(id);
            self.lines.push(line.line);
            self.ticket_type_ids.push(line.ticket_type_id.uuid());
            self.categories.push(line.category.clone());
            self.quantities.push(line.quantity.cast_signed());
            self.prices.push(line.unit_price_minor);
            self.fees.push(line.unit_fee_minor);
            self.tax_rates.push(line.tax_rate_ppm.cast_signed());
        }
    }
}
