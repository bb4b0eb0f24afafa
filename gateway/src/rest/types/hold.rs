use kit::Failure;
use proto::{payment, ticket};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{HoldStatus, Money, all, time_of};

/// How many of which ticket type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    pub ticket_type_id: String,
    #[schema(example = 2)]
    pub quantity: u32,
}

/// Tickets of one type, at the price of the moment they were held.
#[derive(Debug, Serialize, ToSchema)]
pub struct Line {
    pub ticket_type_id: String,
    pub category: String,
    pub quantity: u32,
    /// With tax and fee.
    pub unit_price: Money,
    pub line_total: Money,
    /// The service fee in `unit_price`.
    pub unit_fee: Money,
    /// Parts per million, contained in `line_total`: 190000 is 19 %.
    pub tax_rate_ppm: u32,
    /// The tax contained in `line_total`; null on a hold, for it is settled with the order.
    pub tax: Option<Money>,
    /// Tickets of this line that were given back.
    pub refunded_quantity: u32,
}

impl TryFrom<ticket::HoldLine> for Line {
    type Error = Failure;

    fn try_from(line: ticket::HoldLine) -> Result<Self, Failure> {
        let unit_price = Money::required(line.unit_price, "unit_price")?;
        Ok(Self {
            ticket_type_id: line.ticket_type_id,
            category: line.category,
            quantity: line.quantity,
            unit_fee: Money::or_zero(line.unit_fee, &unit_price),
            unit_price,
            line_total: Money::required(line.line_total, "line_total")?,
            tax_rate_ppm: line.tax_rate_ppm,
            tax: None,
            refunded_quantity: 0,
        })
    }
}

impl TryFrom<payment::OrderLine> for Line {
    type Error = Failure;

    fn try_from(line: payment::OrderLine) -> Result<Self, Failure> {
        let unit_price = Money::required(line.unit_price, "unit_price")?;
        Ok(Self {
            ticket_type_id: line.ticket_type_id,
            category: line.category,
            quantity: line.quantity,
            unit_fee: Money::or_zero(line.unit_fee, &unit_price),
            tax: Some(Money::or_zero(line.tax, &unit_price)),
            unit_price,
            line_total: Money::required(line.line_total, "line_total")?,
            tax_rate_ppm: line.tax_rate_ppm,
            refunded_quantity: line.refunded_quantity,
        })
    }
}

/// Tickets set aside for one guest.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hold {
    pub id: String,
    pub event_id: String,
    pub status: HoldStatus,
    /// Until then the tickets are set aside.
    #[serde(with = "rfc3339")]
    pub expires_at: OffsetDateTime,
    pub lines: Vec<Line>,
    pub total: Money,
}

impl TryFrom<ticket::Hold> for Hold {
    type Error = Failure;

    fn try_from(hold: ticket::Hold) -> Result<Self, Failure> {
        Ok(Self {
            status: HoldStatus::of(hold.status)?,
            expires_at: time_of(hold.expires_at.as_ref(), "expires_at")?,
            lines: all(hold.lines)?,
            total: Money::required(hold.total, "total")?,
            id: hold.id,
            event_id: hold.event_id,
        })
    }
}
