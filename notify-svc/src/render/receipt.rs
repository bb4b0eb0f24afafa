//! The facts a receipt is made of, as the paid order's message carries them.

use std::collections::BTreeMap;

use base::{EventId, Money, MoneyError, OrderId, TicketId, Zone};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Language;

/// One paid order with everything that is printed about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub order: Order,
    pub event: Event,
    pub lines: Vec<Line>,
    /// In the order in which they are printed.
    pub tickets: Vec<Ticket>,
    pub seller: Seller,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub id: OrderId,
    /// What a person reads aloud, such as `BX-7K3M9Q`.
    pub number: String,
    /// Empty where the guest was erased: then it is on no mail.
    pub email: String,
    pub name: Option<String>,
    pub phone: String,
    #[serde(with = "time::serde::rfc3339")]
    pub paid_at: OffsetDateTime,
    pub total: Money,
    /// The order page, secret included: whoever has it sees the order.
    pub link: String,
    /// In which everything about it is written.
    pub language: Language,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    pub title: String,
    pub location: String,
    pub description: String,
    #[serde(with = "time::serde::rfc3339")]
    pub starts_at: OffsetDateTime,
    /// Every date a person reads is in this zone.
    pub zone: Zone,
    /// The greater one is newer, where these facts differ from others; 0 where nobody knows.
    #[serde(default)]
    pub version: i64,
    /// The event's page in the shop.
    pub public_url: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub category: String,
    pub quantity: u32,
    pub unit_price: Money,
    pub line_total: Money,
    /// The service fee in `unit_price`, where there is one.
    pub unit_fee: Option<Money>,
    /// The tax in `line_total`, where there is one.
    pub tax: Option<Tax>,
}

/// Tax that a price contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tax {
    /// Parts per million: 190 000 is 19 %.
    pub rate_ppm: u32,
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub id: TicketId,
    /// The text of the QR symbol.
    pub code: String,
    /// Equals the category of one of the lines, which gives the price.
    pub category: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seller {
    pub name: String,
    /// Several lines; empty like the two below where the order is older than sellers' particulars.
    pub address: String,
    pub tax_id: String,
    pub contact: String,
}

impl Receipt {
    /// What one ticket of this category cost; none where two lines of one name differ, as no price is better than a
    /// wrong one.
    pub(super) fn unit_price(&self, category: &str) -> Option<Money> {
        let mut prices = self
            .lines
            .iter()
            .filter(|line| line.category == category)
            .map(|line| line.unit_price);
        let first = prices.next()?;
        prices.all(|price| price == first).then_some(first)
    }

    /// The tax in the total by rate, the lowest rate first: sums of what the lines contain, as each was rounded once.
    ///
    /// # Errors
    /// When the lines' taxes are of several currencies or have no sum.
    pub(crate) fn taxes(&self) -> Result<Vec<Tax>, MoneyError> {
        let mut sums: BTreeMap<u32, Money> = BTreeMap::new();
        for tax in self.lines.iter().filter_map(|line| line.tax) {
            let sum = sums.entry(tax.rate_ppm);
            let sum = sum.or_insert(Money::zero(self.order.total.currency));
            *sum = sum.checked_add(tax.amount)?;
        }
        let taxes = sums.into_iter();
        let taxes = taxes.map(|(rate_ppm, amount)| Tax { rate_ppm, amount });
        Ok(taxes.filter(|tax| tax.amount.amount_minor != 0).collect())
    }
}
