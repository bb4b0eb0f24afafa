-- Orders, the money asked for them, and what providers said about it. Nothing here is ever deleted.

CREATE TABLE orders (
    id                 uuid PRIMARY KEY,
    -- For people. Derived from the id; short enough that two orders may share one.
    number             text NOT NULL,
    hold_id            uuid NOT NULL,
    -- SHA-256 of the request: the same key with another body is refused.
    body_hash          bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    -- The guest's secret is derived from key, id and generation; a higher generation revokes it.
    secret_key_id      text NOT NULL,
    secret_generation  int NOT NULL DEFAULT 1 CHECK (secret_generation > 0),
    email              text NOT NULL,
    phone_number       text NOT NULL,
    name               text NOT NULL,
    locale             text NOT NULL,
    -- What the guest agreed to pay; the hold is bound only at exactly this total.
    total_amount_minor bigint NOT NULL CHECK (total_amount_minor >= 0),
    currency           text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    provider           text NOT NULL,
    -- The provider's reference of the attempt that paid.
    payment_ref        text,
    status             text NOT NULL DEFAULT 'created' CONSTRAINT orders_status CHECK (status IN (
        'created', 'awaiting_payment', 'processing', 'paid', 'fulfilled', 'partially_refunded',
        'refunded', 'expired', 'cancelled', 'mismatch', 'unfulfillable')),
    -- Why the hold was never bound: the word and the sentence, answered again to a replay.
    refusal_reason     text,
    refusal_detail     text,
    -- Facts of the event as bought; known once the hold is bound.
    event_id           uuid,
    event_slug         text,
    event_title        text,
    event_location     text,
    event_date_time    timestamptz,
    event_timezone     text,
    -- What the guest is told, and when ticket-svc frees the stock by itself.
    pay_by             timestamptz,
    paying_until       timestamptz,
    paid_at            timestamptz,
    stock_released_at  timestamptz,
    -- A sentence for a person who must decide; NULL where nobody needs to look.
    needs_attention    text,
    -- When the saga looks again (also its lease); NULL once there is nothing left to do.
    next_step_at       timestamptz,
    step_failures      int NOT NULL DEFAULT 0,
    -- The trace of the guest's request; the saga's calls go on in it.
    trace_id           text,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT orders_bound CHECK (
        status IN ('created', 'cancelled')
        OR (event_id IS NOT NULL AND event_slug IS NOT NULL AND event_title IS NOT NULL
            AND event_location IS NOT NULL AND event_date_time IS NOT NULL
            AND event_timezone IS NOT NULL)),
    CONSTRAINT orders_deadline CHECK (status <> 'awaiting_payment' OR pay_by IS NOT NULL)
);
CREATE INDEX orders_next_step ON orders (next_step_at) WHERE next_step_at IS NOT NULL;
CREATE INDEX orders_number ON orders (number);

CREATE TABLE order_lines (
    order_id         uuid NOT NULL REFERENCES orders,
    position         int NOT NULL CHECK (position >= 0),
    ticket_type_id   uuid NOT NULL,
    category         text NOT NULL,
    quantity         int NOT NULL CHECK (quantity > 0),
    unit_price_minor bigint NOT NULL CHECK (unit_price_minor >= 0),
    line_total_minor bigint NOT NULL CHECK (line_total_minor >= 0),
    PRIMARY KEY (order_id, position)
);

CREATE TABLE payment_attempts (
    id             uuid PRIMARY KEY,
    order_id       uuid NOT NULL REFERENCES orders,
    number         int NOT NULL CHECK (number > 0),
    provider       text NOT NULL,
    -- Deterministic: asking the provider again for the same attempt gives the same payment.
    provider_key   text NOT NULL,
    -- Hash of the request that opened it; NULL for the first, which the order itself opened.
    body_hash      bytea,
    amount_minor   bigint NOT NULL CHECK (amount_minor > 0),
    currency       text NOT NULL,
    status         text NOT NULL DEFAULT 'created' CONSTRAINT attempts_status CHECK (status IN (
        'created', 'requires_action', 'processing', 'succeeded', 'failed', 'cancelled')),
    provider_ref   text,
    checkout_url   text,
    failure_reason text,
    deadline       timestamptz NOT NULL,
    -- How often the provider was asked without news.
    checks         int NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at       timestamptz,
    CONSTRAINT attempts_number UNIQUE (order_id, number),
    CONSTRAINT attempts_provider_key UNIQUE (provider, provider_key),
    CONSTRAINT attempts_provider_ref UNIQUE (provider, provider_ref)
);
-- At most one page on which a guest can pay.
CREATE UNIQUE INDEX attempts_one_open ON payment_attempts (order_id)
    WHERE status IN ('created', 'requires_action', 'processing');

-- The inbox of webhooks. A row here is what the provider's 2xx means.
CREATE TABLE provider_events (
    id              uuid PRIMARY KEY,
    provider        text NOT NULL,
    event_id        text NOT NULL,
    kind            text NOT NULL,
    reference       text NOT NULL,
    amount_minor    bigint NOT NULL,
    currency        text NOT NULL,
    body            bytea NOT NULL,
    state           text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'applied', 'unmatched')),
    -- What applying it came to, for people.
    outcome         text,
    attempts        int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    trace_id        text,
    received_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at      timestamptz,
    CONSTRAINT provider_events_once UNIQUE (provider, event_id)
);
CREATE INDEX provider_events_open ON provider_events (next_attempt_at) WHERE state = 'received';

-- The story of each order: every transition, in its transaction.
CREATE TABLE order_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    uuid NOT NULL REFERENCES orders,
    actor       text NOT NULL,
    -- NULL for the first.
    from_status text,
    -- Equal to from_status where something happened that moved nothing, such as a declined card.
    to_status   text NOT NULL,
    reason      text NOT NULL,
    trace_id    text,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX order_events_order ON order_events (order_id, id);

CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor    text NOT NULL,
    action   text NOT NULL,
    object   text NOT NULL,
    before   jsonb,
    after    jsonb,
    trace_id text,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER order_events_append_only BEFORE UPDATE OR DELETE ON order_events
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION append_only();

CREATE TABLE outbox (
    id              uuid PRIMARY KEY,
    kind            text NOT NULL,
    envelope        bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    generation      int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at    timestamptz
);
CREATE INDEX outbox_open ON outbox (next_attempt_at) WHERE confirmed_at IS NULL;
