//! The order goes where its money is: partly back, or all of it, or here again.

use base::OrderId;
use sqlx::PgConnection;

use crate::{
    domain::{order_state::OrderStatus, timeline::MONEY_CAME_BACK},
    error::Error,
    store::{self, By, Step},
};

struct Money {
    total_minor: i64,
    captured_minor: i64,
    /// With the guest again.
    paid_out_minor: i64,
    /// Of what was sold, not of a second payment or an excess.
    sale_paid_out_minor: i64,
}

impl Money {
    fn status(&self) -> Option<OrderStatus> {
        let kept = self.captured_minor - self.paid_out_minor;
        if self.captured_minor == 0 {
            None
        } else if kept == 0 {
            Some(OrderStatus::Refunded)
        } else {
            (kept < self.total_minor && self.sale_paid_out_minor > 0)
                .then_some(OrderStatus::PartiallyRefunded)
        }
    }
}

/// After a refund was paid out, or came back. The order is locked.
pub(super) async fn follow_money(
    tx: &mut PgConnection,
    order: OrderId,
    from: OrderStatus,
    by: &By,
) -> Result<(), Error> {
    let money = sqlx::query_as!(
        Money,
        r#"SELECT o.total_amount_minor AS total_minor,
               (SELECT coalesce(sum(captured_minor), 0)::bigint FROM payment_attempts
                WHERE order_id = o.id) AS "captured_minor!",
               coalesce(sum(r.amount_minor), 0)::bigint AS "paid_out_minor!",
               coalesce(sum(r.amount_minor) FILTER (
                   WHERE r.reason IN ('requested', 'external', 'event_cancelled', 'guest_cancelled')), 0)::bigint
                   AS "sale_paid_out_minor!"
           FROM orders o
           LEFT JOIN refunds r ON r.order_id = o.id AND r.status IN ('succeeded', 'external')
           WHERE o.id = $1 GROUP BY o.id"#,
        order.uuid(),
    );
    let money = money.fetch_one(&mut *tx).await?;
    let to = match (from, money.status()) {
        (OrderStatus::Refunded, to) if to != Some(OrderStatus::Refunded) => {
            Some(match before_refunded(tx, order).await? {
                before if before.has_tickets() => to.unwrap_or(OrderStatus::Fulfilled),
                before => before,
            })
        }
        (OrderStatus::PartiallyRefunded, None) => Some(OrderStatus::Fulfilled),
        (_, to) => to,
    };
    let Some(to) = to.filter(|to| from.may_become(*to)) else {
        return Ok(());
    };
    let step = Step {
        order,
        from,
        to,
        by: by.clone(),
        reason: if from == OrderStatus::Refunded || to == OrderStatus::Fulfilled {
            MONEY_CAME_BACK.to_owned()
        } else {
            "refund".to_owned()
        },
    };
    store::advance(tx, &step).await?;
    Ok(())
}

async fn before_refunded(tx: &mut PgConnection, order: OrderId) -> Result<OrderStatus, Error> {
    let before = sqlx::query_scalar!(
        r#"SELECT from_status AS "before!" FROM order_events
           WHERE order_id = $1 AND to_status = 'refunded' AND from_status <> 'refunded'
           ORDER BY id DESC LIMIT 1"#,
        order.uuid(),
    );
    let before = before.fetch_one(tx).await?;
    before
        .parse()
        .map_err(|_| Error::Broken("an order was in an unknown status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(captured: i64, paid_out: i64, of_the_sale: i64) -> Option<OrderStatus> {
        let money = Money {
            total_minor: 90,
            captured_minor: captured,
            paid_out_minor: paid_out,
            sale_paid_out_minor: of_the_sale,
        };
        money.status()
    }

    #[test]
    fn what_is_kept_decides() {
        assert_eq!(after(0, 0, 0), None);
        assert_eq!(after(90, 0, 0), None);
        assert_eq!(after(90, 1, 1), Some(OrderStatus::PartiallyRefunded));
        assert_eq!(after(90, 90, 90), Some(OrderStatus::Refunded));
        // A second payment goes back, an excess goes back: sold as before.
        assert_eq!(after(180, 90, 0), None);
        assert_eq!(after(100, 10, 0), None);
        // Accepted although it was too little, and paid twice.
        assert_eq!(after(170, 90, 0), None);
        assert_eq!(after(100, 20, 10), Some(OrderStatus::PartiallyRefunded));
    }
}
