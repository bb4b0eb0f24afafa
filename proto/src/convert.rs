//! Between what travels and the vocabulary of `base`.

use base::{Currency, Money};
use prost_types::Timestamp;
use time::OffsetDateTime;

use crate::common;

/// A field that does not hold what its type promises.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConvertError {
    #[error("is missing")]
    Missing,
    #[error("must be an ISO 4217 currency code")]
    Currency,
    #[error("must be a time between the years 1 and 9999")]
    Time,
}

/// To the wire.
pub fn money(money: Money) -> common::Money {
    common::Money {
        amount_minor: money.amount_minor,
        currency: money.currency.to_string(),
    }
}

/// From the wire.
pub fn money_from(money: Option<&common::Money>) -> Result<Money, ConvertError> {
    let money = money.ok_or(ConvertError::Missing)?;
    let currency: Currency = money.currency.parse().map_err(|_| ConvertError::Currency)?;
    Ok(Money {
        amount_minor: money.amount_minor,
        currency,
    })
}

/// To the wire, with nanoseconds.
pub fn timestamp(time: OffsetDateTime) -> Timestamp {
    Timestamp {
        seconds: time.unix_timestamp(),
        nanos: i32::try_from(time.nanosecond()).expect("a nanosecond is below 10^9"),
    }
}

/// From the wire, in UTC.
pub fn timestamp_from(timestamp: &Timestamp) -> Result<OffsetDateTime, ConvertError> {
    let nanos = u32::try_from(timestamp.nanos).map_err(|_| ConvertError::Time)?;
    OffsetDateTime::from_unix_timestamp(timestamp.seconds)
        .ok()
        .and_then(|time| time.replace_nanosecond(nanos).ok())
        .filter(|time| time.year() >= 1)
        .ok_or(ConvertError::Time)
}
