-- Audit rows say from where, are numbered without a gap per object, and never change.
ALTER TABLE audit_log
    ADD COLUMN seq bigint,
    -- Of the client, as the edge saw it; null where nobody called.
    ADD COLUMN address text;

-- How many rows each object has. Its row is the lock under which the next one is numbered, so numbers
-- of one object follow one another, and a transaction that is rolled back takes its number back.
CREATE TABLE audit_heads (
    object text CONSTRAINT audit_heads_pkey PRIMARY KEY,
    last_seq bigint NOT NULL CONSTRAINT audit_heads_last_seq_positive CHECK (last_seq > 0)
);

UPDATE audit_log a SET seq = n.seq
FROM (SELECT id, row_number() OVER (PARTITION BY object_id ORDER BY at, id) AS seq FROM audit_log) n
WHERE n.id = a.id;
INSERT INTO audit_heads (object, last_seq) SELECT object_id::text, max(seq) FROM audit_log GROUP BY 1;

CREATE FUNCTION number_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Work may run twice: what stands already takes no number.
    IF EXISTS (SELECT FROM audit_log WHERE id = NEW.id) THEN
        RETURN NULL;
    END IF;
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

-- What every service's record looks like to whoever reads it.
CREATE VIEW audit_entries AS
    SELECT 'user-' || a.id AS id, a.at, coalesce(a.actor_id::text, '') AS actor, a.action,
           a.object_kind, a.object_id::text AS object, a.seq, NULL::uuid AS event_id,
           a.before, a.after, coalesce(a.after->>'note', '') AS reason,
           coalesce(a.trace_id, '') AS trace_id, coalesce(a.address, '') AS address
    FROM audit_log a;
