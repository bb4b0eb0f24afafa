-- The books: what every order came to, in double entry. Nothing here is stored; each entry is read off
-- the row that caused it, so the books cannot drift from what happened. Debits are positive.
--
--   entry     caused by            debit                      credit
--   capture   a payment            provider:<name>            guest
--   sale      a fulfilled order    guest                      sales, tax, fees
--   accepted  a decided mismatch   guest                      differences (what the guest paid too little
--                                                             or too much, either way round)
--   refund    a refund             sales, tax, fees, goodwill refunds_payable
--             of money that never became tickets: guest       refunds_payable
--   payout    a refund that left   refunds_payable            provider:<name>
--
-- The entries of one row add up to zero in each currency. `guest` is what is owed to the guest (below
-- zero) until there are tickets for it or it is on its way back. Orders that cost nothing have no entries.

-- Orders that got their tickets, and what was sold. No order is fulfilled twice.
CREATE VIEW order_sales AS
SELECT o.id AS order_id, o.event_id, e.at, o.currency, o.payment_ref,
       o.total_amount_minor           AS total_minor,
       sum(l.tax_minor)::bigint       AS tax_minor,
       -- The tax of the fee is tax.
       sum(l.fee_minor - l.fee_tax_minor)::bigint AS fee_minor,
       EXISTS (SELECT FROM order_events m
               WHERE m.order_id = o.id AND m.from_status = 'mismatch' AND m.to_status = 'paid') AS accepted
FROM orders o
JOIN order_events e ON e.order_id = o.id AND e.to_status = 'fulfilled' AND e.from_status <> 'fulfilled'
JOIN order_lines l ON l.order_id = o.id
WHERE o.total_amount_minor > 0
GROUP BY o.id, e.id;

-- Refunds that count. `of_sale`: they take back something of what was sold; the rest is money that never
-- became tickets, such as a second payment. The parts are what they reverse of the sale: their own lines,
-- or, where every ticket is given back, all that no other refund has reversed, and with it the excess that
-- was paid, was never sold and has not gone back otherwise.
CREATE VIEW refund_parts AS
SELECT r.id, r.order_id, o.event_id, r.created_at, r.ended_at, r.provider, r.currency, r.amount_minor,
       r.attempt_id, r.status IN ('succeeded', 'external') AS paid_out, c.of_sale,
       CASE WHEN c.takes_all THEN s.total_minor - others.total_minor
            WHEN c.takes_lines THEN own.total_minor ELSE 0 END AS total_minor,
       CASE WHEN c.takes_all THEN s.tax_minor - others.tax_minor
            WHEN c.takes_lines THEN own.tax_minor ELSE 0 END AS tax_minor,
       CASE WHEN c.takes_all THEN s.fee_minor - others.fee_minor
            WHEN c.takes_lines THEN own.fee_minor ELSE 0 END AS fee_minor,
       CASE WHEN c.takes_all AND NOT s.accepted
            THEN greatest(a.captured_minor - s.total_minor - unsold.minor, 0) ELSE 0 END AS excess_minor
FROM refunds r
JOIN orders o ON o.id = r.order_id
JOIN payment_attempts a ON a.id = r.attempt_id
LEFT JOIN order_sales s ON s.order_id = r.order_id AND s.event_id = o.event_id
CROSS JOIN LATERAL (
    SELECT coalesce(s.order_id IS NOT NULL AND a.provider_ref = s.payment_ref
                    AND r.reason IN ('requested', 'event_cancelled', 'external'), false)) k (of_sale)
CROSS JOIN LATERAL (
    SELECT k.of_sale,
           k.of_sale AND r.voids = 'lines',
           k.of_sale AND r.voids = 'all' AND r.currency = s.currency AND NOT EXISTS (
               SELECT FROM refunds b
               WHERE b.order_id = r.order_id AND b.voids = 'all' AND b.attempt_id = r.attempt_id
                 AND b.status <> 'failed_final' AND b.number < r.number)) c (of_sale, takes_lines, takes_all)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.amount_minor), 0)::bigint, coalesce(sum(l.tax_minor), 0)::bigint,
           coalesce(sum(l.fee_minor - l.fee_tax_minor), 0)::bigint
    FROM refund_lines l WHERE l.refund_id = r.id) own (total_minor, tax_minor, fee_minor)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.amount_minor), 0)::bigint, coalesce(sum(l.tax_minor), 0)::bigint,
           coalesce(sum(l.fee_minor - l.fee_tax_minor), 0)::bigint
    FROM refunds b JOIN refund_lines l ON l.refund_id = b.id
    WHERE b.order_id = r.order_id AND b.voids = 'lines' AND b.status <> 'failed_final')
    others (total_minor, tax_minor, fee_minor)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(b.amount_minor), 0)::bigint FROM refunds b
    WHERE b.attempt_id = r.attempt_id AND b.status <> 'failed_final'
      AND b.reason NOT IN ('requested', 'event_cancelled', 'external')) unsold (minor)
