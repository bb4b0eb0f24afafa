//! The tickets that a refund gives back, with their share of what their lines contain.

use base::{OrderId, RefundId};
use db::DbError;
use sqlx::PgConnection;
use uuid::Uuid;

use super::send_back::too_large;
use crate::{domain::shares::share, error::Error};

/// A line of an order, and how many of its tickets were given back before.
#[derive(Clone, Debug)]
pub(crate) struct SoldLine {
    pub position: i32,
    pub ticket_type_id: Uuid,
    quantity: i32,
    refunded_quantity: i32,
    line_total_minor: i64,
    tax_minor: i64,
    fee_minor: i64,
    fee_tax_minor: i64,
    given_minor: i64,
    given_tax_minor: i64,
    given_fee_minor: i64,
    given_fee_tax_minor: i64,
}

impl SoldLine {
    /// The next `quantity` tickets of the line. The last ones take all that is left of it: where another
    /// refund was withdrawn in between, that is not what they carry. Error::RefundTooLarge if there are
    /// not that many.
    pub fn give_back(&self, quantity: i32, ticket_ids: Vec<Uuid>) -> Result<GivenBack, Error> {
        if quantity > self.left() {
            return Err(Error::RefundTooLarge);
        }
        let units = self.refunded_quantity..self.refunded_quantity + quantity;
        let of = |total, given| match units.end == self.quantity {
            true => total - given,
            false => share(total, self.quantity, &units),
        };
        Ok(GivenBack {
            position: self.position,
            quantity,
            amount_minor: of(self.line_total_minor, self.given_minor),
            tax_minor: of(self.tax_minor, self.given_tax_minor),
            fee_minor: of(self.fee_minor, self.given_fee_minor),
            fee_tax_minor: of(self.fee_tax_minor, self.given_fee_tax_minor),
            ticket_ids,
        })
    }

    fn left(&self) -> i32 {
        self.quantity - self.refunded_quantity
    }
}

/// Tickets of one line.
#[derive(Clone, Debug)]
pub(crate) struct GivenBack {
    pub position: i32,
    pub quantity: i32,
    pub amount_minor: i64,
    tax_minor: i64,
    fee_minor: i64,
    fee_tax_minor: i64,
    /// Empty: any of the line.
    ticket_ids: Vec<Uuid>,
}

pub(crate) async fn sold_lines(
    tx: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<SoldLine>, DbError> {
    let lines = sqlx::query_as!(
        SoldLine,
        r#"SELECT l.position, l.ticket_type_id, l.quantity, l.refunded_quantity, l.line_total_minor,
               l.tax_minor, l.fee_minor, l.fee_tax_minor, g.amount AS "given_minor!",
               g.tax AS "given_tax_minor!", g.fee AS "given_fee_minor!",
               g.fee_tax AS "given_fee_tax_minor!"
           FROM order_lines l
           CROSS JOIN LATERAL (
               SELECT coalesce(sum(b.amount_minor), 0)::bigint, coalesce(sum(b.tax_minor), 0)::bigint,
                   coalesce(sum(b.fee_minor), 0)::bigint, coalesce(sum(b.fee_tax_minor), 0)::bigint
               FROM refund_lines b JOIN refunds r ON r.id = b.refund_id
               WHERE b.order_id = l.order_id AND b.position = l.position
                 -- A withdrawn one gives nothing back.
                 AND (r.status <> 'failed_final' OR r.tickets_voided_at IS NOT NULL)
               ) g (amount, tax, fee, fee_tax)
           WHERE l.order_id = $1 ORDER BY l.position"#,
        order.uuid(),
    );
    Ok(lines.fetch_all(tx).await?)
}

/// Every ticket that was not given back before.
pub(super) async fn give_back_the_rest(
    tx: &mut PgConnection,
    refund: RefundId,
    order: OrderId,
) -> Result<(), Error> {
    for line in sold_lines(tx, order).await? {
        if line.left() > 0 {
            let rest = line.give_back(line.left(), Vec::new())?;
            give_back(tx, refund, order, &rest).await?;
        }
    }
    Ok(())
}

pub(crate) async fn give_back(
    tx: &mut PgConnection,
    refund: RefundId,
    order: OrderId,
    line: &GivenBack,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO refund_lines (refund_id, order_id, position, quantity, amount_minor, tax_minor,
             fee_minor, fee_tax_minor, ticket_ids)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        refund.uuid(),
        order.uuid(),
        line.position,
        line.quantity,
        line.amount_minor,
        line.tax_minor,
        line.fee_minor,
        line.fee_tax_minor,
        &line.ticket_ids,
    )
    .execute(tx)
    .await
    .map_err(too_large)?;
    Ok(())
}
