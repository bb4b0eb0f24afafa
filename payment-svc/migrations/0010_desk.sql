-- What guests do for themselves: find their orders, cancel, hand a ticket on, correct an address; and what
-- is asked of them: terms.

ALTER TABLE orders
    -- The event's rule as bought: until so many hours before it begins, NULL where it may not be cancelled,
    -- and what is kept, in parts per million.
    ADD COLUMN cancel_until_hours int CONSTRAINT orders_cancel_until_hours CHECK (cancel_until_hours >= 0),
    ADD COLUMN cancel_fee_ppm     int NOT NULL DEFAULT 0
        CONSTRAINT orders_cancel_fee CHECK (cancel_fee_ppm BETWEEN 0 AND 1000000),
    -- The version of the terms that the guest accepted; NULL where there were none.
    ADD COLUMN accepted_terms     text,
    ADD COLUMN terms_accepted_at  timestamptz,
    -- Who the guest was is gone from here; what was sold, paid and refunded is not.
    ADD COLUMN erased_at          timestamptz,
    ADD CONSTRAINT orders_terms_have_a_time CHECK ((accepted_terms IS NULL) = (terms_accepted_at IS NULL)),
    ADD CONSTRAINT orders_erased_is_empty CHECK (
        erased_at IS NULL OR (email = '' AND name = '' AND phone_number = '' AND NOT notices));

