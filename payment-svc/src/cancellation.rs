//! What a guest is offered who wants to cancel a paid order. The page shows it, and the step that does it
//! makes it once more under the order's lock: what was shown is what goes back.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{cancellation::Rule, timeline::GUEST_CANCELLED},
    error::Error,
    store::{self, AttemptRow, OrderRow},
};

/// What goes back, and of which payments.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub refund_minor: i64,
    pub fee_minor: i64,
    pub until: OffsetDateTime,
    pub parts: Vec<(Uuid, i64)>,
}

struct Facts {
    now: OffsetDateTime,
    payment_ref: Option<String>,
    tickets_left: i64,
    handed_on: bool,
    done: bool,
}

/// None where the order cannot be cancelled for its money, or not any more: no rule, no ticket, too late,
/// a ticket that is somebody else's now, or nothing that would go back.
pub(crate) async fn offer(
    conn: &mut PgConnection,
    order: &OrderRow,
) -> Result<Option<Offer>, Error> {
    let (Some(rule), Some(begins)) = (order.cancellation_rule(), order.event_date_time) else {
        return Ok(None);
    };
    if !order.status()?.has_tickets() || order.event_cancelled {
        return Ok(None);
    }
    let until = rule.until(begins);
    let facts = facts(conn, order.id).await?;
    if facts.now >= until || facts.tickets_left <= 0 || facts.handed_on || facts.done {
        return Ok(None);
    }
    let payments = payments(conn, order, &facts).await?;
    Ok(make(rule, until, order, &payments))
}

fn make(
    rule: Rule,
    until: OffsetDateTime,
    order: &OrderRow,
    payments: &[AttemptRow],
) -> Option<Offer> {
    // What is kept is kept of the payment that the order was sold for.
    let fee_minor = payments
        .first()
        .map_or(0, |sale| rule.fee_minor(sale.left_minor()));
    let part = |(index, payment): (usize, &AttemptRow)| {
        let kept = if index == 0 { fee_minor } else { 0 };
        (payment.id, payment.left_minor() - kept)
    };
    let parts = payments.iter().enumerate().map(part);
    let parts: Vec<(Uuid, i64)> = parts.filter(|(_, minor)| *minor > 0).collect();
    let refund_minor = parts.iter().map(|(_, minor)| minor).sum();
    let is_free = order.total_amount_minor == 0;
    (is_free || refund_minor > 0).then_some(Offer {
        refund_minor,
        fee_minor,
        until,
        parts,
    })
}

async fn facts(conn: &mut PgConnection, order: Uuid) -> Result<Facts, Error> {
    let facts = sqlx::query_as!(
        Facts,
        r#"SELECT clock_timestamp() AS "now!", o.payment_ref,
               (SELECT coalesce(sum(quantity - refunded_quantity), 0)::bigint FROM order_lines
                WHERE order_id = o.id) AS "tickets_left!",
               EXISTS (SELECT FROM ticket_transfers t
                   WHERE t.order_id = o.id AND t.status <> 'refused') AS "handed_on!",
               EXISTS (SELECT FROM order_events e
                   WHERE e.order_id = o.id AND e.reason = $2) AS "done!"
           FROM orders o WHERE o.id = $1"#,
        order,
        GUEST_CANCELLED,
    );
    Ok(facts.fetch_one(conn).await?)
}

/// Those with money left, the one that paid the order first.
async fn payments(
    conn: &mut PgConnection,
    order: &OrderRow,
    facts: &Facts,
) -> Result<Vec<AttemptRow>, Error> {
    let mut payments = store::attempts(conn, order.order_id()).await?;
    payments.retain(|payment| payment.left_minor() > 0);
    payments.sort_by_key(|payment| payment.provider_ref != facts.payment_ref);
    Ok(payments)
}
