-- How an event is paid for and by whom it is sold, what a price contains, and the way back: a
-- cancelled event, a ticket that is void, stock that returns.

-- Defaults say: any enabled provider, the installation's seller, no fee, the installation's deadline.
ALTER TABLE events
    ADD COLUMN payment_providers   text[] NOT NULL DEFAULT '{}' CONSTRAINT events_payment_providers_are_known
        CHECK (payment_providers <@ ARRAY['sandbox', 'stripe', 'manual']),
    ADD COLUMN seller_name         text   NOT NULL DEFAULT '',
    ADD COLUMN seller_address      text   NOT NULL DEFAULT '',
    ADD COLUMN seller_tax_id       text   NOT NULL DEFAULT '',
    ADD COLUMN seller_contact      text   NOT NULL DEFAULT '',
    ADD COLUMN fee_mode            text   NOT NULL DEFAULT 'absorbed' CONSTRAINT events_fee_mode_is_known
        CHECK (fee_mode IN ('absorbed', 'added')),
    ADD COLUMN fee_fixed_minor     bigint NOT NULL DEFAULT 0 CONSTRAINT events_fee_fixed_in_limits
        CHECK (fee_fixed_minor BETWEEN 0 AND 1000000000000),
    ADD COLUMN fee_rate_ppm        int    NOT NULL DEFAULT 0 CONSTRAINT events_fee_rate_in_limits
        CHECK (fee_rate_ppm BETWEEN 0 AND 500000),
    ADD COLUMN manual_payment_days int    NOT NULL DEFAULT 0 CONSTRAINT events_manual_payment_days_in_limits
        CHECK (manual_payment_days BETWEEN 0 AND 60),
    ADD COLUMN cancelled_at        timestamptz,
    -- What guests are told.
    ADD COLUMN cancel_reason       text   NOT NULL DEFAULT '',
    ADD CONSTRAINT events_seller_has_name CHECK (
        seller_name <> '' OR (seller_address = '' AND seller_tax_id = '' AND seller_contact = ''));
UPDATE events SET cancelled_at = updated_at WHERE status = 'cancelled';
ALTER TABLE events
    ADD CONSTRAINT events_cancelled_has_time CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    ADD CONSTRAINT events_reason_is_of_a_cancelled_one CHECK (status = 'cancelled' OR cancel_reason = '');

-- Parts per million, contained in the price.
ALTER TABLE ticket_types
    ADD COLUMN tax_rate_ppm int NOT NULL DEFAULT 0 CONSTRAINT ticket_types_tax_rate_in_limits
        CHECK (tax_rate_ppm BETWEEN 0 AND 1000000);

-- unit_price_minor is what the guest pays; the fee is a part of it.
ALTER TABLE hold_lines
    ADD COLUMN unit_fee_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN tax_rate_ppm   int    NOT NULL DEFAULT 0,
    ADD CONSTRAINT hold_lines_fee_within_price CHECK (unit_fee_minor BETWEEN 0 AND unit_price_minor),
    ADD CONSTRAINT hold_lines_tax_rate_in_limits CHECK (tax_rate_ppm BETWEEN 0 AND 1000000);

-- The refund that made it void.
ALTER TABLE tickets
    ADD COLUMN voided_by uuid,
    ADD COLUMN voided_at timestamptz,
    ADD CONSTRAINT tickets_void_by_a_refund CHECK (
        (status = 'void') = (voided_by IS NOT NULL) AND (voided_by IS NULL) = (voided_at IS NULL));
CREATE INDEX tickets_by_refund ON tickets (voided_by) WHERE voided_by IS NOT NULL;

-- 'return': sold stock is free again. Its subject is the refund, so the key of the ledger keeps it
-- from returning twice.
ALTER TABLE inventory_ledger
    DROP CONSTRAINT inventory_ledger_deltas_fit_transition,
    ADD CONSTRAINT inventory_ledger_deltas_fit_transition CHECK (
        (transition = 'hold' AND held_delta > 0 AND sold_delta = 0)
        OR (transition = 'free' AND held_delta < 0 AND sold_delta = 0)
        OR (transition = 'sell' AND held_delta < 0 AND sold_delta = -held_delta)
        OR (transition = 'resell' AND held_delta = 0 AND sold_delta > 0)
        OR (transition = 'return' AND held_delta = 0 AND sold_delta < 0)
    );
