-- The order went to another address: what was written to its guest before and not sent is not sent there any more.
--
--   queued ──► withdrawn          sending ──► sent | withdrawn
ALTER TABLE notifications ADD COLUMN withdrawn_at timestamptz;
ALTER TABLE notifications DROP CONSTRAINT notifications_status;
ALTER TABLE notifications
    ADD CONSTRAINT notifications_status
        CHECK (status IN ('queued', 'sending', 'sent', 'failed', 'bounced', 'erased', 'withdrawn')),
    ADD CONSTRAINT notifications_withdrawn CHECK (status <> 'withdrawn' OR withdrawn_at IS NOT NULL);

-- An attempt that was on its way then ends by itself, and is the last one, whoever takes its lease over.
CREATE FUNCTION end_withdrawn_notification() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.status := 'withdrawn';
    RETURN NEW;
END $$;
CREATE TRIGGER notifications_end_withdrawn BEFORE UPDATE OF status ON notifications FOR EACH ROW
    WHEN (OLD.status = 'sending' AND NEW.status IN ('queued', 'sending', 'failed') AND NEW.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION end_withdrawn_notification();

-- Where each of these orders went last, with what was written to its guest before: a message may come after the
-- correction that follows it.
CREATE TABLE address_corrections (
    order_id         uuid   NOT NULL CONSTRAINT address_corrections_pkey PRIMARY KEY,
    -- Of the order's secret; the greater is newer.
    generation       int    NOT NULL,
    email            text   NOT NULL,
    -- Sealed, as messages have them.
    order_link       bytea  NOT NULL,
    unsubscribe_link bytea  NOT NULL,
    message_ids      uuid[] NOT NULL
);
