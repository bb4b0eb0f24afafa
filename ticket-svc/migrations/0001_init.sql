-- Concerts, their stock, and who holds or has bought it.
-- Every constraint has a name: the service turns it into the error that its caller gets.

CREATE TABLE events (
    id          uuid        NOT NULL CONSTRAINT events_pkey PRIMARY KEY,
    slug        text        NOT NULL CONSTRAINT events_slug_key UNIQUE,
    title       text        NOT NULL,
    description text        NOT NULL,
    location    text        NOT NULL,
    date_time   timestamptz NOT NULL,
    timezone    text        NOT NULL,
    currency    text        NOT NULL CONSTRAINT events_currency_is_iso CHECK (currency ~ '^[A-Z]{3}$'),
    status      text        NOT NULL CONSTRAINT events_status_is_known
                CHECK (status IN ('inactive', 'active', 'cancelled')),
    version     bigint      NOT NULL DEFAULT 1,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Of the request that created it, where it had an idempotency key.
    body_hash   bytea
);
CREATE INDEX events_by_date ON events (date_time, id);

-- Who may edit an event. The creator owns it.
CREATE TABLE event_grants (
    event_id   uuid        NOT NULL CONSTRAINT event_grants_event_id_fkey REFERENCES events (id),
    user_id    uuid        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT event_grants_pkey PRIMARY KEY (event_id, user_id)
);
CREATE INDEX event_grants_by_user ON event_grants (user_id);

-- Counters of stock. NULL means unlimited. They change together with a row in inventory_ledger.
CREATE TABLE pools (
    id       uuid   NOT NULL CONSTRAINT pools_pkey PRIMARY KEY,
    event_id uuid   NOT NULL CONSTRAINT pools_event_id_fkey REFERENCES events (id),
    capacity bigint,
    held     bigint NOT NULL DEFAULT 0 CONSTRAINT pools_held_not_negative CHECK (held >= 0),
    sold     bigint NOT NULL DEFAULT 0 CONSTRAINT pools_sold_not_negative CHECK (sold >= 0),
    blocked  bigint NOT NULL DEFAULT 0 CONSTRAINT pools_blocked_not_negative CHECK (blocked >= 0),
    CONSTRAINT pools_capacity_not_negative CHECK (capacity >= 0),
    CONSTRAINT pools_capacity_not_exceeded CHECK (held + sold + blocked <= capacity)
);

CREATE TABLE ticket_types (
    id            uuid        NOT NULL CONSTRAINT ticket_types_pkey PRIMARY KEY,
    event_id      uuid        NOT NULL CONSTRAINT ticket_types_event_id_fkey REFERENCES events (id),
    position      integer     NOT NULL,
    category      text        NOT NULL,
    price_minor   bigint      NOT NULL CONSTRAINT ticket_types_price_not_negative CHECK (price_minor >= 0),
    currency      text        NOT NULL,
    pool_id       uuid        NOT NULL CONSTRAINT ticket_types_pool_id_fkey REFERENCES pools (id)
                  CONSTRAINT ticket_types_pool_id_key UNIQUE,
    sales_start   timestamptz,
    sales_end     timestamptz,
    min_per_order integer     NOT NULL,
    max_per_order integer     NOT NULL,
    version       bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    body_hash     bytea,
    CONSTRAINT ticket_types_position_key UNIQUE (event_id, position),
    CONSTRAINT ticket_types_window_in_order CHECK (sales_start < sales_end),
    CONSTRAINT ticket_types_limits_in_order
        CHECK (1 <= min_per_order AND min_per_order <= max_per_order AND max_per_order <= 100)
);

-- Further pools that a type draws from, shared with others: a venue's total.
CREATE TABLE ticket_type_pools (
    ticket_type_id uuid NOT NULL CONSTRAINT ticket_type_pools_ticket_type_id_fkey REFERENCES ticket_types (id),
    pool_id        uuid NOT NULL CONSTRAINT ticket_type_pools_pool_id_fkey REFERENCES pools (id),
    CONSTRAINT ticket_type_pools_pkey PRIMARY KEY (ticket_type_id, pool_id)
);

-- Every pool that one ticket of a type takes a unit from.
CREATE VIEW ticket_type_draws AS
    SELECT id AS ticket_type_id, pool_id FROM ticket_types
    UNION ALL
    SELECT ticket_type_id, pool_id FROM ticket_type_pools;

CREATE TABLE holds (
    id                uuid        NOT NULL CONSTRAINT holds_pkey PRIMARY KEY,
    event_id          uuid        NOT NULL CONSTRAINT holds_event_id_fkey REFERENCES events (id),
    status            text        NOT NULL CONSTRAINT holds_status_is_known
                      CHECK (status IN ('active', 'paying', 'committed', 'released', 'expired')),
    expires_at        timestamptz NOT NULL,
    -- The order that pays for it, bound once and for ever.
    order_id          uuid        CONSTRAINT holds_order_id_key UNIQUE,
    -- What the guest is told, and when the stock is freed.
    pay_by            timestamptz,
    paying_until      timestamptz,
    provider_kind     text,
    -- A keyed hash of the guest's address, for limits per guest.
    guest_key         bytea,
    body_hash         bytea       NOT NULL,
    -- The secret itself is derived from key, id and generation.
    secret_key_id     text        NOT NULL,
    secret_generation integer     NOT NULL,
    currency          text        NOT NULL,
    total_minor       bigint      NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at          timestamptz,
    CONSTRAINT holds_bound_while_paying CHECK (
        status NOT IN ('paying', 'committed')
        OR (order_id IS NOT NULL AND pay_by IS NOT NULL AND paying_until IS NOT NULL)
    ),
    CONSTRAINT holds_ended_has_time CHECK ((status IN ('active', 'paying')) = (ended_at IS NULL))
);
-- What the sweeper looks for.
CREATE INDEX holds_active_by_deadline ON holds (expires_at) WHERE status = 'active';
CREATE INDEX holds_paying_by_deadline ON holds (paying_until) WHERE status = 'paying';

