-- How often guests looked at an event and held tickets of it, by hour and by day.
--
-- Each batch of holds, and each flush of the gateway's counters, appends a row to traffic_deltas in its own
-- transaction: no hold waits for another one's figures. A job folds these rows into traffic_hours and
-- traffic_days; whoever reads adds what is not folded yet, in one statement.

-- A day or an hour of a zone that this server does not know is one of UTC.
CREATE FUNCTION local_day(at timestamptz, zone text) RETURNS date LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (at AT TIME ZONE zone)::date;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN (at AT TIME ZONE 'UTC')::date;
END $$;
-- The moment at which the hour of the clock began that shows this one.
CREATE FUNCTION local_hour(at timestamptz, zone text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN date_trunc('hour', at, zone);
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN date_trunc('hour', at, 'UTC');
END $$;

-- No index and no key: it is read as a whole, and short. The zone is looked up when a row is folded, not while
-- tickets are being held.
CREATE TABLE traffic_deltas (
    event_id uuid        NOT NULL,
    at       timestamptz NOT NULL,
    views    bigint      NOT NULL,
    holds    bigint      NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_threshold = -1);

CREATE TABLE traffic_hours (
    event_id uuid        NOT NULL CONSTRAINT traffic_hours_event_id_fkey REFERENCES events (id) ON DELETE CASCADE,
    hour     timestamptz NOT NULL,
    views    bigint      NOT NULL,
    holds    bigint      NOT NULL,
    CONSTRAINT traffic_hours_pkey PRIMARY KEY (event_id, hour)
) WITH (fillfactor = 70);

CREATE TABLE traffic_days (
    event_id uuid   NOT NULL CONSTRAINT traffic_days_event_id_fkey REFERENCES events (id) ON DELETE CASCADE,
    -- Of the event's zone, as it was then.
    day      date   NOT NULL,
    views    bigint NOT NULL,
    holds    bigint NOT NULL,
    CONSTRAINT traffic_days_pkey PRIMARY KEY (event_id, day)
) WITH (fillfactor = 70);

-- Flushes that were counted, so that a repeat is not. Kept for two days, longer than a gateway repeats one.
CREATE TABLE view_flushes (
    id         uuid        NOT NULL CONSTRAINT view_flushes_pkey PRIMARY KEY,
    counted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX view_flushes_by_age ON view_flushes (counted_at);

-- Folds at most so many rows and says how many there were; none while somebody else folds. What is of an
-- event that was deleted is dropped.
CREATE FUNCTION fold_traffic(most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    folded bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('fold_traffic', 0)) THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM traffic_deltas WHERE ctid = ANY (ARRAY (SELECT ctid FROM traffic_deltas LIMIT most))
        RETURNING event_id, at, views, holds
    ), placed AS (
        SELECT g.event_id, local_hour(g.at, e.timezone) AS hour, local_day(g.at, e.timezone) AS day, g.views,
               g.holds
        FROM gone g JOIN events e ON e.id = g.event_id
    ), hours AS (
        INSERT INTO traffic_hours AS h (event_id, hour, views, holds)
        SELECT event_id, hour, sum(views), sum(holds) FROM placed GROUP BY 1, 2
        ON CONFLICT ON CONSTRAINT traffic_hours_pkey DO UPDATE
        SET views = h.views + excluded.views, holds = h.holds + excluded.holds
    ), days AS (
        INSERT INTO traffic_days AS d (event_id, day, views, holds)
        SELECT event_id, day, sum(views), sum(holds) FROM placed GROUP BY 1, 2
        ON CONFLICT ON CONSTRAINT traffic_days_pkey DO UPDATE
        SET views = d.views + excluded.views, holds = d.holds + excluded.holds
    )
    SELECT count(*) INTO folded FROM gone;
    RETURN folded;
END $$;

-- Whoever makes holds, they are counted: a row per event and statement, however many holds it makes.
CREATE FUNCTION count_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO traffic_deltas (event_id, at, views, holds)
    SELECT event_id, date_trunc('minute', created_at), 0, count(*) FROM new_holds GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER holds_count_traffic AFTER INSERT ON holds
    REFERENCING NEW TABLE AS new_holds FOR EACH STATEMENT EXECUTE FUNCTION count_holds();

-- What was held until now. Nobody holds before this commits: the trigger has locked the table.
INSERT INTO traffic_hours (event_id, hour, views, holds)
SELECT h.event_id, local_hour(h.created_at, e.timezone), 0, count(*)
FROM holds h JOIN events e ON e.id = h.event_id GROUP BY 1, 2;
INSERT INTO traffic_days (event_id, day, views, holds)
SELECT h.event_id, local_day(h.created_at, e.timezone), 0, count(*)
FROM holds h JOIN events e ON e.id = h.event_id GROUP BY 1, 2;

-- Where what is kept differs from a count of the holds: nowhere. For the doctor.
CREATE VIEW traffic_drift AS
WITH both_ways AS (
    SELECT 'hours' AS kept_by, event_id, holds FROM traffic_hours
    UNION ALL
    SELECT 'days', event_id, holds FROM traffic_days
    UNION ALL
    SELECT w.word, t.event_id, t.holds
    FROM traffic_deltas t CROSS JOIN (VALUES ('hours'), ('days')) w (word)
    UNION ALL
    SELECT w.word, h.event_id, -h.holds
    FROM (SELECT event_id, count(*) AS holds FROM holds GROUP BY 1) h
    CROSS JOIN (VALUES ('hours'), ('days')) w (word)
)
SELECT kept_by, event_id, sum(holds) AS holds FROM both_ways GROUP BY 1, 2 HAVING sum(holds) <> 0;
