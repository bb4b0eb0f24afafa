-- Audit rows say from where, are numbered without a gap per object, and never change.
ALTER TABLE audit_log
    ADD COLUMN seq bigint,
    -- Of the client, as the edge saw it; null where nobody called.
    ADD COLUMN address text;

-- How many rows each object has. Its row is the lock under which the next one is numbered, so numbers
-- of one object follow one another, and a transaction that is rolled back takes its number back.
CREATE TABLE audit_heads (
    object   text   NOT NULL CONSTRAINT audit_heads_pkey PRIMARY KEY,
    last_seq bigint NOT NULL CONSTRAINT audit_heads_last_seq_positive CHECK (last_seq > 0)
);

UPDATE audit_log a SET seq = n.seq
FROM (SELECT id, row_number() OVER (PARTITION BY object_id ORDER BY at, id) AS seq FROM audit_log) n
WHERE n.id = a.id;
INSERT INTO audit_heads (object, last_seq) SELECT object_id::text, max(seq) FROM audit_log GROUP BY 1;

CREATE FUNCTION number_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_heads AS h (object, last_seq) VALUES (NEW.object_id::text, 1)
    ON CONFLICT (object) DO UPDATE SET last_seq = h.last_seq + 1
    RETURNING last_seq INTO NEW.seq;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_number BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION number_audit_row();
ALTER TABLE audit_log
    ALTER COLUMN seq SET NOT NULL,
    ADD CONSTRAINT audit_log_gapless UNIQUE (object_id, seq);

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE INDEX audit_log_by_time ON audit_log (at, id);

-- What every service's record looks like to whoever reads it.
CREATE VIEW audit_entries AS
    SELECT 'ticket-' || a.id AS id, a.at, a.actor::text AS actor, a.action,
           CASE WHEN a.action LIKE 'ticket\_key.%' OR a.action LIKE 'grant.%' THEN 'event'
                ELSE split_part(a.action, '.', 1) END AS object_kind,
           a.object_id::text AS object, a.seq, a.event_id, a.before, a.after,
           coalesce(CASE a.action WHEN 'event.cancelled' THEN a.after->>'cancel_reason'
                                  WHEN 'event.postponed' THEN a.after->>'postpone_reason'
                                  WHEN 'pool.resumed' THEN a.after->>'note' END, '') AS reason,
           coalesce(a.trace_id, '') AS trace_id, coalesce(a.address, '') AS address
    FROM audit_log a;

-- What an admin may do with an event. Whoever had it until now made it.
ALTER TABLE event_grants
    ADD COLUMN role text NOT NULL DEFAULT 'owner' CONSTRAINT event_grants_role_is_known
        CHECK (role IN ('owner', 'editor', 'viewer', 'door')),
    -- Null for whoever made the event.
    ADD COLUMN granted_by uuid;
