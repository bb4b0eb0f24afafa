-- The sender's table, as README.md has it.
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    envelope bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    generation int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    -- Whom it is about, so that its words can be erased with a guest; NULL where it is about no order.
    order_id uuid
);
CREATE INDEX outbox_open ON outbox (next_attempt_at) WHERE confirmed_at IS NULL;

-- The receiver's. Here both ends share a database; in the mesh they never do.
CREATE TABLE inbox (message_id uuid PRIMARY KEY);
