-- Every message that was ever received, once. Its row is what the sender's outbox waits for.
CREATE TABLE inbox (
    message_id uuid CONSTRAINT inbox_pkey PRIMARY KEY,
    kind text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What is sent to a person. Inserted with the inbox row, sent from here.
--
--   queued ──► sending ──► sent
--     ▲           │
--     └───────────┴──────► failed
CREATE TABLE notifications (
    id uuid CONSTRAINT notifications_pkey PRIMARY KEY,
    message_id uuid NOT NULL CONSTRAINT notifications_message_fkey REFERENCES inbox (message_id),
    order_id uuid NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL CONSTRAINT notifications_channel CHECK (channel IN ('email')),
    recipient text NOT NULL,
    -- 0 is the first message of its kind; a resend has the next.
    revision int NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'queued'
        CONSTRAINT notifications_status CHECK (status IN ('queued', 'sending', 'sent', 'failed')),
    -- The facts it is rendered from: an encoded boxoffice.event.v1.OrderPaid.
    content bytea NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz,
    CONSTRAINT notifications_sent CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
    -- One message, however often it is announced.
    CONSTRAINT notifications_once UNIQUE (order_id, kind, channel, recipient, revision)
);

-- A lease that ran out makes a row due again, so both states are due by the same column.
CREATE INDEX notifications_due ON notifications (next_attempt_at)
    WHERE status IN ('queued', 'sending');
