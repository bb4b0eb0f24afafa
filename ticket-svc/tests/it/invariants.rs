//! What must hold at the end of every test, whatever happened in it.

use std::time::Duration;

use sqlx::PgPool;

/// Each query lists violations; all must be empty.
const VIOLATIONS: [(&str, &str); 22] = [
    (
        "the holds that are counted differ from those that are there",
        "SELECT event_id::text FROM traffic_drift",
    ),
    (
        "counters differ from a recount of the ledger",
        "SELECT p.id::text FROM pools p
         WHERE (p.held, p.sold, p.blocked) <> (
             SELECT COALESCE(SUM(held_delta), 0), COALESCE(SUM(sold_delta), 0),
                    COALESCE(SUM(blocked_delta), 0)
             FROM inventory_ledger l WHERE l.pool_id = p.id)",
    ),
    (
        "a counter is negative or beyond the capacity",
        "SELECT id::text FROM pools
         WHERE held < 0 OR sold < 0 OR blocked < 0 OR held + sold + blocked > capacity",
    ),
    (
        "held differs from a recount of live holds",
        "SELECT p.id::text FROM pools p
         WHERE p.held <> (
             SELECT COALESCE(SUM(l.quantity), 0) FROM holds h
             JOIN hold_lines l ON l.hold_id = h.id
             JOIN ticket_type_draws d ON d.ticket_type_id = l.ticket_type_id
             WHERE d.pool_id = p.id AND h.status IN ('active', 'paying'))",
    ),
    (
        "sold differs from a recount of valid tickets",
        "SELECT p.id::text FROM pools p
         WHERE p.sold <> (
             SELECT COUNT(*) FROM tickets t
             JOIN ticket_type_draws d ON d.ticket_type_id = t.ticket_type_id
             WHERE d.pool_id = p.id AND t.status = 'valid')",
    ),
    (
        "what a refund gave back differs from the tickets that it made void",
        "SELECT COALESCE(l.refund, v.refund)::text
         FROM (SELECT subject_id AS refund, pool_id, -SUM(sold_delta) AS units
               FROM inventory_ledger WHERE transition = 'return' GROUP BY 1, 2) l
         FULL JOIN (SELECT t.voided_by AS refund, d.pool_id, COUNT(*) AS units
               FROM tickets t JOIN ticket_type_draws d ON d.ticket_type_id = t.ticket_type_id
               WHERE t.voided_by IS NOT NULL GROUP BY 1, 2) v
             ON (v.refund, v.pool_id) = (l.refund, l.pool_id)
         WHERE l.units IS DISTINCT FROM v.units",
    ),
    (
        "what a guest has differs from a recount of their orders",
        "SELECT COALESCE(c.ticket_type_id, o.ticket_type_id)::text
         FROM (SELECT ticket_type_id, guest_key, units FROM guest_counts WHERE units > 0) c
         FULL JOIN (
             SELECT l.ticket_type_id, h.guest_key, SUM(l.quantity - (
                 SELECT COUNT(*) FROM tickets t
                 WHERE t.order_id = h.order_id AND t.line = l.line AND t.status = 'void')) AS units
             FROM holds h JOIN hold_lines l ON l.hold_id = h.id
             WHERE h.status = 'paying' OR EXISTS (
                 SELECT 1 FROM order_answers a
                 WHERE a.order_id = h.order_id AND a.answer = 'committed')
             GROUP BY 1, 2) o USING (ticket_type_id, guest_key)
         WHERE COALESCE(c.units, 0) <> COALESCE(o.units, 0)",
    ),
    (
        "a refund made tickets of two orders void",
        "SELECT voided_by::text FROM tickets WHERE voided_by IS NOT NULL
         GROUP BY voided_by HAVING COUNT(DISTINCT order_id) > 1",
    ),
    (
        "a line's fee is more than its price",
        "SELECT hold_id::text FROM hold_lines WHERE unit_fee_minor > unit_price_minor",
    ),
    (
        "tickets differ from the lines of committed orders",
        "SELECT h.order_id::text FROM holds h LEFT JOIN order_answers a ON a.order_id = h.order_id
         WHERE h.order_id IS NOT NULL
           AND (SELECT COUNT(*) FROM tickets t WHERE t.order_id = h.order_id)
            <> CASE WHEN a.answer = 'committed'
               THEN (SELECT SUM(quantity) FROM hold_lines l WHERE l.hold_id = h.id) ELSE 0 END",
    ),
    (
        "a row of the hot path points to nothing",
        "SELECT h.id::text FROM holds h WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.id = h.event_id)
         UNION ALL SELECT l.hold_id::text FROM hold_lines l
         WHERE NOT EXISTS (SELECT 1 FROM holds h WHERE h.id = l.hold_id)
            OR NOT EXISTS (SELECT 1 FROM ticket_types t WHERE t.id = l.ticket_type_id)
         UNION ALL SELECT l.subject_id::text FROM inventory_ledger l
         WHERE NOT EXISTS (SELECT 1 FROM pools p WHERE p.id = l.pool_id)
         UNION ALL SELECT h.id::text FROM holds h
         WHERE NOT EXISTS (SELECT 1 FROM hold_lines l WHERE l.hold_id = h.id)",
    ),
    (
        "a committed hold without its answer",
        "SELECT h.id::text FROM holds h
         WHERE h.status = 'committed' AND NOT EXISTS (
             SELECT 1 FROM order_answers a WHERE a.order_id = h.order_id AND a.answer = 'committed')",
    ),
    (
        "the total of a hold differs from its lines",
        "SELECT h.id::text FROM holds h
         WHERE h.total_minor <> (
             SELECT SUM(quantity * unit_price_minor) FROM hold_lines l WHERE l.hold_id = h.id)",
    ),
    (
        "the auditor has halted a pool",
        "SELECT format('%s: %s', id, halt_reason) FROM pools WHERE halted_at IS NOT NULL",
    ),
    (
        "a checkpoint of the auditor is not the sum of its part of the ledger",
        "SELECT a.pool_id::text FROM pool_audits a
         WHERE (a.held, a.sold, a.blocked) <> (
             SELECT COALESCE(SUM(held_delta), 0), COALESCE(SUM(sold_delta), 0),
                    COALESCE(SUM(blocked_delta), 0)
             FROM inventory_ledger l WHERE l.pool_id = a.pool_id AND l.at <= a.up_to)",
    ),
    (
        "a signed ticket without its key, or an event with keys of which none signs",
        "SELECT t.id::text FROM tickets t
         WHERE t.key_number IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM event_keys k WHERE k.event_id = t.event_id AND k.number = t.key_number)
         UNION ALL SELECT event_id::text FROM event_keys
         GROUP BY event_id HAVING COUNT(*) FILTER (WHERE state = 'active') <> 1",
    ),
    (
        "generations of a ticket differ from the times that it was handed on",
        "SELECT t.id::text FROM tickets t
         WHERE t.generation <> 1 + (SELECT COUNT(*) FROM ticket_transfers h WHERE h.ticket_id = t.id)",
    ),
    (
        "a dead code is on no list",
        "SELECT t.id::text FROM tickets t
         WHERE t.key_number IS NOT NULL AND t.status = 'void' AND NOT EXISTS (
             SELECT 1 FROM code_revocations c
             WHERE c.ticket_id = t.id AND c.generation = t.generation AND c.verdict = 'void')
         UNION ALL SELECT h.ticket_id::text FROM ticket_transfers h
         WHERE h.generation > 2 AND NOT EXISTS (
             SELECT 1 FROM code_revocations c
             WHERE c.ticket_id = h.ticket_id AND c.generation = h.generation - 1
               AND c.verdict = 'revoked')",
    ),
    (
        "a code is on the list and not dead",
        "SELECT t.id::text FROM tickets t JOIN code_revocations c ON c.ticket_id = t.id
         WHERE c.generation > t.generation OR c.event_id <> t.event_id
            OR (c.generation = t.generation AND t.status = 'valid')",
    ),
    (
        "the list of dead codes has a gap",
        "SELECT event_id::text FROM code_revocations c GROUP BY event_id
         HAVING COUNT(*) <> MAX(seq) OR MIN(seq) <> 1 OR MAX(seq) <> (
             SELECT last_seq FROM code_revocation_seq s WHERE s.event_id = c.event_id)",
    ),
    (
        "the change feed has a gap",
        "SELECT last_seq::text FROM event_change_seq
         WHERE last_seq <> (SELECT COUNT(*) FROM event_changes)
            OR last_seq <> (SELECT COALESCE(MAX(seq), 0) FROM event_changes)",
    ),
    (
        "a change without its line in the audit log",
        "SELECT seq::text FROM event_changes
         WHERE (SELECT COUNT(*) FROM event_changes) <> (SELECT COUNT(*) FROM audit_log)",
    ),
];

pub async fn check_invariants(db: &PgPool) {
    testkit::eventually(
        "no live hold is past its deadline",
        Duration::from_secs(60),
        || async {
            let dead: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM holds
             WHERE status = 'active' AND expires_at <= clock_timestamp()
                OR status = 'paying' AND paying_until <= clock_timestamp()",
            )
            .fetch_one(db)
            .await
            .unwrap();
            (dead == 0).then_some(())
        },
    )
    .await;
    for (what, query) in VIOLATIONS {
        let violations: Vec<String> = sqlx::query_scalar(query).fetch_all(db).await.unwrap();
        assert!(violations.is_empty(), "{what}: {violations:?}");
    }
}
