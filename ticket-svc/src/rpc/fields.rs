//! Reads the fields of a request and collects every rule that they break.

use std::{fmt::Display, str::FromStr};

use base::{IdempotencyKey, Money, PoolId, TextError};
use kit::FieldProblem;
use pages::Page;
use proto::common;
use time::OffsetDateTime;

use crate::{domain::limits, error::Error};

#[derive(Debug, Default)]
pub struct Fields(Vec<FieldProblem>);

impl Fields {
    /// Notes that a field breaks a rule.
    pub fn refuse(&mut self, field: &str, rule: impl ToString) {
        self.0.push(FieldProblem::new(field, rule));
    }

    /// The value, or a note of why there is none.
    pub fn check<T, E: Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|rule| self.refuse(field, rule)).ok()
    }

    pub fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        self.check(field, text.parse())
    }

    pub fn text(&mut self, field: &str, value: Result<String, TextError>) -> Option<String> {
        self.check(field, value.map_err(|error| error.problem))
    }

    pub fn page(&mut self, size: u32, token: &str) -> Page {
        Page::read(&mut self.0, size, token)
    }

    /// LIKE patterns, one per word of a search.
    pub fn patterns(&mut self, field: &str, words: &str) -> Vec<String> {
        let words = self.text(
            field,
            base::bounded(field, words, 0, limits::SEARCH_MAX_CHARS),
        );
        let words = words.unwrap_or_default();
        let words = words.split_whitespace().take(limits::SEARCH_MAX_WORDS);
        words.map(pattern).collect()
    }

    /// Absent is fine.
    pub fn time(
        &mut self,
        field: &str,
        time: Option<&prost_types::Timestamp>,
    ) -> Option<OffsetDateTime> {
        let time = time?;
        self.check(field, proto::timestamp_from(time))
            .map(whole_micros)
    }

    pub fn price(&mut self, field: &str, price: Option<&common::Money>) -> Option<Money> {
        let price = self.check(field, proto::money_from(price))?;
        if (0..=limits::PRICE_MAX_MINOR).contains(&price.amount_minor) {
            return Some(price);
        }
        self.refuse(
            field,
            format!("must be between 0 and {}", limits::PRICE_MAX_MINOR),
        );
        None
    }

    /// Absent means unlimited.
    pub fn stock(&mut self, field: &str, stock: Option<i64>) -> Option<i64> {
        if stock.is_some_and(|units| !(0..=limits::STOCK_MAX).contains(&units)) {
            self.refuse(
                field,
                format!("must be between 0 and {}", limits::STOCK_MAX),
            );
        }
        stock
    }

    pub fn per_order(&mut self, field: &str, units: u32) -> i32 {
        match i32::try_from(units) {
            Ok(units @ 1..=100) => units,
            _ => {
                self.refuse(field, "must be between 1 and 100");
                1
            }
        }
    }

    /// Units that are kept back.
    pub fn blocked(&mut self, blocked: i64) -> i64 {
        self.stock("blocked", Some(blocked));
        blocked
    }

    pub fn per_guest(&mut self, units: u32) -> i32 {
        if !(1..=limits::PER_GUEST_MAX).contains(&units) {
            let rule = format!("must be between 1 and {}", limits::PER_GUEST_MAX);
            self.refuse("max_per_guest", rule);
        }
        units.cast_signed()
    }

    /// Shared pools, each once.
    pub fn pools(&mut self, ids: &[String]) -> Vec<PoolId> {
        if ids.len() > limits::POOLS_PER_TYPE_MAX {
            let rule = format!("must have at most {} entries", limits::POOLS_PER_TYPE_MAX);
            self.refuse("pool_ids", rule);
        }
        let mut pools = Vec::new();
        for (index, id) in ids.iter().take(limits::POOLS_PER_TYPE_MAX).enumerate() {
            let field = format!("pool_ids[{index}]");
            match self.parse::<PoolId>(&field, id) {
                Some(id) if pools.contains(&id) => {
                    self.refuse(&field, "must be another one in each place");
                }
                Some(id) => pools.push(id),
                None => {}
            }
        }
        pools
    }

    /// All that was found, where anything was.
    pub fn done(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Fields(self.0))
        }
    }

    /// For a request that lacks a value, so that something was found.
    pub fn into_error(self) -> Error {
        Error::Fields(self.0)
    }
}

/// None for an admin's call without a key.
pub fn optional_key(key: &str) -> Result<Option<IdempotencyKey>, Error> {
    if key.is_empty() {
        Ok(None)
    } else {
        required_key(key).map(Some)
    }
}

pub fn required_key(key: &str) -> Result<IdempotencyKey, Error> {
    key.parse().map_err(Error::IdempotencyKeyInvalid)
}

/// What Postgres stores.
fn whole_micros(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(time.nanosecond() / 1000 * 1000)
        .unwrap_or(time)
}

/// The word anywhere, taken literally.
fn pattern(word: &str) -> String {
    let literal = word
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_");
    format!("%{literal}%")
}
