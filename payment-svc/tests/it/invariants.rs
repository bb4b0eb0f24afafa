//! What holds after every story, whatever happened in it.

use std::time::Duration;

use proto::ticket::{OrderAnswer, Ticket, TicketStatus};
use sqlx::{PgPool, Row as _};
use testkit::eventually;

use crate::inventory::{Inventory, OrderBook};

/// Each query counts violations.
const NEVER: &[(&str, &str)] = &[
    (
        "the figures of a sale differ from a count of its orders",
        "SELECT count(*) FROM sale_drift",
    ),
    (
        "an unpaid order is fulfilled",
        "SELECT count(*) FROM orders o WHERE status = 'fulfilled' AND (paid_at IS NULL OR (total_amount_minor > 0
           AND NOT EXISTS (SELECT 1 FROM payment_attempts a WHERE a.order_id = o.id AND a.status = 'succeeded'
               AND a.amount_minor = o.total_amount_minor AND a.provider_ref = o.payment_ref)))",
    ),
    (
        "a fulfilled order has no receipt in the outbox, or another one has",
        "SELECT abs((SELECT count(*) FROM order_events WHERE to_status = 'fulfilled' AND from_status = 'paid')
           + (SELECT count(*) FROM order_news WHERE kind = 'receipt')
           - (SELECT count(*) FROM outbox WHERE kind = 'order_paid'))",
    ),
    (
        "news of an order has no row in the outbox, or another one has",
        "SELECT abs((SELECT count(*) FROM order_news WHERE kind <> 'receipt')
           - (SELECT count(*) FROM outbox
              WHERE kind IN ('order_postponed', 'order_reminder', 'order_awaiting_transfer')))",
    ),
    (
        "money is here that no order was sold for, and does not go back",
        "SELECT count(*) FROM orders o JOIN payment_attempts a ON a.order_id = o.id
         WHERE o.status NOT IN ('paid', 'fulfilled', 'partially_refunded', 'mismatch', 'awaiting_payment')
           AND a.captured_minor > a.refunded_minor AND NOT EXISTS (
               SELECT 1 FROM refunds r WHERE r.attempt_id = a.id AND r.status = 'failed_final')",
    ),
    (
        "the sandbox sent back what our books do not have, or did not send what they have",
        "SELECT count(*) FROM payment_attempts a
         WHERE a.provider = 'sandbox' AND a.provider_ref IS NOT NULL AND
             (SELECT coalesce(sum(amount_minor), 0) FROM sandbox.refunds b
              WHERE b.session = a.provider_ref AND b.status = 'succeeded')
          <> (SELECT coalesce(sum(amount_minor), 0) FROM refunds r
              WHERE r.attempt_id = a.id AND r.status IN ('succeeded', 'external') AND r.provider_ref IS NOT NULL)",
    ),
    (
        "the provider captured what no attempt and no person knows of",
        "SELECT count(*) FROM sandbox.sessions s WHERE s.status = 'succeeded' AND NOT EXISTS (
           SELECT 1 FROM payment_attempts a JOIN orders o ON o.id = a.order_id
           WHERE a.provider_ref = s.reference AND (a.status = 'succeeded' OR o.status = 'mismatch'))",
    ),
    (
        "an order was charged twice, and keeps both",
        "SELECT count(*) FROM (SELECT order_id FROM sandbox.sessions WHERE status = 'succeeded'
           GROUP BY order_id HAVING count(*) > 1) twice
         WHERE NOT EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = twice.order_id AND r.reason = 'second_payment')",
    ),
    (
        "an ended order has an open attempt",
        "SELECT count(*) FROM orders o JOIN payment_attempts a ON a.order_id = o.id
         WHERE o.status IN ('paid', 'fulfilled', 'unfulfillable', 'expired', 'cancelled')
           AND a.status IN ('created', 'requires_action', 'processing')",
    ),
    (
        "the story of an order has a gap or another end",
        "SELECT count(*) FROM (
           SELECT e.from_status, lag(e.to_status) OVER w AS before, e.to_status,
                  lead(e.id) OVER w AS later, o.status
           FROM order_events e JOIN orders o ON o.id = e.order_id
           WINDOW w AS (PARTITION BY e.order_id ORDER BY e.id)) story
         WHERE from_status IS DISTINCT FROM before OR (later IS NULL AND to_status <> status)",
    ),
    (
        "the total is not the sum of the lines",
        "SELECT count(*) FROM orders o WHERE event_id IS NOT NULL AND total_amount_minor <> (
           SELECT sum(line_total_minor) FROM order_lines l WHERE l.order_id = o.id)",
    ),
];

const WORK_LEFT: &str =
    "SELECT (SELECT count(*) FROM orders WHERE next_step_at IS NOT NULL AND status NOT IN ('created', 'awaiting_payment', 'mismatch'))
        + (SELECT count(*) FROM provider_events WHERE state = 'received')
        + (SELECT count(*) FROM holder_news WHERE next_step_at IS NOT NULL)
        + (SELECT count(*) FROM refunds WHERE next_step_at <= clock_timestamp())";

pub async fn check(pool: &PgPool, tickets: &Inventory) {
    eventually("no work is left over", Duration::from_secs(60), || async {
        let left: i64 = sqlx::query_scalar(WORK_LEFT).fetch_one(pool).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    for (what, query) in NEVER {
        let violations: i64 = sqlx::query_scalar(*query).fetch_one(pool).await.unwrap();
        assert_eq!(violations, 0, "{what}");
    }
    let orders = sqlx::query("SELECT id::text, status FROM orders")
        .fetch_all(pool)
        .await
        .unwrap();
    let books = tickets.books();
    for order in orders {
        let (id, status): (String, String) = (order.get(0), order.get(1));
        let book = books.orders.get(&id);
        let committed = book.is_some_and(|book| book.answer == Some(OrderAnswer::Committed));
        let sold = matches!(status.as_str(), "fulfilled" | "partially_refunded");
        assert!(
            !sold || committed,
            "an order without its tickets: {id} {status}"
        );
        let valid = tickets_that_are_valid(book);
        assert!(
            sold || valid == 0,
            "tickets without an order: {id} {status}"
        );
        let ended = matches!(status.as_str(), "cancelled" | "expired");
        assert!(
            !ended || book.is_some_and(|book| book.released),
            "the stock of {id} was kept"
        );
    }
}

fn tickets_that_are_valid(book: Option<&OrderBook>) -> usize {
    let valid = |ticket: &&Ticket| ticket.status() == TicketStatus::Valid;
    book.map_or(0, |book| book.tickets.iter().filter(valid).count())
}
