-- Audit rows say from where and about which event, and are numbered without a gap per object.
ALTER TABLE audit_log
    ADD COLUMN seq bigint,
    -- Whose admins may read it; null for an order that has no event yet.
    ADD COLUMN event_id uuid,
    -- Of the client, as the edge saw it; null where nobody called.
    ADD COLUMN address text;

-- How many rows each object has. Its row is the lock under which the next one is numbered, so numbers
-- of one object follow one another, and a transaction that is rolled back takes its number back.
CREATE TABLE audit_heads (
    object   text   NOT NULL CONSTRAINT audit_heads_pkey PRIMARY KEY,
    last_seq bigint NOT NULL CONSTRAINT audit_heads_last_seq_positive CHECK (last_seq > 0)
);

-- The object is an order or a refund; both have ids that no other has.
CREATE FUNCTION event_of_audited(object text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT o.event_id FROM orders o
    WHERE o.id = coalesce((SELECT r.order_id FROM refunds r WHERE r.id = object::uuid), object::uuid)
$$;

ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only;
UPDATE audit_log a SET seq = n.seq, event_id = event_of_audited(a.object)
FROM (SELECT id, row_number() OVER (PARTITION BY object ORDER BY id) AS seq FROM audit_log) n
WHERE n.id = a.id;
ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only;
INSERT INTO audit_heads (object, last_seq) SELECT object, max(seq) FROM audit_log GROUP BY 1;

CREATE FUNCTION number_audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_heads AS h (object, last_seq) VALUES (NEW.object, 1)
    ON CONFLICT (object) DO UPDATE SET last_seq = h.last_seq + 1
    RETURNING last_seq INTO NEW.seq;
    NEW.event_id := event_of_audited(NEW.object);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_number BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION number_audit_row();
ALTER TABLE audit_log
    ALTER COLUMN seq SET NOT NULL,
    ADD CONSTRAINT audit_log_gapless UNIQUE (object, seq);
CREATE INDEX audit_log_by_time ON audit_log (at, id);
CREATE INDEX audit_log_by_event ON audit_log (event_id, at);

-- What every service's record looks like to whoever reads it. The note of a refund goes to its guest
-- and is its reason all the same.
CREATE VIEW audit_entries AS
    SELECT 'payment-' || lpad(a.id::text, 20, '0') AS id, a.at, a.actor, a.action,
           CASE WHEN a.action LIKE 'refund.%' THEN 'refund' ELSE 'order' END AS object_kind,
           a.object, a.seq, a.event_id, nullif(a.before, 'null') AS before,
           nullif(a.after, 'null') AS after, coalesce(a.after->>'note', '') AS reason,
           coalesce(a.trace_id, '') AS trace_id, coalesce(a.address, '') AS address
    FROM audit_log a;
