-- What arrived, what goes back, and what an order came to. The rules that money must keep whatever
-- the code does are constraints: no payment gives back more than it brought, no line more than it has.

-- Facts of the event as bought, and the choices for another attempt (empty: any enabled provider).
ALTER TABLE orders
    ADD COLUMN event_providers text[] NOT NULL DEFAULT '{}',
    ADD COLUMN seller_name     text NOT NULL DEFAULT '',
    ADD COLUMN seller_address  text NOT NULL DEFAULT '',
    ADD COLUMN seller_tax_id   text NOT NULL DEFAULT '',
    ADD COLUMN seller_contact  text NOT NULL DEFAULT '';
CREATE INDEX orders_by_event ON orders (event_id, created_at, id);
CREATE INDEX orders_by_created ON orders (created_at, id);
CREATE INDEX orders_by_email ON orders (lower(email));
CREATE INDEX orders_attention ON orders (created_at) WHERE needs_attention IS NOT NULL;

-- Contained in line_total_minor, each rounded once: the tax, the service fee (with its tax), and the
-- tax of the fee. The ledger of an order is made of these.
ALTER TABLE order_lines
    ADD COLUMN unit_fee_minor    bigint NOT NULL DEFAULT 0 CONSTRAINT order_lines_unit_fee CHECK (unit_fee_minor >= 0),
    ADD COLUMN tax_rate_ppm      int    NOT NULL DEFAULT 0 CONSTRAINT order_lines_tax_rate CHECK (tax_rate_ppm BETWEEN 0 AND 1000000),
    ADD COLUMN tax_minor         bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_minor         bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_tax_minor     bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_quantity int    NOT NULL DEFAULT 0,
    ADD CONSTRAINT order_lines_parts CHECK (
        0 <= fee_tax_minor AND fee_tax_minor <= tax_minor AND fee_tax_minor <= fee_minor
        AND tax_minor - fee_tax_minor <= line_total_minor - fee_minor),
    ADD CONSTRAINT order_lines_refunded_at_most_all CHECK (refunded_quantity BETWEEN 0 AND quantity);

ALTER TABLE payment_attempts
    -- What really arrived, which a mismatch or a bank transfer may make differ from amount_minor.
    ADD COLUMN captured_minor    bigint NOT NULL DEFAULT 0 CONSTRAINT attempts_captured CHECK (captured_minor >= 0),
    ADD COLUMN captured_currency text,
    ADD COLUMN captured_at       timestamptz,
    -- The provider's name of the money itself, where it has one beside provider_ref.
    ADD COLUMN capture_ref       text,
    -- The sum of its refunds that count; kept by a trigger on refunds.
    ADD COLUMN refunded_minor    bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT attempts_refunded_at_most_captured CHECK (refunded_minor BETWEEN 0 AND captured_minor),
    ADD CONSTRAINT attempts_captured_whole CHECK (
        (captured_minor = 0) = (captured_at IS NULL) AND (captured_minor = 0) = (captured_currency IS NULL));
UPDATE payment_attempts
SET captured_minor = amount_minor, captured_currency = currency, captured_at = coalesce(ended_at, created_at)
WHERE status = 'succeeded';
CREATE INDEX attempts_by_capture_ref ON payment_attempts (provider, capture_ref) WHERE capture_ref IS NOT NULL;
CREATE INDEX attempts_by_order ON payment_attempts (order_id);
CREATE INDEX attempts_captured_at ON payment_attempts (captured_at) WHERE captured_at IS NOT NULL;

