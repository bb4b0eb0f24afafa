-- The books of the sandbox provider. It behaves like a foreign system that happens to live here:
-- only src/provider/sandbox reads or writes this schema.
CREATE SCHEMA sandbox;

CREATE TABLE sandbox.sessions (
    -- Long and random: whoever has it may pay.
    reference    text PRIMARY KEY,
    -- The caller's key: the same key is the same session.
    caller_key   text NOT NULL UNIQUE,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency     text NOT NULL,
    description  text NOT NULL,
    return_url   text NOT NULL,
    order_id     uuid NOT NULL,
    status       text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'succeeded', 'closed')),
    declines     int NOT NULL DEFAULT 0,
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at   timestamptz
);

-- Webhooks to deliver until they are answered with 2xx.
CREATE TABLE sandbox.deliveries (
    event_id        text PRIMARY KEY,
    reference       text NOT NULL REFERENCES sandbox.sessions,
    body            bytea NOT NULL,
    attempts        int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at    timestamptz
);
CREATE INDEX deliveries_open ON sandbox.deliveries (next_attempt_at) WHERE delivered_at IS NULL;
