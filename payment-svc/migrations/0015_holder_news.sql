-- Whoever a ticket was handed to hears what becomes of its event.

-- False once they have unsubscribed, by a link of their own; it counts for their address and the whole order.
ALTER TABLE ticket_transfers ADD COLUMN notices boolean NOT NULL DEFAULT true;

-- What the holders of an order's tickets are to be told, written in the transaction in which the order comes to
-- know it. Who has which ticket is asked of ticket-svc afterwards; the messages are written in the transaction
-- that ends the row.
CREATE TABLE holder_news (
    id                 uuid        NOT NULL CONSTRAINT holder_news_pkey PRIMARY KEY,
    order_id           uuid        NOT NULL CONSTRAINT holder_news_order_fkey REFERENCES orders,
    -- Within the order, from 1.
    number             int         NOT NULL CONSTRAINT holder_news_number_positive CHECK (number > 0),
    kind               text        NOT NULL CONSTRAINT holder_news_kind CHECK (kind IN (
        'postponed', 'cancelled', 'reminder')),
    -- The event by this news; it may have moved on by the time that it is told.
    date_time          timestamptz NOT NULL,
    event_version      bigint      NOT NULL,
    previous_date_time timestamptz,
    explanation        text        NOT NULL DEFAULT '',
    -- Who was handed a ticket later has heard it with the ticket; NULL where that is never so.
    handed_before      timestamptz,
    -- When the step is taken (again), also its lease; NULL once it is done with.
    next_step_at       timestamptz DEFAULT clock_timestamp(),
    step_failures      int         NOT NULL DEFAULT 0,
    traceparent        text,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at           timestamptz,
    CONSTRAINT holder_news_number UNIQUE (order_id, number),
    CONSTRAINT holder_news_ended CHECK ((next_step_at IS NULL) = (ended_at IS NOT NULL)),
    CONSTRAINT holder_news_postponed_from CHECK ((kind = 'postponed') = (previous_date_time IS NOT NULL))
);
CREATE INDEX holder_news_next_step ON holder_news (next_step_at) WHERE next_step_at IS NOT NULL;
-- Nobody is reminded of one date twice, and an event is cancelled once.
CREATE UNIQUE INDEX holder_news_reminded ON holder_news (order_id, date_time) WHERE kind = 'reminder';
CREATE UNIQUE INDEX holder_news_cancelled ON holder_news (order_id) WHERE kind = 'cancelled';
