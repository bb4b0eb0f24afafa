-- What a message is about is its subject: an order, a ticket that was handed on, or the request behind
-- a code or an invitation. Only some are about an order, and only some about an event.
ALTER TABLE notifications ALTER COLUMN order_id DROP NOT NULL;
ALTER TABLE notifications ADD COLUMN subject_id uuid;
UPDATE notifications SET subject_id = order_id;
ALTER TABLE notifications ALTER COLUMN subject_id SET NOT NULL;
-- Admins of this event see it. Without one, only superadmins do.
ALTER TABLE notifications ADD COLUMN event_id uuid;
-- The message that a person had sent once more has the next; its words are those of copy 0.
ALTER TABLE notifications ADD COLUMN copy int NOT NULL DEFAULT 0;
-- Rows of the version before this one, while both run.
CREATE FUNCTION notifications_subject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.subject_id := COALESCE(NEW.subject_id, NEW.order_id);
    RETURN NEW;
END $$;
CREATE TRIGGER notifications_subject BEFORE INSERT ON notifications
    FOR EACH ROW EXECUTE FUNCTION notifications_subject();
ALTER TABLE notifications DROP CONSTRAINT notifications_once;
ALTER TABLE notifications
    ADD CONSTRAINT notifications_once
        UNIQUE (subject_id, kind, channel, recipient, revision, copy);

-- `content` is the encoded message of boxoffice.event.v1 that `kind` names.
ALTER TABLE notifications DROP CONSTRAINT notifications_kind;
ALTER TABLE notifications
    ADD CONSTRAINT notifications_kind CHECK (kind IN (
        'receipt', 'unfulfillable', 'refunded', 'cancelled', 'postponed', 'reminder',
        'awaiting_transfer', 'ticket_transferred', 'lookup_code', 'admin_invitation',
        'password_reset'));

--   queued ──► sending ──► sent ──► bounced
--     ▲           │
--     └───────────┴──────► failed            any ──► erased
--
-- `next_attempt_at` of a row that is `sending` is the end of its lease, and `attempts` says whose
-- lease it is: both only grow.
ALTER TABLE notifications DROP CONSTRAINT notifications_status;
ALTER TABLE notifications
    ADD CONSTRAINT notifications_status
        CHECK (status IN ('queued', 'sending', 'sent', 'failed', 'bounced', 'erased'));
ALTER TABLE notifications DROP CONSTRAINT notifications_sent;
ALTER TABLE notifications
    ADD CONSTRAINT notifications_sent
        CHECK (status = 'erased' OR (status IN ('sent', 'bounced')) = (sent_at IS NOT NULL));
-- Temporary failures since it was queued; they decide how long it waits.
ALTER TABLE notifications ADD COLUMN failures int NOT NULL DEFAULT 0;
-- Set by the first attempt. A temporary failure after it is the last one.
ALTER TABLE notifications ADD COLUMN give_up_at timestamptz;
-- What kind of failure `last_error` was, and the mail server's reply if there was one.
--   server     the server could not be reached or does not know us; says nothing about the mail
--   temporary  refused for now
--   permanent  refused for good
--   unknown    the line was cut after the mail had been handed over; it may have arrived
--   content    it could not be made into a mail
--   bounce     came back after it had been accepted
ALTER TABLE notifications
    ADD COLUMN error_class text
        CONSTRAINT notifications_error_class CHECK (error_class IN (
            'server', 'temporary', 'permanent', 'unknown', 'content', 'bounce'));
ALTER TABLE notifications ADD COLUMN reply_code smallint;
-- The Message-ID without its brackets, decided by the first attempt and the same ever after.
ALTER TABLE notifications ADD COLUMN mail_id text;
-- Smaller goes first: 0 somebody waits for it, 1 news of one order, 2 news for thousands at once.
ALTER TABLE notifications ADD COLUMN priority smallint NOT NULL DEFAULT 1;
UPDATE notifications SET priority = 0 WHERE kind = 'receipt';
-- Whose mail servers decide about it in the end. What fails for one domain waits for none of the others.
ALTER TABLE notifications
    ADD COLUMN recipient_domain text NOT NULL
        GENERATED ALWAYS AS (lower(substring(recipient from '[^@]*$'))) STORED;
-- A person has seen the failure, and nothing more is to be done.
ALTER TABLE notifications ADD COLUMN dismissed_at timestamptz;

DROP INDEX notifications_due;
CREATE INDEX notifications_due ON notifications (priority, next_attempt_at)
    WHERE status IN ('queued', 'sending');
-- What a person should look at.
CREATE INDEX notifications_attention ON notifications (id)
    WHERE status IN ('failed', 'bounced') AND dismissed_at IS NULL;
CREATE INDEX notifications_by_order ON notifications (order_id, created_at)
    WHERE order_id IS NOT NULL;
CREATE INDEX notifications_by_event ON notifications (event_id, id);
CREATE INDEX notifications_by_recipient ON notifications (lower(recipient), id);

-- Orders whose guest was erased: a message about one that comes later is stored without address and words.
CREATE TABLE erased_orders (
    order_id uuid CONSTRAINT erased_orders_pkey PRIMARY KEY,
    erased_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Returned mails that were read, by a digest of their bytes, so that each counts once.
CREATE TABLE bounces (
    digest bytea CONSTRAINT bounces_pkey PRIMARY KEY,
    -- None where the report names no mail of ours.
    notification_id uuid,
    action text NOT NULL CONSTRAINT bounces_action CHECK (octet_length(action) <= 64),
    detail text NOT NULL CONSTRAINT bounces_detail CHECK (octet_length(detail) <= 1024),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Every change that a person made.
CREATE TABLE audit_log (
    id       bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_log_pkey PRIMARY KEY,
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
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION append_only();
