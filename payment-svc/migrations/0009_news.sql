-- What a guest hears of an order beside its receipt, and what of it they want to hear. `locale` is a BCP 47
-- tag whose first part decides; an unknown one is English.
ALTER TABLE orders
    -- A message before the event.
    ADD COLUMN reminder boolean NOT NULL DEFAULT true,
    -- False once the guest has unsubscribed: receipts come still, and what they ask for themselves.
    ADD COLUMN notices  boolean NOT NULL DEFAULT true;

-- Which version of the event its facts on the order are of; 0 where that is not known.
ALTER TABLE orders ADD COLUMN event_version bigint NOT NULL DEFAULT 0;

-- Messages of which an order may have several, each with its outbox row, in one transaction. `number` counts
-- within order and kind from 1; for `receipt` it is the revision, and the first receipt, revision 0, is not
-- in here.
CREATE TABLE order_news (
    -- The outbox row is written after its number is known.
    message_id uuid NOT NULL CONSTRAINT order_news_pkey PRIMARY KEY
               CONSTRAINT order_news_outbox_fkey REFERENCES outbox DEFERRABLE INITIALLY DEFERRED,
    order_id   uuid NOT NULL CONSTRAINT order_news_order_fkey REFERENCES orders,
    kind       text NOT NULL CONSTRAINT order_news_kind CHECK (kind IN (
        'receipt', 'postponed', 'reminder', 'awaiting_transfer')),
    number     int  NOT NULL CONSTRAINT order_news_number_positive CHECK (number > 0),
    -- The date that a reminder is of.
    about      timestamptz,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT order_news_number UNIQUE (order_id, kind, number),
    -- Nobody is reminded of one date twice.
    CONSTRAINT order_news_once UNIQUE (order_id, kind, about),
    CONSTRAINT order_news_reminder_of CHECK ((kind = 'reminder') = (about IS NOT NULL))
);
CREATE TRIGGER order_news_append_only BEFORE UPDATE OR DELETE ON order_news
    FOR EACH ROW EXECUTE FUNCTION append_only();

-- Events that were changed after they were made, as they are now. Their orders are looked through again and
-- again, until the event is over, for older facts; who has tickets for another date is told.
CREATE TABLE event_moves (
    event_id     uuid        NOT NULL CONSTRAINT event_moves_pkey PRIMARY KEY,
    version      bigint      NOT NULL,
    title        text        NOT NULL,
    location     text        NOT NULL,
    date_time    timestamptz NOT NULL,
    timezone     text        NOT NULL,
    -- What the organiser says of this date; may be empty.
    explanation  text        NOT NULL,
    changed_at   timestamptz NOT NULL,
    -- NULL once the event is over.
    next_scan_at timestamptz DEFAULT clock_timestamp(),
    scans        int         NOT NULL DEFAULT 0
);
CREATE INDEX event_moves_next_scan ON event_moves (next_scan_at) WHERE next_scan_at IS NOT NULL;

-- Which events come next that somebody has tickets of.
CREATE INDEX orders_by_event_date ON orders (event_date_time, event_id, event_timezone)
    WHERE status IN ('fulfilled', 'partially_refunded');