-- What a hold sets aside, at the price of its moment.
CREATE TABLE hold_lines (
    hold_id          uuid    NOT NULL CONSTRAINT hold_lines_hold_id_fkey REFERENCES holds (id),
    line             integer NOT NULL,
    ticket_type_id   uuid    NOT NULL CONSTRAINT hold_lines_ticket_type_id_fkey REFERENCES ticket_types (id),
    category         text    NOT NULL,
    quantity         integer NOT NULL CONSTRAINT hold_lines_quantity_positive CHECK (quantity > 0),
    unit_price_minor bigint  NOT NULL,
    CONSTRAINT hold_lines_pkey PRIMARY KEY (hold_id, line),
    CONSTRAINT hold_lines_type_once UNIQUE (hold_id, ticket_type_id)
);

-- Every order that any step has named. Steps of one order lock its row, so they follow one another.
CREATE TABLE known_orders (
    order_id      uuid        NOT NULL CONSTRAINT known_orders_pkey PRIMARY KEY,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Set: no payment of it may begin any more. Not the final answer.
    released_at   timestamptz
);

-- The one final answer of an order. Never changed, never deleted.
CREATE TABLE order_answers (
    order_id       uuid        NOT NULL CONSTRAINT order_answers_pkey PRIMARY KEY
                   CONSTRAINT order_answers_order_id_fkey REFERENCES known_orders (order_id),
    answer         text        NOT NULL CONSTRAINT order_answers_answer_is_known
                   CHECK (answer IN ('committed', 'refused')),
    refusal_reason text,
    -- Absent for an order that never had a hold.
    event_id       uuid        CONSTRAINT order_answers_event_id_fkey REFERENCES events (id),
    answered_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT order_answers_refusal_has_reason CHECK ((answer = 'refused') = (refusal_reason IS NOT NULL)),
    CONSTRAINT order_answers_commit_has_event CHECK (answer = 'refused' OR event_id IS NOT NULL)
);

CREATE TABLE tickets (
    id             uuid        NOT NULL CONSTRAINT tickets_pkey PRIMARY KEY,
    order_id       uuid        NOT NULL CONSTRAINT tickets_order_id_fkey REFERENCES order_answers (order_id),
    event_id       uuid        NOT NULL CONSTRAINT tickets_event_id_fkey REFERENCES events (id),
    ticket_type_id uuid        NOT NULL CONSTRAINT tickets_ticket_type_id_fkey REFERENCES ticket_types (id),
    category       text        NOT NULL,
    -- Line of the hold, and the ticket's number within it, from 1.
    line           integer     NOT NULL,
    serial         integer     NOT NULL,
    -- The code itself is derived from key, id and generation.
    code_key_id    text        NOT NULL,
    generation     integer     NOT NULL,
    status         text        NOT NULL CONSTRAINT tickets_status_is_known CHECK (status IN ('valid', 'void')),
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT tickets_place_in_order_key UNIQUE (order_id, line, serial)
);

-- Every change of a counter, once. The subject is a hold, or an order that was sold without one.
CREATE TABLE inventory_ledger (
    subject_id uuid        NOT NULL,
    pool_id    uuid        NOT NULL CONSTRAINT inventory_ledger_pool_id_fkey REFERENCES pools (id),
    line       integer     NOT NULL,
    transition text        NOT NULL,
    held_delta bigint      NOT NULL,
    sold_delta bigint      NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT inventory_ledger_pkey PRIMARY KEY (subject_id, pool_id, line, transition),
    CONSTRAINT inventory_ledger_deltas_fit_transition CHECK (
        (transition = 'hold' AND held_delta > 0 AND sold_delta = 0)
        OR (transition = 'free' AND held_delta < 0 AND sold_delta = 0)
        OR (transition = 'sell' AND held_delta < 0 AND sold_delta = -held_delta)
        OR (transition = 'resell' AND held_delta = 0 AND sold_delta > 0)
    )
);
-- A hold is freed or sold, never both.
CREATE UNIQUE INDEX inventory_ledger_settled_once
    ON inventory_ledger (subject_id, pool_id, line) WHERE transition IN ('free', 'sell');
CREATE INDEX inventory_ledger_by_pool ON inventory_ledger (pool_id);

-- What changed in the programme, for readers with a cursor. A writer takes its number under a lock
-- that it keeps to its commit, so no number appears after a higher one.
CREATE TABLE event_changes (
    seq        bigint      NOT NULL CONSTRAINT event_changes_pkey PRIMARY KEY,
    event_id   uuid        NOT NULL CONSTRAINT event_changes_event_id_fkey REFERENCES events (id),
    change     text        NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE event_change_seq (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT event_change_seq_pkey PRIMARY KEY
             CONSTRAINT event_change_seq_has_one_row CHECK (only_row),
    last_seq bigint  NOT NULL
);
INSERT INTO event_change_seq (last_seq) VALUES (0);

CREATE TABLE audit_log (
    id        uuid        NOT NULL CONSTRAINT audit_log_pkey PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor     uuid        NOT NULL,
    action    text        NOT NULL,
    event_id  uuid        NOT NULL,
    object_id uuid        NOT NULL,
    before    jsonb,
    after     jsonb       NOT NULL,
    trace_id  text
);
CREATE INDEX audit_log_by_event ON audit_log (event_id, at);
