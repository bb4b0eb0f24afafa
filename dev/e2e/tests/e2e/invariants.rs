//! What must be true of a box office that has come to rest. Each query names the first row that
//! breaks the rule; no row is good.

use sqlx::{PgPool, Row as _};
use testkit::eventually;

use crate::harness::{BoxOffice, PATIENCE};

/// Rows that mean work under way.
const PAYMENTS_AT_WORK: &str = "
    SELECT 'order ' || id || ' is ' || status FROM orders WHERE status = 'paid'
    UNION ALL SELECT 'outbox row ' || id FROM outbox WHERE confirmed_at IS NULL
    UNION ALL SELECT 'provider event ' || event_id FROM provider_events WHERE state = 'received'
    UNION ALL SELECT 'delivery ' || event_id FROM sandbox.deliveries WHERE delivered_at IS NULL";
const NOTIFICATIONS_AT_WORK: &str =
    "SELECT 'notification ' || id || ' is ' || status FROM notifications WHERE status <> 'sent'";

const TICKETS_RULES: [(&str, &str); 5] = [
    (
        "counters equal the recount of the ledger",
        "SELECT 'pool ' || p.id FROM pools p
         LEFT JOIN inventory_ledger l ON l.pool_id = p.id
         GROUP BY p.id
         HAVING p.held <> coalesce(sum(l.held_delta), 0) OR p.sold <> coalesce(sum(l.sold_delta), 0)",
    ),
    (
        "nothing is oversold",
        "SELECT 'pool ' || id FROM pools WHERE held + sold + blocked > capacity",
    ),
    (
        "issued tickets are the sold units of their own pool",
        "SELECT 'type ' || tt.id FROM ticket_types tt JOIN pools p ON p.id = tt.pool_id
         WHERE p.sold <> (SELECT count(*) FROM tickets t WHERE t.ticket_type_id = tt.id AND t.status = 'valid')",
    ),
    (
        "tickets belong to committed orders",
        "SELECT 'ticket ' || t.id FROM tickets t JOIN order_answers a USING (order_id)
         WHERE a.answer <> 'committed'",
    ),
    (
        "no live hold is long past its deadline",
        "SELECT 'hold ' || id FROM holds
         WHERE status = 'active' AND expires_at < clock_timestamp() - interval '5 seconds'",
    ),
];
const PAYMENTS_RULES: [(&str, &str); 4] = [
    (
        "what the provider captured is what is paid here",
        "SELECT 'session ' || s.reference FROM sandbox.sessions s
         LEFT JOIN orders o ON o.id = s.order_id AND o.payment_ref = s.reference
         WHERE s.status = 'succeeded'
           AND (o.id IS NULL OR o.status NOT IN ('fulfilled', 'unfulfillable')
                OR o.total_amount_minor <> s.amount_minor)",
    ),
    (
        "no order is fulfilled without its money",
        "SELECT 'order ' || o.id FROM orders o
         WHERE o.status = 'fulfilled' AND o.total_amount_minor > 0
           AND NOT EXISTS (SELECT 1 FROM payment_attempts a
                           WHERE a.order_id = o.id AND a.status = 'succeeded')",
    ),
    (
        "one announcement per fulfilled order",
        "SELECT 'fulfilled ' || count(*) FROM orders WHERE status = 'fulfilled'
         HAVING count(*) <> (SELECT count(*) FROM outbox WHERE kind = 'order_paid')",
    ),
    (
        "history ends where the order is",
        "SELECT 'order ' || o.id FROM orders o WHERE o.status IS DISTINCT FROM
             (SELECT e.to_status FROM order_events e WHERE e.order_id = o.id ORDER BY e.id DESC LIMIT 1)",
    ),
];
const SESSIONS_IDLE_IN_TRANSACTION: &str = "
    SELECT 'session ' || pid || ': ' || left(query, 80) FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";

/// Waits until no work is left, then checks every rule.
pub async fn check(office: &BoxOffice) {
    let tickets = office.databases.tickets.pool().await;
    let payments = office.databases.payments.pool().await;
    let notifications = office.databases.notifications.pool().await;
    at_rest(&payments, PAYMENTS_AT_WORK).await;
    at_rest(&notifications, NOTIFICATIONS_AT_WORK).await;
    for (rule, query) in TICKETS_RULES {
        assert_eq!(rows(&tickets, query).await, [""; 0], "{rule}");
    }
    for (rule, query) in PAYMENTS_RULES {
        assert_eq!(rows(&payments, query).await, [""; 0], "{rule}");
    }
    for pool in [&tickets, &payments, &notifications] {
        assert_eq!(rows(pool, SESSIONS_IDLE_IN_TRANSACTION).await, [""; 0]);
    }
    let fulfilled = count(&payments, "SELECT count(*) FROM orders WHERE status = 'fulfilled'").await;
    let receipts = count(
        &notifications,
        "SELECT count(*) FROM notifications WHERE kind = 'receipt' AND revision = 0 AND attempts > 0",
    )
    .await;
    assert_eq!(fulfilled, receipts, "a receipt per fulfilled order");
    assert_eq!(office.smtp.messages().len() as i64, receipts, "no mail came twice");
    let answers = "SELECT count(*) FROM order_answers WHERE answer = 'committed'";
    assert_eq!(fulfilled, count(&tickets, answers).await, "ticket-svc and payment-svc agree");
}

async fn at_rest(pool: &PgPool, at_work: &'static str) {
    eventually("all work to be done", PATIENCE, async || {
        let left = rows(pool, at_work).await;
        if !left.is_empty() {
            println!("still at work: {left:?}");
        }
        left.is_empty().then_some(())
    })
    .await;
}


async fn rows(pool: &PgPool, query: &'static str) -> Vec<String> {
    let rows = sqlx::query(query).fetch_all(pool).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query(query).fetch_one(pool).await.unwrap().get(0)
}
