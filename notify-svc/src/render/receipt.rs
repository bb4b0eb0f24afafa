//! The facts a receipt is made of, as the paid order's message carries them.

use base::{EventId, Money, OrderId, TicketId, Zone};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

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
    pub email: String,
    pub name: Option<String>,
    pub phone: String,
    #[serde(with = "time::serde::rfc3339")]
    pub paid_at: OffsetDateTime,
    pub total: Money,
    /// The order page, secret included: whoever has it sees the order.
    pub link: String,
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
    /// The event's page in the shop.
    pub public_url: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub category: String,
    pub quantity: u32,
    pub unit_price: Money,
    pub line_total: Money,
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

    /// The start as a person at the venue would say it.
    pub(super) fn starts_at_text(&self) -> String {
        self.event.zone.format_long(self.event.starts_at)
    }
}