-- Arrivals that a person confirmed. The id is derived from the request's key.
CREATE TABLE manual_arrivals (
    id           uuid   NOT NULL CONSTRAINT manual_arrivals_pkey PRIMARY KEY,
    attempt_id   uuid   NOT NULL CONSTRAINT manual_arrivals_attempt_fkey REFERENCES payment_attempts,
    amount_minor bigint NOT NULL CONSTRAINT manual_arrivals_amount CHECK (amount_minor > 0),
    body_hash    bytea  NOT NULL CONSTRAINT manual_arrivals_body_hash CHECK (octet_length(body_hash) = 32),
    note         text   NOT NULL,
    actor        text   NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX manual_arrivals_by_attempt ON manual_arrivals (attempt_id);

--   requested ──► submitted ──► succeeded
--                  ▲    │ └───► failed_final ──► succeeded (a person paid it out)
--                  │    ▼
--                  └─ failed                     external (seen at the provider first)
-- A row counts as gone in every state but failed_final, and it exists before the provider hears of it.
-- It goes from requested straight to failed_final, and stays there, if there are no such tickets to make void.
CREATE TABLE refunds (
    -- Also the provider's key: asking twice sends the money back once.
    id                uuid   NOT NULL CONSTRAINT refunds_pkey PRIMARY KEY,
    order_id          uuid   NOT NULL CONSTRAINT refunds_order_fkey REFERENCES orders,
    attempt_id        uuid   NOT NULL CONSTRAINT refunds_attempt_fkey REFERENCES payment_attempts,
    number            int    NOT NULL CONSTRAINT refunds_number_positive CHECK (number > 0),
    provider          text   NOT NULL,
    amount_minor      bigint NOT NULL CONSTRAINT refunds_amount CHECK (amount_minor > 0),
    currency          text   NOT NULL,
    reason            text   NOT NULL CONSTRAINT refunds_reason CHECK (reason IN (
        'requested', 'unfulfillable', 'second_payment', 'overpaid', 'order_ended', 'mismatch',
        'event_cancelled', 'external')),
    -- What the guest is told.
    note              text   NOT NULL DEFAULT '',
    status            text   NOT NULL CONSTRAINT refunds_status CHECK (status IN (
        'requested', 'submitted', 'succeeded', 'failed', 'failed_final', 'external')),
    -- Which tickets are made void before the money leaves: none, those of refund_lines, or all.
    voids             text   NOT NULL CONSTRAINT refunds_voids CHECK (voids IN ('none', 'lines', 'all')),
    tickets_voided_at timestamptz,
    voided_tickets    int    NOT NULL DEFAULT 0,
    provider_ref      text,
    failure_reason    text,
    -- Of the request of an admin.
    body_hash         bytea,
    -- A user's id, `saga`, or the provider's name.
    requested_by      text   NOT NULL,
    next_step_at      timestamptz,
    step_failures     int    NOT NULL DEFAULT 0,
    -- How often the provider was asked without news, and how often it said no.
    checks            int    NOT NULL DEFAULT 0,
    failures          int    NOT NULL DEFAULT 0,
    trace_id          text,
    traceparent       text,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    submitted_at      timestamptz,
    ended_at          timestamptz,
    CONSTRAINT refunds_number_key UNIQUE (order_id, number),
    CONSTRAINT refunds_provider_ref UNIQUE (provider, provider_ref),
    CONSTRAINT refunds_void_before_money CHECK (
        voids = 'none' OR status IN ('requested', 'failed_final', 'external') OR tickets_voided_at IS NOT NULL),
    CONSTRAINT refunds_ended CHECK (
        (status IN ('succeeded', 'failed_final', 'external')) = (ended_at IS NOT NULL))
);
CREATE INDEX refunds_next_step ON refunds (next_step_at) WHERE next_step_at IS NOT NULL;
CREATE INDEX refunds_by_attempt ON refunds (attempt_id);
CREATE INDEX refunds_by_created ON refunds (created_at, id);
-- What sends an order's money back by itself does so once.
CREATE UNIQUE INDEX refunds_once_by_itself ON refunds (attempt_id, reason)
    WHERE reason IN ('unfulfillable', 'second_payment', 'order_ended', 'mismatch');

-- The units of a line that a refund gives back, with their share of what the line contains.
CREATE TABLE refund_lines (
    refund_id     uuid   NOT NULL CONSTRAINT refund_lines_refund_fkey REFERENCES refunds,
    order_id      uuid   NOT NULL,
    position      int    NOT NULL,
    quantity      int    NOT NULL CONSTRAINT refund_lines_quantity CHECK (quantity > 0),
    amount_minor  bigint NOT NULL,
    tax_minor     bigint NOT NULL,
    fee_minor     bigint NOT NULL,
    fee_tax_minor bigint NOT NULL,
    -- Empty: any of the line.
    ticket_ids    uuid[] NOT NULL DEFAULT '{}',
    CONSTRAINT refund_lines_pkey PRIMARY KEY (refund_id, position),
    CONSTRAINT refund_lines_line_fkey FOREIGN KEY (order_id, position) REFERENCES order_lines (order_id, position)
);

CREATE FUNCTION count_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before bigint := CASE WHEN TG_OP = 'UPDATE' AND OLD.status <> 'failed_final' THEN OLD.amount_minor ELSE 0 END;
    after  bigint := CASE WHEN NEW.status <> 'failed_final' THEN NEW.amount_minor ELSE 0 END;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.attempt_id, NEW.amount_minor, NEW.currency)
            IS DISTINCT FROM (OLD.attempt_id, OLD.amount_minor, OLD.currency) THEN
        RAISE EXCEPTION 'a refund keeps its payment and its amount';
    END IF;
    IF before <> after THEN
        UPDATE payment_attempts SET refunded_minor = refunded_minor + after - before WHERE id = NEW.attempt_id;
    END IF;
    -- Tickets that were never made void are not given back.
    IF TG_OP = 'UPDATE' AND NEW.status = 'failed_final' AND OLD.status <> 'failed_final'
            AND NEW.tickets_voided_at IS NULL THEN
        UPDATE order_lines SET refunded_quantity = refunded_quantity - l.quantity
        FROM refund_lines l
        WHERE l.refund_id = NEW.id AND order_lines.order_id = l.order_id AND order_lines.position = l.position;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refunds_count AFTER INSERT OR UPDATE ON refunds
    FOR EACH ROW EXECUTE FUNCTION count_refund();

