//! Rules of the payments database about money: what came, what goes back, and the books.

use super::rule::{Rule, rule};

/// Of `orders o`: a person took a payment that differs for the right one.
macro_rules! accepted {
    () => {
        "EXISTS (SELECT FROM order_events e WHERE e.order_id = o.id AND e.from_status = 'mismatch'
                   AND e.to_status = 'paid')"
    };
}

/// Of `orders o`: its money is as it is not because a person accepted another amount, nor because a
/// person has to pay it out.
macro_rules! nobody_decided {
    () => {
        concat!(
            "NOT EXISTS (SELECT FROM refunds f WHERE f.order_id = o.id AND f.status = 'failed_final')
               AND NOT ",
            accepted!()
        )
    };
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "insights-match-orders",
        "What insights show equals a count of the orders and refunds, to the cent.",
        "SELECT format('event %s, type %s, kept by %s: %s orders, %s paid, %s sold, %s %s earned, %s tickets and %s given back too many',
                       event_id, ticket_type_id, kept_by, placed, paid, sold, revenue_minor, currency,
                       returned, refunded_minor)
         FROM sale_drift",
    ),
    rule(
        "captured-money-ended",
        "Every captured cent became tickets or goes back.",
        concat!(
            "SELECT format('order %s of %s %s is %s: %s captured, %s going back', o.id,
                           o.total_amount_minor, o.currency, o.status, m.captured, m.refunded)
             FROM orders o
             JOIN (SELECT order_id, sum(captured_minor) AS captured, sum(refunded_minor) AS refunded,
                          max(captured_at) AS at
                   FROM payment_attempts WHERE captured_minor > 0 GROUP BY order_id) m
                 ON m.order_id = o.id, rest
             WHERE greatest(o.updated_at, m.at) < rest.before
               AND (o.status IN ('refunded', 'unfulfillable', 'expired', 'cancelled')
                        AND m.captured <> m.refunded
                    OR o.status IN ('fulfilled', 'partially_refunded')
                        AND m.captured - m.refunded > o.total_amount_minor)
               AND ",
            nobody_decided!()
        ),
    ),
    rule(
        "paid-is-captured",
        "Every paid order that costs something has the captured payment it names.",
        concat!(
            "SELECT format('order %s is %s, and no attempt captured its %s %s as %s', o.id, o.status,
                           o.total_amount_minor, o.currency, coalesce(o.payment_ref, 'nothing'))
             FROM orders o
             WHERE o.total_amount_minor > 0 AND o.paid_at IS NOT NULL
               AND NOT EXISTS (SELECT FROM payment_attempts a
                               WHERE a.order_id = o.id AND a.status = 'succeeded'
                                 AND a.provider_ref = o.payment_ref
                                 AND (a.captured_minor >= o.total_amount_minor
                                          AND a.captured_currency = o.currency
                                      OR a.captured_minor > 0 AND ",
            accepted!(),
            "))"
        ),
    ),
    rule(
        "succeeded-is-captured",
        "Every payment that succeeded brought money.",
        "SELECT format('attempt %s of order %s succeeded, and nothing arrived', id, order_id)
         FROM payment_attempts WHERE status = 'succeeded' AND captured_minor = 0",
    ),
    rule(
        "refunds-within-payments",
        "No payment gives back more than it brought, and what it gave back is the sum of its refunds.",
        "SELECT format('attempt %s of order %s: %s %s captured, %s given back, its refunds say %s', a.id,
                       a.order_id, a.captured_minor, coalesce(a.captured_currency, ''),
                       a.refunded_minor, coalesce(r.counted, 0))
         FROM payment_attempts a
         LEFT JOIN (SELECT attempt_id, sum(amount_minor) FILTER (WHERE status <> 'failed_final') AS counted,
                           min(currency) AS least, max(currency) AS most
                    FROM refunds GROUP BY attempt_id) r ON r.attempt_id = a.id
         WHERE a.refunded_minor <> coalesce(r.counted, 0) OR a.refunded_minor > a.captured_minor
            OR (r.least, r.most) <> (a.captured_currency, a.captured_currency)
         UNION ALL
         SELECT format('refund %s of order %s belongs to attempt %s, which is of another order', r.id,
                       r.order_id, r.attempt_id)
         FROM refunds r
         WHERE NOT EXISTS (SELECT FROM payment_attempts a
                           WHERE a.id = r.attempt_id AND a.order_id = r.order_id)",
    ),
    rule(
        "given-back-matches-refunds",
        "The tickets of a line that were given back are those that its refunds name, and no more than it has.",
        "SELECT format('order %s, line %s of %s: %s given back, its refunds name %s', l.order_id,
                       l.position, l.quantity, l.refunded_quantity, coalesce(r.units, 0))
         FROM order_lines l
         LEFT JOIN (SELECT n.order_id, n.position, sum(n.quantity) AS units
                    FROM refund_lines n JOIN refunds f ON f.id = n.refund_id
                    -- One that was withdrawn before its tickets were void gives nothing back.
                    WHERE f.status <> 'failed_final' OR f.tickets_voided_at IS NOT NULL
                    GROUP BY n.order_id, n.position) r
             ON r.order_id = l.order_id AND r.position = l.position
         WHERE l.refunded_quantity <> coalesce(r.units, 0) OR l.refunded_quantity > l.quantity",
    ),
    rule(
        "tickets-are-void-first",
        "No money left before the tickets it was paid for were void.",
        "SELECT format('refund %s of order %s is %s, and its tickets were not made void', id, order_id,
                       status)
         FROM refunds
         WHERE voids <> 'none' AND status IN ('submitted', 'succeeded', 'failed')
           AND tickets_voided_at IS NULL",
    ),
    rule(
        "refunds-move-on",
        "No refund is left lying.",
        // Submitted and not due: a person pays it out, and the order says so.
        "SELECT format('refund %s of order %s is %s and due %s', r.id, r.order_id, r.status,
                       coalesce(r.next_step_at::text, 'never'))
         FROM refunds r, rest
         WHERE r.status IN ('requested', 'failed') AND r.next_step_at IS NULL
            OR r.next_step_at < rest.before - interval '60 seconds'
            OR r.status = 'submitted' AND r.next_step_at IS NULL
               AND NOT EXISTS (SELECT FROM orders o
                               WHERE o.id = r.order_id AND o.needs_attention IS NOT NULL)",
    ),
    rule(
        "status-follows-money",
        "An order is refunded, or partially, by what has left of its money.",
        "SELECT format('order %s of %s %s is %s: %s captured, %s paid out', o.id, o.total_amount_minor,
                           o.currency, o.status, m.captured, p.paid_out)
             FROM orders o
             JOIN (SELECT order_id, sum(captured_minor) AS captured FROM payment_attempts
                   WHERE captured_minor > 0 GROUP BY order_id) m ON m.order_id = o.id
             JOIN (SELECT order_id, sum(amount_minor) AS paid_out, max(ended_at) AS at,
                          coalesce(sum(amount_minor) FILTER (
                              WHERE reason IN ('requested', 'external', 'event_cancelled',
                                  'guest_cancelled')), 0) AS of_the_sale
                   FROM refunds WHERE status IN ('succeeded', 'external') GROUP BY order_id) p
                 ON p.order_id = o.id, rest
             WHERE p.at < rest.before
               AND o.status IN ('fulfilled', 'partially_refunded', 'unfulfillable', 'mismatch')
               AND o.status <> CASE
                       WHEN m.captured = p.paid_out THEN 'refunded'
                       WHEN o.status IN ('unfulfillable', 'mismatch') THEN o.status
                       WHEN m.captured - p.paid_out < o.total_amount_minor AND p.of_the_sale > 0
                           THEN 'partially_refunded'
                       ELSE 'fulfilled' END
               AND NOT EXISTS (SELECT FROM refunds r
                               WHERE r.order_id = o.id AND r.voids <> 'none'
                                 AND r.status = 'external' AND r.tickets_voided_at IS NULL)",
    ),
    rule(
        "accounts-add-up",
        "The entries of every payment, sale and refund add up to zero.",
        "SELECT format('%s %s of order %s: %s %s without a counterpart', entry, source_id, order_id,
                       sum(amount_minor), currency)
         FROM account_entries GROUP BY entry, source_id, order_id, currency HAVING sum(amount_minor) <> 0",
    ),
    rule(
        "guests-are-owed-nothing",
        "In the books no guest of an order that has ended is owed anything, or owes it.",
        concat!(
            "SELECT format('order %s is %s, its guest''s account stands at %s %s', o.id, o.status, g.balance,
                           g.currency)
             FROM orders o
             JOIN (SELECT order_id, currency, sum(amount_minor) AS balance, max(at) AS at
                   FROM account_entries WHERE account = 'guest'
                   GROUP BY order_id, currency HAVING sum(amount_minor) <> 0) g ON g.order_id = o.id, rest
             WHERE greatest(o.updated_at, g.at) < rest.before
               AND o.status NOT IN ('created', 'awaiting_payment', 'processing', 'paid', 'mismatch')
               AND ",
            nobody_decided!()
        ),
    ),
    rule(
        "refunds-are-announced",
        "Each refund and each order that came to nothing is announced once, but to who has unsubscribed.",
        "SELECT format('%s announcements are due as %s, %s are in the outbox', d.n, d.kind, coalesce(a.n, 0))
         FROM (SELECT 'order_refunded' AS kind, count(*) AS n FROM refunds
               WHERE reason IN ('requested', 'guest_cancelled') AND paid_out_at IS NOT NULL
                  OR reason IN ('second_payment', 'overpaid', 'order_ended', 'mismatch')
                     AND submitted_at IS NOT NULL
               UNION ALL
               SELECT 'order_unfulfillable', count(*)
               FROM (SELECT order_id FROM refunds
                     WHERE reason = 'unfulfillable' AND submitted_at IS NOT NULL
                     UNION SELECT e.order_id FROM order_events e JOIN orders o ON o.id = e.order_id
                     WHERE o.total_amount_minor = 0
                       AND e.to_status = 'unfulfillable' AND e.from_status <> e.to_status) u
               UNION ALL
               SELECT 'order_cancelled', count(*)
               FROM (SELECT order_id FROM refunds
                     WHERE reason = 'event_cancelled' AND submitted_at IS NOT NULL
                     UNION SELECT order_id FROM order_events
                     WHERE reason = 'event_cancelled' AND from_status = to_status) c) d
         LEFT JOIN (SELECT kind, count(*) AS n
                    FROM (SELECT kind FROM outbox
                          UNION ALL
                          SELECT split_part(reason, ':', 2) FROM order_events
                          WHERE reason LIKE 'withheld:%') told
                    GROUP BY kind) a ON a.kind = d.kind
         WHERE d.n <> coalesce(a.n, 0)",
    ),
    rule(
        "cancelled-events-end",
        "The orders of every cancelled event have ended, or are being seen to.",
        "SELECT format('event %s was cancelled at %s, and its orders were to be looked through at %s',
                       c.event_id, c.cancelled_at, c.next_scan_at)
         FROM event_cancellations c, rest
         WHERE c.next_scan_at < rest.before - interval '60 seconds'
         UNION ALL
         SELECT format('event %s counts as done, and order %s has not ended', c.event_id, o.order_id)
         FROM event_cancellations c JOIN orders_of_cancelled_events o ON o.event_id = c.event_id, rest
         -- An order that turned up since is found by the next look, five minutes later at most.
         WHERE c.finished_at < rest.before AND NOT o.done
           AND (c.next_scan_at < rest.before
                OR rest.before - interval '300 seconds' > greatest(
                    (SELECT updated_at FROM orders WHERE id = o.order_id),
                    (SELECT max(captured_at) FROM payment_attempts WHERE order_id = o.order_id)))",
    ),
];
