use std::fmt;

use base::Currency;
use kit::Failure;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::broken;

/// An amount in the currency's smallest unit: 4500 EUR is 45.00 €.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    #[schema(example = 4500)]
    pub amount_minor: i64,
    /// ISO 4217, three capital letters.
    #[schema(example = "EUR")]
    pub currency: String,
}

impl Money {
    /// An amount that the contract promises.
    pub fn required(money: Option<proto::common::Money>, what: &str) -> Result<Self, Failure> {
        money.map(Self::from).ok_or_else(|| broken(what))
    }

    /// An amount that may be left out where it is nothing, in the currency of another.
    pub fn or_zero(money: Option<proto::common::Money>, like: &Self) -> Self {
        money.map_or_else(
            || Self {
                amount_minor: 0,
                currency: like.currency.clone(),
            },
            Self::from,
        )
    }

    /// `45.00`; with its currency where that is another than the one expected.
    pub fn decimal(&self, expected: &str) -> String {
        let text = self.to_string();
        match text.strip_suffix(expected) {
            Some(number) => number.trim_end().to_owned(),
            None => text,
        }
    }
}

/// `45.00 EUR`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.currency.parse::<Currency>() {
            Ok(currency) => base::Money::new(self.amount_minor, currency).fmt(f),
            Err(_) => write!(f, "{} {}", self.amount_minor, self.currency),
        }
    }
}

impl From<proto::common::Money> for Money {
    fn from(money: proto::common::Money) -> Self {
        Self {
            amount_minor: money.amount_minor,
            currency: money.currency,
        }
    }
}

impl From<Money> for proto::common::Money {
    fn from(money: Money) -> Self {
        Self {
            amount_minor: money.amount_minor,
            currency: money.currency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        for (amount_minor, currency, text) in [
            (4500, "EUR", "45.00"),
            (4500, "JPY", "4500"),
            (-50, "KWD", "-0.050"),
        ] {
            let money = Money {
                amount_minor,
                currency: currency.to_owned(),
            };
            assert_eq!(money.decimal(currency), text);
            assert_eq!(money.decimal("USD"), format!("{text} {currency}"));
        }
    }
}
