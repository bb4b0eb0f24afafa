-- The life of an event after its first sale, allotments that are not sold, limits per guest, and the
-- auditor's word.

ALTER TABLE events
    -- Hidden from every list; nothing of it can be changed or sold.
    ADD COLUMN archived_at        timestamptz,
    -- A postponed event keeps the date that its tickets were sold for.
    ADD COLUMN previous_date_time timestamptz,
    ADD COLUMN postponed_at       timestamptz,
    ADD CONSTRAINT events_postponed_keeps_date CHECK ((previous_date_time IS NULL) = (postponed_at IS NULL));

ALTER TABLE ticket_types
    -- NULL: no limit.
    ADD COLUMN max_per_guest integer CONSTRAINT ticket_types_max_per_guest_in_limits
        CHECK (max_per_guest BETWEEN 1 AND 1000);

-- Units of a type that one guest pays for or has bought. Guests are known by a keyed hash of their
-- address.
CREATE TABLE guest_counts (
    ticket_type_id uuid    NOT NULL CONSTRAINT guest_counts_ticket_type_id_fkey REFERENCES ticket_types (id),
    guest_key      bytea   NOT NULL,
    units          integer NOT NULL CONSTRAINT guest_counts_units_not_negative CHECK (units >= 0),
    CONSTRAINT guest_counts_pkey PRIMARY KEY (ticket_type_id, guest_key)
);

ALTER TABLE pools
    -- A shared pool has a name: a venue's total, a block of seats.
    ADD COLUMN name        text   NOT NULL DEFAULT '',
    ADD COLUMN version     bigint NOT NULL DEFAULT 1,
    -- Set by the auditor when counters and ledger differ: nothing of the pool is sold until an admin
    -- has decided.
    ADD COLUMN halted_at   timestamptz,
    ADD COLUMN halt_reason text   NOT NULL DEFAULT '',
    ADD CONSTRAINT pools_halted_has_reason CHECK ((halted_at IS NULL) = (halt_reason = ''));

-- 'block': the promoter's own allotment grew or shrank. Its subject is the admin's call.
-- 'correct': an admin believed the counters rather than the ledger of a halted pool.
ALTER TABLE inventory_ledger
    ADD COLUMN blocked_delta bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT inventory_ledger_deltas_fit_transition,
    ADD CONSTRAINT inventory_ledger_deltas_fit_transition CHECK (
        (transition = 'hold' AND held_delta > 0 AND sold_delta = 0 AND blocked_delta = 0)
        OR (transition = 'free' AND held_delta < 0 AND sold_delta = 0 AND blocked_delta = 0)
        OR (transition = 'sell' AND held_delta < 0 AND sold_delta = -held_delta AND blocked_delta = 0)
        OR (transition = 'resell' AND held_delta = 0 AND sold_delta > 0 AND blocked_delta = 0)
        OR (transition = 'return' AND held_delta = 0 AND sold_delta < 0 AND blocked_delta = 0)
        OR (transition = 'block' AND held_delta = 0 AND sold_delta = 0 AND blocked_delta <> 0)
        OR (transition = 'correct' AND (held_delta <> 0 OR sold_delta <> 0 OR blocked_delta <> 0))
    );
-- What the auditor adds up: rows since its last checkpoint.
DROP INDEX inventory_ledger_by_pool;
CREATE INDEX inventory_ledger_by_pool ON inventory_ledger (pool_id, at);

-- The auditor's checkpoints: sums of all ledger rows of a pool up to a time before which no
-- transaction can still write.
CREATE TABLE pool_audits (
    pool_id    uuid        NOT NULL CONSTRAINT pool_audits_pkey PRIMARY KEY
               CONSTRAINT pool_audits_pool_id_fkey REFERENCES pools (id),
    up_to      timestamptz NOT NULL,
    held       bigint      NOT NULL,
    sold       bigint      NOT NULL,
    blocked    bigint      NOT NULL,
    -- The last time that the whole ledger of the pool was added up, not only what is new.
    audited_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX pools_halted ON pools (halted_at) WHERE halted_at IS NOT NULL;

-- An archived event is out of the sale by its status alone.
ALTER TABLE events
    ADD CONSTRAINT events_archived_is_not_active CHECK (archived_at IS NULL OR status <> 'active');
-- Of the request that created a shared pool, where it had an idempotency key.
ALTER TABLE pools
    ADD COLUMN body_hash bytea;
-- A deleted event, of which nothing was ever held or sold, stays in the feed of changes.
ALTER TABLE event_changes
    DROP CONSTRAINT event_changes_event_id_fkey;
ALTER TABLE pool_audits
    DROP CONSTRAINT pool_audits_pool_id_fkey,
    ADD CONSTRAINT pool_audits_pool_id_fkey FOREIGN KEY (pool_id) REFERENCES pools (id) ON DELETE CASCADE;
CREATE INDEX pools_by_event ON pools (event_id);
CREATE INDEX ticket_type_pools_by_pool ON ticket_type_pools (pool_id);

-- Every hold that is bound to an order counts for its guest, whether its types are limited or not,
-- so that a limit may be set at any time.
INSERT INTO guest_counts (ticket_type_id, guest_key, units)
SELECT l.ticket_type_id, h.guest_key,
       SUM(l.quantity) - COALESCE(SUM((
           SELECT COUNT(*) FROM tickets t
           WHERE t.order_id = h.order_id AND t.line = l.line AND t.status = 'void')), 0)
FROM holds h JOIN hold_lines l ON l.hold_id = h.id
WHERE h.guest_key IS NOT NULL
  AND (h.status = 'paying'
       OR EXISTS (SELECT 1 FROM order_answers a WHERE a.order_id = h.order_id AND a.answer = 'committed'))
GROUP BY l.ticket_type_id, h.guest_key;
