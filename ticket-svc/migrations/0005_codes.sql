-- Codes that a scanner verifies without a network: a signature under a key of the event, and a list
-- of those that are dead.

-- The keys that sign the codes of an event. The private half is stored nowhere: its seed is derived
-- from TICKET_CODE_KEYS, the event and the number.
CREATE TABLE event_keys (
    event_id    uuid        NOT NULL CONSTRAINT event_keys_event_id_fkey REFERENCES events (id),
    -- From 1; stands in every code.
    number      integer     NOT NULL CONSTRAINT event_keys_number_in_limits CHECK (number BETWEEN 1 AND 65535),
    -- The key of the ring that the seed is derived with.
    seed_key_id text        NOT NULL,
    public_key  bytea       NOT NULL CONSTRAINT event_keys_public_key_is_ed25519
                CHECK (octet_length(public_key) = 32),
    -- active: signs. retired: signs no more, what it signed stays valid. revoked: nothing that it
    -- signed is valid.
    state       text        NOT NULL CONSTRAINT event_keys_state_is_known
                CHECK (state IN ('active', 'retired', 'revoked')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it signed for the last time.
    retired_at  timestamptz,
    revoked_at  timestamptz,
    CONSTRAINT event_keys_pkey PRIMARY KEY (event_id, number),
    CONSTRAINT event_keys_retired_has_time CHECK ((state = 'active') = (retired_at IS NULL)),
    CONSTRAINT event_keys_revoked_has_time CHECK ((state = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE UNIQUE INDEX event_keys_one_active ON event_keys (event_id) WHERE state = 'active';

ALTER TABLE tickets
    -- The event's key that its code was signed with first; NULL: a code of the first format, a MAC.
    -- No foreign key: the insert joins the key's row, and a check per ticket would lock that one row
    -- for every buyer (docs/decisions/0015).
    ADD COLUMN key_number  integer,
    -- The place of its type in the event when the code was made, as the code says it.
    ADD COLUMN type_number integer,
    ADD CONSTRAINT tickets_signed_is_complete CHECK ((key_number IS NULL) = (type_number IS NULL)),
    ADD CONSTRAINT tickets_generation_in_limits CHECK (generation BETWEEN 1 AND 65535),
    ADD CONSTRAINT tickets_type_number_in_limits CHECK (type_number BETWEEN 0 AND 65535);

-- A ticket that was handed on. Each makes a generation, once.
CREATE TABLE ticket_transfers (
    -- Whoever handed it on names the step.
    id          uuid        NOT NULL CONSTRAINT ticket_transfers_pkey PRIMARY KEY,
    ticket_id   uuid        NOT NULL CONSTRAINT ticket_transfers_ticket_id_fkey REFERENCES tickets (id),
    -- The one that it made.
    generation  integer     NOT NULL,
    -- Of the new holder; empty once it was erased.
    holder_name text        NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ticket_transfers_generation_key UNIQUE (ticket_id, generation)
);

-- Codes that their signature does not tell dead, for scanners with a cursor. A writer takes its
-- numbers under a lock that it keeps to its commit, so none appears after a higher one.
CREATE TABLE code_revocations (
    event_id   uuid        NOT NULL CONSTRAINT code_revocations_event_id_fkey REFERENCES events (id),
    seq        bigint      NOT NULL,
    ticket_id  uuid        NOT NULL CONSTRAINT code_revocations_ticket_id_fkey REFERENCES tickets (id),
    generation integer     NOT NULL,
    -- void: by a refund. revoked: by a newer code of the same ticket.
    verdict    text        NOT NULL CONSTRAINT code_revocations_verdict_is_known
               CHECK (verdict IN ('void', 'revoked')),
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT code_revocations_pkey PRIMARY KEY (event_id, seq),
    CONSTRAINT code_revocations_code_once UNIQUE (ticket_id, generation)
);
CREATE TABLE code_revocation_seq (
    event_id uuid   NOT NULL CONSTRAINT code_revocation_seq_pkey PRIMARY KEY
             CONSTRAINT code_revocation_seq_event_id_fkey REFERENCES events (id),
    last_seq bigint NOT NULL
);

-- Whoever makes a ticket void or gives it a new generation, its code is on the list when that commits.
-- Codes of the first format are on no list: nobody can verify them without asking.
CREATE FUNCTION codes_died() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    dead record;
    last bigint;
BEGIN
    FOR dead IN
        SELECT o.event_id, count(*) AS codes
        FROM old_tickets o JOIN new_tickets n ON n.id = o.id
        WHERE o.key_number IS NOT NULL
          AND (n.generation <> o.generation OR (n.status = 'void' AND o.status <> 'void'))
        GROUP BY o.event_id ORDER BY o.event_id
    LOOP
        INSERT INTO code_revocation_seq AS s (event_id, last_seq) VALUES (dead.event_id, dead.codes)
        ON CONFLICT (event_id) DO UPDATE SET last_seq = s.last_seq + dead.codes
        RETURNING s.last_seq INTO last;
        INSERT INTO code_revocations (event_id, seq, ticket_id, generation, verdict)
        SELECT o.event_id, last - dead.codes + row_number() OVER (ORDER BY o.id), o.id, o.generation,
               CASE WHEN n.generation <> o.generation THEN 'revoked' ELSE 'void' END
        FROM old_tickets o JOIN new_tickets n ON n.id = o.id
        WHERE o.event_id = dead.event_id AND o.key_number IS NOT NULL
          AND (n.generation <> o.generation OR (n.status = 'void' AND o.status <> 'void'));
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER tickets_list_dead_codes AFTER UPDATE ON tickets
    REFERENCING OLD TABLE AS old_tickets NEW TABLE AS new_tickets
    FOR EACH STATEMENT EXECUTE FUNCTION codes_died();