-- Every text that somebody accepted. Versions are made from the text.
CREATE TABLE terms (
    version     text        NOT NULL CONSTRAINT terms_pkey PRIMARY KEY,
    content     text        NOT NULL,
    first_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER terms_append_only BEFORE UPDATE OR DELETE ON terms
    FOR EACH ROW EXECUTE FUNCTION append_only();
ALTER TABLE orders
    ADD CONSTRAINT orders_terms_fkey FOREIGN KEY (accepted_terms) REFERENCES terms (version);

-- Whom a message is about, so that its words can be erased with its guest; NULL where it is about no order.
ALTER TABLE outbox ADD COLUMN order_id uuid;
CREATE INDEX outbox_by_order ON outbox (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX outbox_lookups ON outbox (confirmed_at) WHERE kind = 'lookup_code_requested' AND envelope <> '';

-- How often something was done in the window that began then. Subjects are keyed hashes: of an order, an
-- address, a network.
CREATE TABLE desk_limits (
    bucket       text        NOT NULL,
    subject      bytea       NOT NULL CONSTRAINT desk_limits_subject CHECK (octet_length(subject) = 32),
    window_start timestamptz NOT NULL,
    count        int         NOT NULL CONSTRAINT desk_limits_count CHECK (count > 0),
    CONSTRAINT desk_limits_pkey PRIMARY KEY (bucket, subject)
);
CREATE INDEX desk_limits_by_window ON desk_limits (window_start);

-- Guests who look for their orders. The code is derived from key and id and never stored; neither is the
-- address. There is a row for every address that is asked for, with orders or without.
CREATE TABLE lookups (
    id         uuid        NOT NULL CONSTRAINT lookups_pkey PRIMARY KEY,
    key_id     text        NOT NULL,
    body_hash  bytea       NOT NULL CONSTRAINT lookups_body_hash CHECK (octet_length(body_hash) = 32),
    -- Newest first.
    order_ids  uuid[]      NOT NULL,
    -- Of their secrets, one for each: an order whose address was corrected since is not found any more.
    generations int[]      NOT NULL,
    attempts   int         NOT NULL DEFAULT 0 CONSTRAINT lookups_attempts CHECK (attempts >= 0),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX lookups_by_end ON lookups (expires_at);

-- An order that went to another address. The id is derived from the request's key, so a repeat with the
-- secret of the generation before is told the new one.
CREATE TABLE address_corrections (
    id         uuid        NOT NULL CONSTRAINT address_corrections_pkey PRIMARY KEY,
    order_id   uuid        NOT NULL CONSTRAINT address_corrections_order_fkey REFERENCES orders,
    body_hash  bytea       NOT NULL CONSTRAINT address_corrections_body_hash CHECK (octet_length(body_hash) = 32),
    -- Of the order's secret, before.
    generation int         NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT address_corrections_once UNIQUE (order_id, generation)
);

-- Tickets that were handed on. The id is derived from the request's key and names the step at ticket-svc.
--
--   requested ──► done | refused (the ticket was not valid any more)
CREATE TABLE ticket_transfers (
    id            uuid        NOT NULL CONSTRAINT ticket_transfers_pkey PRIMARY KEY,
    order_id      uuid        NOT NULL CONSTRAINT ticket_transfers_order_fkey REFERENCES orders,
    ticket_id     uuid        NOT NULL,
    body_hash     bytea       NOT NULL CONSTRAINT ticket_transfers_body_hash CHECK (octet_length(body_hash) = 32),
    -- The recipient's secret is derived from key and id.
    secret_key_id text        NOT NULL,
    email         text        NOT NULL,
    name          text        NOT NULL,
    locale        text        NOT NULL,
    status        text        NOT NULL DEFAULT 'requested'
        CONSTRAINT ticket_transfers_status CHECK (status IN ('requested', 'done', 'refused')),
    -- The ticket's, as ticket-svc counted.
    generation    int,
    -- When the step is taken (again), also its lease; NULL once it is done with.
    next_step_at  timestamptz,
    step_failures int         NOT NULL DEFAULT 0,
    trace_id      text,
    traceparent   text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz,
    CONSTRAINT ticket_transfers_ended CHECK (
        (status = 'requested') = (ended_at IS NULL) AND (status = 'requested') = (next_step_at IS NOT NULL)
        AND (status = 'done') = (generation IS NOT NULL)),
    CONSTRAINT ticket_transfers_generation UNIQUE (ticket_id, generation)
);
CREATE INDEX ticket_transfers_by_order ON ticket_transfers (order_id, created_at);
CREATE INDEX ticket_transfers_next_step ON ticket_transfers (next_step_at) WHERE next_step_at IS NOT NULL;
-- A ticket goes one way at a time.
CREATE UNIQUE INDEX ticket_transfers_one_open ON ticket_transfers (ticket_id) WHERE status = 'requested';

-- A guest may cancel by the rule of the event. What is kept then is a fee.
ALTER TABLE refunds
    DROP CONSTRAINT refunds_reason,
    ADD CONSTRAINT refunds_reason CHECK (reason IN (
        'requested', 'unfulfillable', 'second_payment', 'overpaid', 'order_ended', 'mismatch',
        'event_cancelled', 'guest_cancelled', 'external'));

-- As before, with a guest's own cancellation among those of the sale.
CREATE OR REPLACE VIEW refund_parts AS
SELECT r.id, r.order_id, o.event_id, r.created_at, r.ended_at, r.provider, r.currency, r.amount_minor,
       r.attempt_id, r.status IN ('succeeded', 'external') AS paid_out, c.of_sale,
       CASE WHEN c.takes_all THEN s.total_minor - others.total_minor
            WHEN c.takes_lines THEN own.total_minor ELSE 0 END AS total_minor,
       CASE WHEN c.takes_all THEN s.tax_minor - others.tax_minor
            WHEN c.takes_lines THEN own.tax_minor ELSE 0 END AS tax_minor,
       CASE WHEN c.takes_all THEN s.fee_minor - others.fee_minor
            WHEN c.takes_lines THEN own.fee_minor ELSE 0 END AS fee_minor,
       CASE WHEN c.takes_all AND NOT s.accepted
            THEN greatest(a.captured_minor - s.total_minor - unsold.minor, 0) ELSE 0 END AS excess_minor,
       r.reason = 'guest_cancelled' AS by_guest
FROM refunds r
JOIN orders o ON o.id = r.order_id
JOIN payment_attempts a ON a.id = r.attempt_id
LEFT JOIN order_sales s ON s.order_id = r.order_id AND s.event_id = o.event_id
CROSS JOIN LATERAL (
    SELECT coalesce(s.order_id IS NOT NULL AND a.provider_ref = s.payment_ref
                    AND r.reason IN ('requested', 'event_cancelled', 'guest_cancelled', 'external'), false)) k (of_sale)
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
      AND b.reason NOT IN ('requested', 'event_cancelled', 'guest_cancelled', 'external')) unsold (minor)
WHERE r.status <> 'failed_final';

-- As before; what is kept of a guest's own cancellation is `cancellation_fees`, a credit.
-- `source_id` is the row that caused the entry: a payment, an order or a refund.
CREATE OR REPLACE VIEW account_entries AS
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
                           (CASE WHEN p.by_guest THEN 'cancellation_fees'::text ELSE 'goodwill'::text END,
                            CASE WHEN p.of_sale
                                THEN p.amount_minor - p.total_minor - p.excess_minor ELSE 0 END),
                           ('refunds_payable'::text, -p.amount_minor)) v (account, amount_minor)
WHERE v.amount_minor <> 0
UNION ALL
SELECT p.order_id, p.event_id, p.ended_at, 'payout'::text, v.account, p.currency, v.amount_minor, p.id
FROM refund_parts p
CROSS JOIN LATERAL (VALUES ('refunds_payable'::text, p.amount_minor),
                           ('provider:' || p.provider, -p.amount_minor)) v (account, amount_minor)
WHERE p.paid_out;

