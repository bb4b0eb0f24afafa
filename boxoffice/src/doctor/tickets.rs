//! Rules of the tickets database: stock, holds, answers, tickets.

use super::rule::{Rule, rule, task};

pub(super) const RULES: &[Rule] = &[
    rule(
        "insights-match-holds",
        "The holds that insights show are those that were made.",
        "SELECT format('event %s, kept by %s: %s holds too many', event_id, kept_by, holds)
         FROM traffic_drift",
    ),
    rule(
        "stock-within-capacity",
        "In no pool are held, sold and blocked together more than its capacity.",
        "SELECT format('pool %s: held %s + sold %s + blocked %s, capacity %s', id, held, sold,
                       blocked, capacity)
         FROM pools WHERE held + sold + blocked > capacity",
    ),
    rule(
        "stock-not-negative",
        "No counter of a pool is negative.",
        "SELECT format('pool %s: held %s, sold %s, blocked %s', id, held, sold, blocked)
         FROM pools WHERE least(held, sold, blocked) < 0",
    ),
    rule(
        "counters-match-ledger",
        "The counters of every pool equal the recount of its ledger.",
        "SELECT format('pool %s: held %s, sold %s and blocked %s, the ledger says %s, %s and %s', p.id,
                       p.held, p.sold, p.blocked, coalesce(l.held, 0), coalesce(l.sold, 0),
                       coalesce(l.blocked, 0))
         FROM pools p
         LEFT JOIN (SELECT pool_id, sum(held_delta) AS held, sum(sold_delta) AS sold,
                           sum(blocked_delta) AS blocked
                    FROM inventory_ledger GROUP BY pool_id) l ON l.pool_id = p.id
         WHERE (p.held, p.sold, p.blocked)
               <> (coalesce(l.held, 0), coalesce(l.sold, 0), coalesce(l.blocked, 0))",
    ),
    rule(
        "holds-match-ledger",
        "Every line of a hold set its units aside in the ledger, and nothing else did.",
        "SELECT format('hold %s, line %s: %s units, the ledger set aside %s', h.hold_id, h.line,
                       h.quantity, coalesce(l.held_delta, 0))
         FROM hold_lines h
         JOIN ticket_types t ON t.id = h.ticket_type_id
         LEFT JOIN inventory_ledger l ON l.subject_id = h.hold_id AND l.pool_id = t.pool_id
                                     AND l.line = h.line AND l.transition = 'hold'
         WHERE l.held_delta IS DISTINCT FROM h.quantity
         UNION ALL
         SELECT format('ledger: hold %s, line %s took %s units of pool %s, the line has %s',
                       l.subject_id, l.line, l.held_delta, l.pool_id, coalesce(h.quantity, 0))
         FROM inventory_ledger l
         LEFT JOIN hold_lines h ON h.hold_id = l.subject_id AND h.line = l.line
         WHERE l.transition = 'hold' AND h.quantity IS DISTINCT FROM l.held_delta
         UNION ALL
         SELECT format('hold %s has no lines', h.id)
         FROM holds h WHERE NOT EXISTS (SELECT FROM hold_lines l WHERE l.hold_id = h.id)",
    ),
    rule(
        "holds-settled-once",
        "What a hold set aside is sold if it was committed, free if it ended, and kept while it lives.",
        "SELECT format('hold %s, line %s is %s, the ledger says %s', h.id, l.line, h.status,
                       coalesce(s.transition, 'held'))
         FROM inventory_ledger l
         JOIN holds h ON h.id = l.subject_id
         LEFT JOIN inventory_ledger s ON s.subject_id = l.subject_id AND s.pool_id = l.pool_id
                                     AND s.line = l.line AND s.transition IN ('free', 'sell')
         WHERE l.transition = 'hold'
           AND (s.transition IS DISTINCT FROM CASE
                    WHEN h.status = 'committed' THEN 'sell'
                    WHEN h.status IN ('released', 'expired') THEN 'free' END
                OR s.held_delta <> -l.held_delta)
         UNION ALL
         SELECT format('ledger: %s of %s units for %s, line %s, which were never held',
                       s.transition, -s.held_delta, s.subject_id, s.line)
         FROM inventory_ledger s
         WHERE s.transition IN ('free', 'sell')
           AND NOT EXISTS (SELECT FROM inventory_ledger l
                           WHERE l.subject_id = s.subject_id AND l.pool_id = s.pool_id
                             AND l.line = s.line AND l.transition = 'hold')",
    ),
    rule(
        "late-sales-match-ledger",
        "Stock is sold without a hold only for committed orders whose hold was gone.",
        "SELECT format('ledger: %s units resold to %s, which is no such order', l.sold_delta,
                       l.subject_id)
         FROM inventory_ledger l
         WHERE l.transition = 'resell'
           AND NOT EXISTS (SELECT FROM order_answers a JOIN holds h ON h.order_id = a.order_id
                           WHERE a.order_id = l.subject_id AND a.answer = 'committed'
                             AND h.status <> 'committed')
         UNION ALL
         SELECT format('order %s was committed without its hold, line %s: %s units, the ledger sold %s',
                       a.order_id, hl.line, hl.quantity, coalesce(l.sold_delta, 0))
         FROM order_answers a
         JOIN holds h ON h.order_id = a.order_id AND h.status <> 'committed'
         JOIN hold_lines hl ON hl.hold_id = h.id
         JOIN ticket_types t ON t.id = hl.ticket_type_id
         LEFT JOIN inventory_ledger l ON l.subject_id = a.order_id AND l.pool_id = t.pool_id
                                     AND l.line = hl.line AND l.transition = 'resell'
         WHERE a.answer = 'committed' AND l.sold_delta IS DISTINCT FROM hl.quantity",
    ),
    rule(
        "sold-is-issued",
        "Every pool has as many valid tickets as it has sold units.",
        "SELECT format('pool %s: %s sold, %s valid tickets', p.id, p.sold, coalesce(i.tickets, 0))
         FROM pools p
         LEFT JOIN (SELECT d.pool_id, count(*) AS tickets
                    FROM tickets t JOIN ticket_type_draws d USING (ticket_type_id)
                    WHERE t.status = 'valid' GROUP BY d.pool_id) i ON i.pool_id = p.id
         WHERE p.sold <> coalesce(i.tickets, 0)",
    ),
    rule(
        "returned-is-void",
        "What a refund gave back to a pool is what it made void, and every void ticket names its refund.",
        "SELECT format('refund %s: %s tickets void, pool %s got %s back', refund_id, coalesce(v.n, 0),
                       pool_id, coalesce(l.n, 0))
         FROM (SELECT t.voided_by AS refund_id, d.pool_id, count(*) AS n
               FROM tickets t JOIN ticket_type_draws d USING (ticket_type_id)
               WHERE t.voided_by IS NOT NULL GROUP BY t.voided_by, d.pool_id) v
         FULL JOIN (SELECT subject_id AS refund_id, pool_id, -sum(sold_delta) AS n
                    FROM inventory_ledger WHERE transition = 'return'
                    GROUP BY subject_id, pool_id) l USING (refund_id, pool_id)
         WHERE v.n IS DISTINCT FROM l.n
         UNION ALL
         SELECT format('ticket %s of order %s is %s, made void by %s', id, order_id, status,
                       coalesce(voided_by::text, 'nothing'))
         FROM tickets WHERE (status = 'void') <> (voided_by IS NOT NULL)",
    ),
    rule(
        "tickets-match-lines",
        "A committed order has one ticket per unit of each line, and no other.",
        "SELECT format('order %s, line %s: %s units, %s tickets', a.order_id, l.line, l.quantity,
                       coalesce(t.tickets, 0))
         FROM order_answers a
         JOIN holds h ON h.order_id = a.order_id
         JOIN hold_lines l ON l.hold_id = h.id
         LEFT JOIN (SELECT order_id, line, ticket_type_id, count(*) AS tickets
                    FROM tickets GROUP BY order_id, line, ticket_type_id) t
             ON t.order_id = a.order_id AND t.line = l.line
            AND t.ticket_type_id = l.ticket_type_id
         WHERE a.answer = 'committed' AND l.quantity <> coalesce(t.tickets, 0)
         UNION ALL
         SELECT format('ticket %s of order %s is on none of its lines', t.id, t.order_id)
         FROM tickets t
         WHERE NOT EXISTS (SELECT FROM holds h JOIN hold_lines l ON l.hold_id = h.id
                           WHERE h.order_id = t.order_id AND l.line = t.line
                             AND l.ticket_type_id = t.ticket_type_id)",
    ),
    rule(
        "tickets-have-a-commit",
        "No ticket belongs to an order that was not answered COMMITTED.",
        "SELECT format('ticket %s of order %s, which was answered %s', t.id, t.order_id,
                       coalesce(a.answer, 'nothing'))
         FROM tickets t LEFT JOIN order_answers a ON a.order_id = t.order_id
         WHERE a.answer IS DISTINCT FROM 'committed'",
    ),
    rule(
        "commits-match-holds",
        "Every committed order was bound to a hold, and every committed hold to a committed order.",
        "SELECT format('order %s was committed without ever having a hold', a.order_id)
         FROM order_answers a
         WHERE a.answer = 'committed'
           AND NOT EXISTS (SELECT FROM holds h WHERE h.order_id = a.order_id)
         UNION ALL
         SELECT format('hold %s is committed, its order %s was not', h.id, h.order_id)
         FROM holds h
         WHERE h.status = 'committed'
           AND NOT EXISTS (SELECT FROM order_answers a
                           WHERE a.order_id = h.order_id AND a.answer = 'committed')",
    ),
    rule(
        "hold-totals-add-up",
        "The total of every hold is the sum of its lines.",
        "SELECT format('hold %s: total %s, lines %s', h.id, h.total_minor, l.total_minor)
         FROM holds h
         JOIN (SELECT hold_id, sum(quantity * unit_price_minor) AS total_minor
               FROM hold_lines GROUP BY hold_id) l ON l.hold_id = h.id
         WHERE h.total_minor <> l.total_minor",
    ),
    rule(
        "guests-have-what-is-counted",
        "What is counted for a guest is what their orders hold and have bought.",
        "SELECT format('ticket type %s, a guest: counted %s, orders %s', ticket_type_id,
                       coalesce(c.units, 0), coalesce(o.units, 0))
         FROM guest_counts c
         FULL JOIN (SELECT l.ticket_type_id, h.guest_key,
                           sum(l.quantity - (SELECT count(*) FROM tickets t
                                             WHERE t.order_id = h.order_id AND t.line = l.line
                                               AND t.status = 'void')) AS units
                    FROM holds h
                    JOIN hold_lines l ON l.hold_id = h.id
                    LEFT JOIN order_answers a ON a.order_id = h.order_id AND a.answer = 'committed'
                    WHERE h.guest_key IS NOT NULL
                      AND (h.status = 'paying' OR a.order_id IS NOT NULL)
                    GROUP BY l.ticket_type_id, h.guest_key) o USING (ticket_type_id, guest_key)
         WHERE coalesce(c.units, 0) <> coalesce(o.units, 0)",
    ),
    rule(
        "codes-have-their-key",
        "Every signed code names a key of its event, and of an event's keys one signs.",
        "SELECT format('ticket %s: its event has no key %s', t.id, t.key_number)
         FROM tickets t
         WHERE t.key_number IS NOT NULL AND NOT EXISTS (
             SELECT FROM event_keys k WHERE k.event_id = t.event_id AND k.number = t.key_number)
         UNION ALL
         SELECT format('event %s: %s keys sign', event_id, count(*) FILTER (WHERE state = 'active'))
         FROM event_keys GROUP BY event_id HAVING count(*) FILTER (WHERE state = 'active') <> 1",
    ),
    rule(
        "dead-codes-are-listed",
        "The list that scanners read has every code that died, and none that is good.",
        "SELECT format('ticket %s, code %s is dead and on no list', d.id, d.generation)
         FROM (SELECT id, generation FROM tickets WHERE key_number IS NOT NULL AND status = 'void'
               UNION ALL
               -- The code before the first transfer may be of the first format, which no list has.
               SELECT ticket_id, generation - 1 FROM ticket_transfers WHERE generation > 2) d
         WHERE NOT EXISTS (SELECT FROM code_revocations c
                           WHERE c.ticket_id = d.id AND c.generation = d.generation)
         UNION ALL
         SELECT format('ticket %s, code %s is good and on the list', t.id, c.generation)
         FROM code_revocations c
         JOIN tickets t ON t.id = c.ticket_id AND t.generation = c.generation
         WHERE t.status = 'valid'",
    ),
    rule(
        "holds-end-in-time",
        "No live hold is past its deadline.",
        // The sweeper comes each second.
        "SELECT format('hold %s is %s, its deadline was %s', h.id, h.status, h.deadline)
         FROM (SELECT id, status,
                      CASE status WHEN 'paying' THEN paying_until ELSE expires_at END AS deadline
               FROM holds WHERE status IN ('active', 'paying')) h, rest
         WHERE h.deadline < rest.before - interval '5 seconds'",
    ),
    rule(
        "holds-keep-their-request",
        "Every hold keeps the hash of the request that made it.",
        "SELECT format('hold %s has a body hash of %s bytes', id, coalesce(octet_length(body_hash), 0))
         FROM holds WHERE octet_length(body_hash) IS DISTINCT FROM 32",
    ),
    rule(
        "programme-is-on-record",
        "Every event and ticket type has its entry in the audit log.",
        "SELECT format('%s %s is in no audit entry', o.kind, o.id)
         FROM (SELECT 'event' AS kind, id FROM events
               UNION ALL SELECT 'ticket type', id FROM ticket_types) o
         WHERE NOT EXISTS (SELECT FROM audit_log a WHERE a.object_id = o.id)",
    ),
    task(
        "sales-are-halted",
        "No pool's sale is halted.",
        "SELECT format('pool %s of event %s, since %s: %s', id, event_id, halted_at, halt_reason)
         FROM pools WHERE halted_at IS NOT NULL",
    ),
];
