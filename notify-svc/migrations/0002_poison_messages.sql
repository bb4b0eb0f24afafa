-- Messages that are no notification and never will be unless somebody acts: they cannot be read, or
-- were read and refused. A row leaves when its message is accepted after all. Bounded in size here
-- and in number by who writes it.
CREATE TABLE poison_messages (
    -- The message's own id, or one made of its bytes: coming again, it is the same row.
    id uuid CONSTRAINT poison_messages_pkey PRIMARY KEY,
    reason text NOT NULL CONSTRAINT poison_messages_reason CHECK (octet_length(reason) <= 1024),
    -- Empty where the message was read: then its sender still has it.
    subject text NOT NULL CONSTRAINT poison_messages_subject CHECK (octet_length(subject) <= 256),
    headers text NOT NULL CONSTRAINT poison_messages_headers CHECK (octet_length(headers) <= 2048),
    payload_prefix bytea NOT NULL
        CONSTRAINT poison_messages_prefix CHECK (octet_length(payload_prefix) <= 1024),
    payload_bytes int NOT NULL,
    times int NOT NULL DEFAULT 1,
    first_received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