WHERE r.status <> 'failed_final';

-- Payments that a person accepted although they differ, less what of them goes back.
CREATE VIEW accepted_differences AS
SELECT s.order_id, s.event_id, s.at, s.total_minor, s.currency, a.captured_currency,
       (a.captured_minor - back.minor)::bigint AS kept_minor
FROM order_sales s
JOIN payment_attempts a ON a.order_id = s.order_id AND a.provider_ref = s.payment_ref AND a.captured_minor > 0
CROSS JOIN LATERAL (
    SELECT coalesce(sum(p.amount_minor), 0) FROM refund_parts p
    WHERE p.order_id = s.order_id AND p.attempt_id = a.id AND NOT p.of_sale) back (minor)
WHERE s.accepted;

-- `source_id` is the row that caused the entry: a payment, an order or a refund.
CREATE VIEW account_entries AS
SELECT a.order_id, o.event_id, a.captured_at AS at, 'capture'::text AS entry, v.account,
       a.captured_currency AS currency, v.amount_minor, a.id AS source_id
FROM payment_attempts a JOIN orders o ON o.id = a.order_id
CROSS JOIN LATERAL (VALUES ('provider:' || a.provider, a.captured_minor),
                           ('guest'::text, -a.captured_minor)) v (account, amount_minor)
WHERE a.captured_minor > 0
UNION ALL
SELECT s.order_id, s.event_id, s.at, 'sale'::text, v.account, s.currency, v.amount_minor, s.order_id
FROM order_sales s
CROSS JOIN LATERAL (VALUES ('guest'::text, s.total_minor),
                           ('sales'::text, s.tax_minor + s.fee_minor - s.total_minor),
                           ('tax'::text, -s.tax_minor),
                           ('fees'::text, -s.fee_minor)) v (account, amount_minor)
WHERE v.amount_minor <> 0
UNION ALL
SELECT d.order_id, d.event_id, d.at, 'accepted'::text, v.account, v.currency, v.amount_minor, d.order_id
FROM accepted_differences d
CROSS JOIN LATERAL (VALUES ('guest'::text, d.captured_currency, d.kept_minor),
                           ('differences'::text, d.captured_currency, -d.kept_minor),
                           ('guest'::text, d.currency, -d.total_minor),
                           ('differences'::text, d.currency, d.total_minor)) v (account, currency, amount_minor)
WHERE (d.captured_currency, d.kept_minor) <> (d.currency, d.total_minor)
UNION ALL
SELECT p.order_id, p.event_id, p.created_at, 'refund'::text, v.account, p.currency, v.amount_minor, p.id
FROM refund_parts p
CROSS JOIN LATERAL (VALUES ('guest'::text, CASE WHEN p.of_sale THEN p.excess_minor ELSE p.amount_minor END),
                           ('sales'::text, p.total_minor - p.tax_minor - p.fee_minor),
                           ('tax'::text, p.tax_minor),
                           ('fees'::text, p.fee_minor),
                           ('goodwill'::text, CASE WHEN p.of_sale
                               THEN p.amount_minor - p.total_minor - p.excess_minor ELSE 0 END),
                           ('refunds_payable'::text, -p.amount_minor)) v (account, amount_minor)
WHERE v.amount_minor <> 0
UNION ALL
SELECT p.order_id, p.event_id, p.ended_at, 'payout'::text, v.account, p.currency, v.amount_minor, p.id
FROM refund_parts p
CROSS JOIN LATERAL (VALUES ('refunds_payable'::text, p.amount_minor),
                           ('provider:' || p.provider, -p.amount_minor)) v (account, amount_minor)
WHERE p.paid_out;

-- An admin looks for the beginning of an address or a name. The operator class serves equality too.
DROP INDEX orders_by_email;
CREATE INDEX orders_by_email ON orders (lower(email) text_pattern_ops);
CREATE INDEX orders_by_name ON orders (lower(name) text_pattern_ops);
