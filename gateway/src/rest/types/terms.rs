//! On which terms a concert is sold: who sells, what the service costs, how it is paid.

use proto::{common, payment, ticket};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FeeMode;

/// Who sells, as receipts name it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// 1 to 200 characters.
    #[serde(default)]
    #[schema(example = "Waldbühne e. V.")]
    pub name: String,
    /// Up to 500 characters, several lines.
    #[serde(default)]
    pub address: String,
    /// Up to 50 characters; empty where there is none.
    #[serde(default)]
    pub tax_id: String,
    /// Where guests get help; up to 200 characters.
    #[serde(default)]
    pub contact: String,
}

impl From<common::Seller> for Seller {
    fn from(seller: common::Seller) -> Self {
        Self {
            name: seller.name,
            address: seller.address,
            tax_id: seller.tax_id,
            contact: seller.contact,
        }
    }
}

impl From<Seller> for common::Seller {
    fn from(seller: Seller) -> Self {
        Self {
            name: seller.name,
            address: seller.address,
            tax_id: seller.tax_id,
            contact: seller.contact,
        }
    }
}

/// The service fee of each ticket: fixed + price × rate, rounded once. A free ticket has none.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    pub mode: FeeMode,
    /// In the concert's currency.
    #[serde(default)]
    #[schema(example = 100)]
    pub fixed_minor: i64,
    /// Parts per million of the price: 25000 is 2.5 %. At most 500000.
    #[serde(default)]
    #[schema(example = 25000)]
    pub rate_ppm: u32,
}

impl Fee {
    /// None where there is no fee.
    pub fn of(fee: &ticket::ServiceFee) -> Option<Self> {
        FeeMode::of(fee.mode).map(|mode| Self {
            mode,
            fixed_minor: fee.fixed_minor,
            rate_ppm: fee.rate_ppm,
        })
    }
}

impl From<Fee> for ticket::ServiceFee {
    fn from(fee: Fee) -> Self {
        Self {
            mode: fee.mode.number(),
            fixed_minor: fee.fixed_minor,
            rate_ppm: fee.rate_ppm,
        }
    }
}

/// How guests may cancel what they have paid.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancellationRule {
    pub allowed: bool,
    /// Until so many hours before the concert begins; at most 8760.
    #[serde(default)]
    #[schema(example = 48)]
    pub until_hours: u32,
    /// What is kept of the money, in parts per million: 100000 is 10 %. At most 1000000.
    #[serde(default)]
    #[schema(example = 100000)]
    pub fee_ppm: u32,
}

impl From<ticket::CancellationRule> for CancellationRule {
    fn from(rule: ticket::CancellationRule) -> Self {
        Self {
            allowed: rule.allowed,
            until_hours: rule.until_hours,
            fee_ppm: rule.fee_ppm,
        }
    }
}

impl From<CancellationRule> for ticket::CancellationRule {
    fn from(rule: CancellationRule) -> Self {
        Self {
            allowed: rule.allowed,
            until_hours: rule.until_hours,
            fee_ppm: rule.fee_ppm,
        }
    }
}

/// A way to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PaymentProvider {
    /// What `provider` of an order takes.
    #[schema(example = "manual")]
    pub name: String,
    #[schema(example = "Bank transfer")]
    pub title: String,
}

impl From<payment::PaymentProvider> for PaymentProvider {
    fn from(provider: payment::PaymentProvider) -> Self {
        Self {
            name: provider.name,
            title: provider.title,
        }
    }
}