CREATE FUNCTION count_refund_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE order_lines SET refunded_quantity = refunded_quantity + NEW.quantity
    WHERE order_id = NEW.order_id AND position = NEW.position;
    RETURN NULL;
END $$;
CREATE TRIGGER refund_lines_count AFTER INSERT ON refund_lines
    FOR EACH ROW EXECUTE FUNCTION count_refund_line();

CREATE FUNCTION never_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps its rows for ever', TG_TABLE_NAME;
END $$;
CREATE TRIGGER refunds_never_deleted BEFORE DELETE ON refunds
    FOR EACH ROW EXECUTE FUNCTION never_deleted();
CREATE TRIGGER attempts_never_deleted BEFORE DELETE ON payment_attempts
    FOR EACH ROW EXECUTE FUNCTION never_deleted();
CREATE TRIGGER orders_never_deleted BEFORE DELETE ON orders
    FOR EACH ROW EXECUTE FUNCTION never_deleted();
CREATE TRIGGER provider_events_never_deleted BEFORE DELETE ON provider_events
    FOR EACH ROW EXECUTE FUNCTION never_deleted();

-- How far ticket-svc's list of changes was read.
CREATE TABLE event_feed (
    only_row  boolean NOT NULL DEFAULT true CONSTRAINT event_feed_pkey PRIMARY KEY
              CONSTRAINT event_feed_has_one_row CHECK (only_row),
    after_seq bigint  NOT NULL
);
INSERT INTO event_feed (after_seq) VALUES (0);

-- Cancelled events. Their orders are looked through until each has ended and its money is back.
CREATE TABLE event_cancellations (
    event_id     uuid        NOT NULL CONSTRAINT event_cancellations_pkey PRIMARY KEY,
    explanation  text        NOT NULL,
    cancelled_at timestamptz NOT NULL,
    next_scan_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    scans        int         NOT NULL DEFAULT 0,
    finished_at  timestamptz
);
CREATE INDEX event_cancellations_next_scan ON event_cancellations (next_scan_at);

-- An order of a cancelled event is done with once it has ended and no money is left here; where it had
-- cost nothing, once its guest was told.
CREATE VIEW orders_of_cancelled_events AS
SELECT o.event_id, o.id AS order_id, o.needs_attention,
       (o.status NOT IN ('created', 'awaiting_payment', 'processing', 'paid')
        AND (SELECT coalesce(sum(a.captured_minor), 0) FROM payment_attempts a WHERE a.order_id = o.id)
          = (SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r
             WHERE r.order_id = o.id AND r.status IN ('succeeded', 'external'))
        AND (o.total_amount_minor > 0 OR o.status <> 'fulfilled' OR EXISTS (
             SELECT FROM order_events e WHERE e.order_id = o.id AND e.reason = 'event_cancelled'))) AS done
FROM orders o JOIN event_cancellations c ON c.event_id = o.event_id;

-- A signed event may be about a payment, a refund, or nothing of ours.
ALTER TABLE provider_events
    DROP CONSTRAINT provider_events_state_check,
    ADD CONSTRAINT provider_events_state CHECK (state IN ('received', 'applied', 'unmatched', 'ignored')),
    ADD COLUMN subject text NOT NULL DEFAULT 'payment'
        CONSTRAINT provider_events_subject CHECK (subject IN ('payment', 'refund', 'nothing'));
CREATE INDEX provider_events_by_reference ON provider_events (provider, reference);
