//! Rules of the payments database: orders, their history, webhooks, the outbox.

use super::rule::{Rule, rule, task};

/// The statuses of an order that has been paid. A text, because SQL has no constants.
macro_rules! paid {
    () => {
        "('paid', 'fulfilled', 'partially_refunded', 'refunded', 'unfulfillable')"
    };
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "ended-orders-take-no-payment",
        "No payment is open for an order that is paid or over.",
        concat!(
            "SELECT format('attempt %s is %s, its order %s is %s', a.id, a.status, o.id, o.status)
             FROM payment_attempts a JOIN orders o ON o.id = a.order_id, rest
             WHERE a.status IN ('created', 'requires_action', 'processing')
               AND (o.status IN ('expired', 'cancelled') OR o.status IN ",
            paid!(),
            ") AND o.updated_at < rest.before"
        ),
    ),
    rule(
        "order-lines-add-up",
        "The total of every order is the sum of its lines.",
        "SELECT format('order %s: total %s, lines %s', o.id, o.total_amount_minor,
                       coalesce(l.total_minor, 0))
         FROM orders o
         LEFT JOIN (SELECT order_id, sum(line_total_minor) AS total_minor,
                           bool_and(line_total_minor = quantity * unit_price_minor) AS multiplied
                    FROM order_lines GROUP BY order_id) l ON l.order_id = o.id
         WHERE o.event_id IS NOT NULL
           AND (o.total_amount_minor IS DISTINCT FROM l.total_minor OR NOT l.multiplied)",
    ),
    rule(
        "one-order-per-hold",
        "No hold was sold to two orders.",
        "SELECT format('hold %s has %s orders', hold_id, count(*))
         FROM orders WHERE event_id IS NOT NULL GROUP BY hold_id HAVING count(*) > 1",
    ),
    rule(
        "orders-keep-their-request",
        "Every order keeps the hash of the request that made it.",
        "SELECT format('order %s has a body hash of %s bytes', id, coalesce(octet_length(body_hash), 0))
         FROM orders WHERE octet_length(body_hash) IS DISTINCT FROM 32",
    ),
    rule(
        "history-ends-at-status",
        "The history of every order ends where the order is.",
        "SELECT format('order %s is %s, its history ends at %s', o.id, o.status,
                       coalesce(e.to_status, 'nothing'))
         FROM orders o
         LEFT JOIN (SELECT DISTINCT ON (order_id) order_id, to_status
                    FROM order_events ORDER BY order_id, id DESC) e ON e.order_id = o.id
         WHERE o.status IS DISTINCT FROM e.to_status",
    ),
    rule(
        "history-is-legal",
        "Every step of an order begins where the last one ended and is one that orders may take.",
        "SELECT format('order %s, step %s: from %s to %s after %s', order_id, id,
                       coalesce(from_status, 'nothing'), to_status, coalesce(was, 'nothing'))
         FROM (SELECT id, order_id, from_status, to_status,
                      lag(to_status) OVER (PARTITION BY order_id ORDER BY id) AS was
               FROM order_events) e
         WHERE from_status IS DISTINCT FROM was
            OR (was IS NULL AND to_status <> 'created')
            OR (from_status <> to_status AND (from_status, to_status) NOT IN (SELECT before, after FROM order_steps))",
    ),
    rule(
        "orders-move-on",
        "No order is stuck before its payment is asked for, or after it was paid.",
        // An order that its guest never completed has a minute of its own.
        "SELECT format('order %s has been %s since %s', o.id, o.status, o.updated_at)
         FROM orders o, rest
         WHERE (o.status = 'paid' AND o.updated_at < rest.before)
            OR (o.status = 'created' AND o.created_at < rest.before - interval '60 seconds')",
    ),
    rule(
        "unpaid-orders-end",
        "No order waits for a payment whose time is over.",
        "SELECT format('order %s is %s, to be paid by %s', o.id, o.status, o.pay_by)
         FROM orders o, rest WHERE o.status = 'awaiting_payment' AND o.pay_by < rest.before",
    ),
    rule(
        "ended-orders-free-their-stock",
        "Every order that ended unpaid has given its stock back.",
        "SELECT format('order %s is %s and ticket-svc was not told', o.id, o.status)
         FROM orders o, rest
         WHERE o.status IN ('expired', 'cancelled') AND o.stock_released_at IS NULL
           AND o.updated_at < rest.before",
    ),
    rule(
        "webhooks-are-applied",
        "Every webhook about a payment of ours was applied.",
        "SELECT format('webhook %s of %s about %s, received at %s', e.event_id, e.provider,
                       e.reference, e.received_at)
         FROM provider_events e, rest
         WHERE e.state = 'received' AND e.received_at < rest.before
           AND EXISTS (SELECT FROM payment_attempts a
                       WHERE a.provider = e.provider AND e.reference IN (a.provider_ref, a.capture_ref))",
    ),
    rule(
        "fulfilled-is-announced",
        "There is one announcement per fulfilled order, and one per receipt that was sent again.",
        "SELECT format('%s orders were fulfilled and %s receipts sent again, %s announcements are in the outbox',
                       o.n, r.n, a.n)
         FROM (SELECT count(*) AS n FROM order_events
               WHERE to_status = 'fulfilled' AND from_status = 'paid') o,
              (SELECT count(*) AS n FROM order_news WHERE kind = 'receipt') r,
              (SELECT count(*) AS n FROM outbox WHERE kind = 'order_paid') a
         WHERE o.n + r.n <> a.n",
    ),
    rule(
        "news-are-announced",
        "Every further message about an order is in the outbox, and they are counted without a gap.",
        "SELECT format('message %s is %s %s of order %s, the outbox has it as %s', n.message_id, n.kind,
                       n.number, n.order_id, coalesce(o.kind, 'nothing'))
         FROM order_news n LEFT JOIN outbox o ON o.id = n.message_id
         WHERE o.kind IS DISTINCT FROM CASE n.kind WHEN 'receipt' THEN 'order_paid'
                                                  ELSE 'order_' || n.kind END
         UNION ALL
         SELECT format('outbox row %s (%s) is counted for no order', o.id, o.kind)
         FROM outbox o
         WHERE o.kind IN ('order_postponed', 'order_reminder', 'order_awaiting_transfer')
           AND NOT EXISTS (SELECT FROM order_news n WHERE n.message_id = o.id)
         UNION ALL
         SELECT format('order %s has %s messages as %s, the last is number %s', order_id, count(*), kind,
                       max(number))
         FROM order_news GROUP BY order_id, kind HAVING count(*) <> max(number)",
    ),
    rule(
        "reminders-come-in-time",
        "Nobody was reminded of an event that had begun.",
        "SELECT format('order %s was reminded at %s of %s', order_id, at, about)
         FROM order_news WHERE kind = 'reminder' AND at >= about",
    ),
    rule(
        "orders-follow-their-event",
        "Whoever has tickets for an event that was postponed has been told, or is being seen to.",
        "SELECT format('event %s was changed at %s, and its orders were to be looked through at %s',
                       m.event_id, m.changed_at, m.next_scan_at)
         FROM event_moves m, rest
         WHERE m.next_scan_at < rest.before - interval '60 seconds'
         UNION ALL
         SELECT format('order %s is of %s, its event is at %s', o.id, o.event_date_time, m.date_time)
         FROM orders o JOIN event_moves m ON m.event_id = o.event_id, rest
         WHERE o.status IN ('fulfilled', 'partially_refunded')
           AND o.event_version < m.version AND o.event_date_time <> m.date_time
           -- An order that turned up since is found by the next look, five minutes later at most.
           AND m.date_time > now()
           AND greatest(m.changed_at, o.updated_at) < rest.before - interval '300 seconds'",
    ),
    rule(
        "transfers-move-on",
        "Whoever was to be handed a ticket has it, or could not have it.",
        "SELECT format('transfer %s of ticket %s of order %s was asked for at %s', id, ticket_id,
                       order_id, created_at)
         FROM ticket_transfers, rest WHERE status = 'requested' AND created_at < rest.before",
    ),
    rule(
        "holders-are-told",
        "Whoever has tickets that were handed on has heard what became of their event.",
        "SELECT format('%s %s of order %s was to be told at %s', kind, number, order_id, created_at)
         FROM holder_news, rest WHERE ended_at IS NULL AND created_at < rest.before",
    ),
    rule(
        "outbox-is-confirmed",
        "Every announcement was confirmed by its receiver.",
        "SELECT format('outbox row %s (%s) of %s was published %s times and never confirmed', o.id,
                       o.kind, o.created_at, o.generation)
         FROM outbox o, rest WHERE o.confirmed_at IS NULL AND o.created_at < rest.before",
    ),
    task(
        "orders-need-a-person",
        "No order waits for a person's decision.",
        "SELECT format('order %s is %s: %s', id, status, coalesce(needs_attention, 'no reason stored'))
         FROM orders
         WHERE needs_attention IS NOT NULL OR status = 'mismatch'",
    ),
    task(
        "outcome-unknown",
        "No payment's outcome has been unknown for long.",
        "SELECT format('order %s has been processing since %s', o.id, o.updated_at)
         FROM orders o, rest WHERE o.status = 'processing' AND o.updated_at < rest.before",
    ),
    task(
        "webhooks-nobody-asked-for",
        "No webhook was about a payment that nobody asked for.",
        "SELECT format('webhook %s of %s: %s %s as %s', event_id, provider, amount_minor, currency,
                       reference)
         FROM provider_events WHERE state = 'unmatched'",
    ),
];
