//! Orders as lists and exports show them: one line each.

use base::EventId;
use proto::payment::OrderSummary;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{domain::order_state::OrderStatus, error::Error, view::minor};
use pages::Position;

/// A line of the list.
#[derive(Clone, Debug)]
pub(super) struct SummaryRow {
    id: Uuid,
    number: String,
    pub status: String,
    event_id: Option<Uuid>,
    event_title: Option<String>,
    email: String,
    phone_number: String,
    name: String,
    total_amount_minor: i64,
    currency: String,
    captured_minor: i64,
    refunded_minor: i64,
    captured_currency: String,
    provider: String,
    payment_ref: Option<String>,
    ticket_count: i64,
    needs_attention: Option<String>,
    created_at: OffsetDateTime,
    paid_at: Option<OffsetDateTime>,
}

impl SummaryRow {
    pub fn position(&self) -> Position {
        Position {
            at: self.created_at,
            id: self.id,
        }
    }

    pub fn wire(self) -> Result<OrderSummary, Error> {
        let status: OrderStatus = self
            .status
            .parse()
            .map_err(|_| Error::Broken("an order has an unknown status"))?;
        Ok(OrderSummary {
            id: self.id.to_string(),
            number: self.number,
            status: status.wire().into(),
            event_id: self
                .event_id
                .map(|id| EventId::from(id).to_string())
                .unwrap_or_default(),
            event_title: self.event_title.unwrap_or_default(),
            email: self.email,
            phone_number: self.phone_number,
            name: self.name,
            total_amount: minor(self.total_amount_minor, &self.currency),
            captured: minor(self.captured_minor, &self.captured_currency),
            refunded: minor(self.refunded_minor, &self.captured_currency),
            provider: self.provider,
            payment_ref: self.payment_ref.unwrap_or_default(),
            ticket_count: u32::try_from(self.ticket_count).unwrap_or(u32::MAX),
            needs_attention: self.needs_attention.unwrap_or_default(),
            created_at: Some(proto::timestamp(self.created_at)),
            paid_at: self.paid_at.map(proto::timestamp),
        })
    }
}

/// The lines of these orders, in the order of creation and id.
pub(super) async fn summaries(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<SummaryRow>, Error> {
    // Where a payment came in another currency than was asked for, only that one counts unless the
    // right one came as well: one line has one currency.
    let rows = sqlx::query_as!(
        SummaryRow,
        r#"SELECT o.id, o.number, o.status, o.event_id, o.event_title, o.email, o.phone_number, o.name,
               o.total_amount_minor, o.currency, o.provider, o.payment_ref, o.needs_attention,
               o.created_at, o.paid_at,
               coalesce(a.captured_minor, 0) AS "captured_minor!",
               coalesce(a.refunded_minor, 0) AS "refunded_minor!",
               coalesce(a.captured_currency, o.currency) AS "captured_currency!",
               (SELECT coalesce(sum(l.quantity), 0) FROM order_lines l WHERE l.order_id = o.id)
                   AS "ticket_count!"
           FROM orders o
           LEFT JOIN LATERAL (
               SELECT captured_currency, sum(captured_minor)::bigint AS captured_minor,
                      sum(refunded_minor)::bigint AS refunded_minor
               FROM payment_attempts WHERE order_id = o.id AND captured_minor > 0
               GROUP BY captured_currency
               ORDER BY captured_currency = o.currency DESC, captured_currency LIMIT 1) a ON true
           WHERE o.id = ANY($1) ORDER BY o.created_at, o.id"#,
        ids,
    );
    Ok(rows.fetch_all(conn).await?)
}
