-- What events sold, earned and gave back, by hour and by day, so that nobody counts orders to know it.
--
-- Whatever changes a figure appends a row to sale_deltas in its own transaction: two orders share no row,
-- so neither waits for the other. A job folds these rows into sale_hours and sale_days; whoever reads adds
-- what is not folded yet, in one statement. So every answer equals a count of the orders (sale_facts).

-- In the order in which refunds write them, so that neither waits for the other.
LOCK TABLE refunds, refund_lines, order_events IN SHARE ROW EXCLUSIVE MODE;

-- A day or an hour of a zone that this server does not know is one of UTC: figures must not stop a sale.
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

-- No index and no key: it is read as a whole, and short.
CREATE TABLE sale_deltas (
    event_id       uuid        NOT NULL,
    hour           timestamptz NOT NULL,
    -- Of the event's zone, as it was then.
    day            date        NOT NULL,
    -- All zeros: of no type. Orders are counted there.
    ticket_type_id uuid        NOT NULL,
    currency       text        NOT NULL,
    placed         bigint      NOT NULL,
    paid           bigint      NOT NULL,
    sold           bigint      NOT NULL,
    revenue_minor  bigint      NOT NULL,
    -- Tickets and money that went back, at the time of the refund.
    returned       bigint      NOT NULL,
    refunded_minor bigint      NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_threshold = -1);

CREATE TABLE sale_hours (
    event_id       uuid        NOT NULL,
    hour           timestamptz NOT NULL,
    ticket_type_id uuid        NOT NULL,
    currency       text        NOT NULL,
    placed         bigint      NOT NULL,
    paid           bigint      NOT NULL,
    sold           bigint      NOT NULL,
    revenue_minor  bigint      NOT NULL,
    returned       bigint      NOT NULL,
    refunded_minor bigint      NOT NULL,
    CONSTRAINT sale_hours_pkey PRIMARY KEY (event_id, hour, ticket_type_id, currency)
) WITH (fillfactor = 70);

CREATE TABLE sale_days (
    event_id       uuid   NOT NULL,
    day            date   NOT NULL,
    ticket_type_id uuid   NOT NULL,
    currency       text   NOT NULL,
    placed         bigint NOT NULL,
    paid           bigint NOT NULL,
    sold           bigint NOT NULL,
    revenue_minor  bigint NOT NULL,
    returned       bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    CONSTRAINT sale_days_pkey PRIMARY KEY (event_id, day, ticket_type_id, currency)
) WITH (fillfactor = 70);

-- What a refund gives back, by type: its lines, and what of its money is for none of them. Nothing while
-- the order has no tickets: that money was never earned. Money counts until the refund has failed for
-- good; tickets that were made void stay void even then.
CREATE FUNCTION refund_facts(r refunds)
RETURNS TABLE (event_id uuid, at timestamptz, zone text, ticket_type_id uuid, currency text,
               returned bigint, refunded_minor bigint)
LANGUAGE sql STABLE AS $$
    WITH facts AS (
        SELECT o.event_id, o.event_timezone AS zone,
               r.status <> 'failed_final'
                   AND r.reason IN ('requested', 'event_cancelled', 'guest_cancelled', 'external')
                   AND EXISTS (SELECT FROM payment_attempts a
                               WHERE a.id = r.attempt_id AND a.provider_ref = o.payment_ref) AS money,
               r.status <> 'failed_final' OR r.tickets_voided_at IS NOT NULL AS tickets
        FROM orders o
        WHERE o.id = r.order_id AND EXISTS (
            SELECT FROM order_events e
            WHERE e.order_id = o.id AND e.from_status = 'paid' AND e.to_status = 'fulfilled')
    ), lines AS (
        SELECT l.ticket_type_id, b.quantity, b.amount_minor
        FROM refund_lines b JOIN order_lines l ON l.order_id = b.order_id AND l.position = b.position
        WHERE b.refund_id = r.id
    )
    SELECT f.event_id, r.created_at, f.zone, l.ticket_type_id, r.currency,
           CASE WHEN f.tickets THEN l.quantity ELSE 0 END::bigint,
           CASE WHEN f.money THEN l.amount_minor ELSE 0 END
    FROM facts f, lines l
    UNION ALL
    SELECT f.event_id, r.created_at, f.zone, '00000000-0000-0000-0000-000000000000', r.currency, 0,
           r.amount_minor - (SELECT coalesce(sum(amount_minor), 0)::bigint FROM lines)
    FROM facts f WHERE f.money
$$;

-- Every figure as its cause says it: the recount.
CREATE VIEW sale_facts AS
SELECT o.event_id, e.at, o.event_timezone AS zone, '00000000-0000-0000-0000-000000000000'::uuid AS ticket_type_id,
       o.currency, (e.from_status = 'created')::int::bigint AS placed, (e.from_status = 'paid')::int::bigint AS paid,
       0::bigint AS sold, 0::bigint AS revenue_minor, 0::bigint AS returned, 0::bigint AS refunded_minor
FROM order_events e JOIN orders o ON o.id = e.order_id
WHERE o.event_id IS NOT NULL
  AND (e.from_status = 'created' AND e.to_status IN ('awaiting_payment', 'paid')
       OR e.from_status = 'paid' AND e.to_status = 'fulfilled')
UNION ALL
SELECT o.event_id, e.at, o.event_timezone, l.ticket_type_id, o.currency, 0, 0, l.quantity, l.line_total_minor, 0, 0
FROM order_events e
JOIN orders o ON o.id = e.order_id
JOIN order_lines l ON l.order_id = o.id
WHERE e.from_status = 'paid' AND e.to_status = 'fulfilled'
UNION ALL
-- An order that cost nothing has no refunds; its tickets are given back once, by its guest or with the event.
SELECT o.event_id, e.at, o.event_timezone, l.ticket_type_id, o.currency, 0, 0, 0, 0, l.quantity, 0
FROM order_events e
JOIN orders o ON o.id = e.order_id
JOIN order_lines l ON l.order_id = o.id
WHERE e.from_status = 'fulfilled' AND e.reason IN ('guest_cancelled', 'event_cancelled')
  AND o.total_amount_minor = 0
  AND NOT EXISTS (SELECT FROM order_events b
                  WHERE b.order_id = e.order_id AND b.id < e.id AND b.from_status = 'fulfilled'
                    AND b.reason IN ('guest_cancelled', 'event_cancelled'))
UNION ALL
SELECT f.event_id, f.at, f.zone, f.ticket_type_id, f.currency, 0, 0, 0, 0, f.returned, f.refunded_minor
FROM refunds r CROSS JOIN LATERAL refund_facts(r) f;

-- As the view says it, of the steps that were just taken; those of one statement share rows.
CREATE FUNCTION count_order_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_steps
                   WHERE from_status = 'created' AND to_status IN ('awaiting_payment', 'paid')
                      OR from_status = 'paid' AND to_status = 'fulfilled'
                      OR from_status = 'fulfilled' AND reason IN ('guest_cancelled', 'event_cancelled')) THEN
        RETURN NULL;
    END IF;
    INSERT INTO sale_deltas (event_id, hour, day, ticket_type_id, currency, placed, paid, sold,
                             revenue_minor, returned, refunded_minor)
    WITH steps AS (
        SELECT e.id, e.order_id, e.from_status, e.reason, o.event_id, o.currency, o.total_amount_minor,
               local_hour(e.at, o.event_timezone) AS hour, local_day(e.at, o.event_timezone) AS day
        FROM new_steps e JOIN orders o ON o.id = e.order_id
        WHERE o.event_id IS NOT NULL
          AND (e.from_status = 'created' AND e.to_status IN ('awaiting_payment', 'paid')
               OR e.from_status = 'paid' AND e.to_status = 'fulfilled'
               OR e.from_status = 'fulfilled' AND e.reason IN ('guest_cancelled', 'event_cancelled')
                  AND o.total_amount_minor = 0)
    ), facts AS (
        SELECT event_id, hour, day, '00000000-0000-0000-0000-000000000000'::uuid AS ticket_type_id, currency,
               (from_status = 'created')::int::bigint AS placed, (from_status = 'paid')::int::bigint AS paid,
               0::bigint AS sold, 0::bigint AS revenue_minor, 0::bigint AS returned, 0::bigint AS refunded_minor
        FROM steps WHERE from_status IN ('created', 'paid')
        UNION ALL
        SELECT s.event_id, s.hour, s.day, l.ticket_type_id, s.currency, 0, 0, l.quantity, l.line_total_minor, 0, 0
        FROM steps s JOIN order_lines l ON l.order_id = s.order_id
        WHERE s.from_status = 'paid'
        UNION ALL
        SELECT s.event_id, s.hour, s.day, l.ticket_type_id, s.currency, 0, 0, 0, 0, l.quantity, 0
        FROM steps s JOIN order_lines l ON l.order_id = s.order_id
        WHERE s.from_status = 'fulfilled'
          AND NOT EXISTS (SELECT FROM order_events b
                          WHERE b.order_id = s.order_id AND b.id < s.id AND b.from_status = 'fulfilled'
                            AND b.reason IN ('guest_cancelled', 'event_cancelled'))
        UNION ALL
        -- Somebody may have sent money back while the tickets were being made.
        SELECT f.event_id, local_hour(f.at, f.zone), local_day(f.at, f.zone), f.ticket_type_id, f.currency,
               0, 0, 0, 0, f.returned, f.refunded_minor
        FROM steps s JOIN refunds r ON r.order_id = s.order_id CROSS JOIN LATERAL refund_facts(r) f
        WHERE s.from_status = 'paid'
    )
    SELECT event_id, hour, day, ticket_type_id, currency, sum(placed), sum(paid), sum(sold),
           sum(revenue_minor), sum(returned), sum(refunded_minor)
    FROM facts GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END $$;
CREATE TRIGGER order_events_count_sales AFTER INSERT ON order_events
    REFERENCING NEW TABLE AS new_steps FOR EACH STATEMENT EXECUTE FUNCTION count_order_steps();

-- A refund begins without lines.
CREATE FUNCTION count_refund_of_sale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sale_deltas (event_id, hour, day, ticket_type_id, currency, placed, paid, sold,
                             revenue_minor, returned, refunded_minor)
    SELECT f.event_id, local_hour(f.at, f.zone), local_day(f.at, f.zone), f.ticket_type_id, f.currency,
           0, 0, 0, 0, sum(f.returned * f.sign), sum(f.refunded_minor * f.sign)
    FROM (
        SELECT n.event_id, n.at, n.zone, n.ticket_type_id, n.currency, n.returned, n.refunded_minor, 1 AS sign
        FROM refund_facts(NEW) n
        UNION ALL
        SELECT o.event_id, o.at, o.zone, o.ticket_type_id, o.currency, o.returned, o.refunded_minor, -1
        FROM refund_facts(CASE WHEN TG_OP = 'UPDATE' THEN OLD END) o
    ) f
    GROUP BY 1, 2, 3, 4, 5
    HAVING sum(f.returned * f.sign) <> 0 OR sum(f.refunded_minor * f.sign) <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER refunds_begin_of_sale AFTER INSERT ON refunds
    FOR EACH ROW EXECUTE FUNCTION count_refund_of_sale();
CREATE TRIGGER refunds_change_of_sale AFTER UPDATE OF status, tickets_voided_at ON refunds
    FOR EACH ROW WHEN ((OLD.status = 'failed_final', OLD.tickets_voided_at IS NULL)
                       IS DISTINCT FROM (NEW.status = 'failed_final', NEW.tickets_voided_at IS NULL))
    EXECUTE FUNCTION count_refund_of_sale();

-- What a line takes, it takes from what is of no type.
CREATE FUNCTION count_refund_line_of_sale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sale_deltas (event_id, hour, day, ticket_type_id, currency, placed, paid, sold,
                             revenue_minor, returned, refunded_minor)
    SELECT o.event_id, local_hour(r.created_at, o.event_timezone), local_day(r.created_at, o.event_timezone),
           v.ticket_type_id, r.currency, 0, 0, 0, 0,
           CASE WHEN r.status <> 'failed_final' OR r.tickets_voided_at IS NOT NULL THEN v.returned ELSE 0 END,
           CASE WHEN r.status <> 'failed_final'
                     AND r.reason IN ('requested', 'event_cancelled', 'guest_cancelled', 'external')
                     AND EXISTS (SELECT FROM payment_attempts a
                                 WHERE a.id = r.attempt_id AND a.provider_ref = o.payment_ref)
                THEN v.refunded_minor ELSE 0 END
    FROM refunds r
    JOIN orders o ON o.id = r.order_id
    JOIN order_lines l ON l.order_id = NEW.order_id AND l.position = NEW.position
    CROSS JOIN LATERAL (VALUES
        (l.ticket_type_id, NEW.quantity, NEW.amount_minor),
        ('00000000-0000-0000-0000-000000000000'::uuid, 0, -NEW.amount_minor))
        v (ticket_type_id, returned, refunded_minor)
    WHERE r.id = NEW.refund_id AND EXISTS (
        SELECT FROM order_events e
        WHERE e.order_id = o.id AND e.from_status = 'paid' AND e.to_status = 'fulfilled');
    RETURN NULL;
END $$;
CREATE TRIGGER refund_lines_of_sale AFTER INSERT ON refund_lines
    FOR EACH ROW EXECUTE FUNCTION count_refund_line_of_sale();

-- Folds at most so many rows and says how many there were; none while somebody else folds. What it takes
-- away and what it adds is one transaction.
CREATE FUNCTION fold_sales(most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    folded bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('fold_sales', 0)) THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM sale_deltas WHERE ctid = ANY (ARRAY (SELECT ctid FROM sale_deltas LIMIT most))
        RETURNING event_id, hour, day, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
                  refunded_minor
    ), hours AS (
        INSERT INTO sale_hours AS h (event_id, hour, ticket_type_id, currency, placed, paid, sold,
                                     revenue_minor, returned, refunded_minor)
        SELECT event_id, hour, ticket_type_id, currency, sum(placed), sum(paid), sum(sold),
               sum(revenue_minor), sum(returned), sum(refunded_minor)
        FROM gone GROUP BY 1, 2, 3, 4
        ON CONFLICT ON CONSTRAINT sale_hours_pkey DO UPDATE
        SET placed = h.placed + excluded.placed, paid = h.paid + excluded.paid, sold = h.sold + excluded.sold,
            revenue_minor = h.revenue_minor + excluded.revenue_minor,
            returned = h.returned + excluded.returned,
            refunded_minor = h.refunded_minor + excluded.refunded_minor
    ), days AS (
        INSERT INTO sale_days AS d (event_id, day, ticket_type_id, currency, placed, paid, sold,
                                    revenue_minor, returned, refunded_minor)
        SELECT event_id, day, ticket_type_id, currency, sum(placed), sum(paid), sum(sold),
               sum(revenue_minor), sum(returned), sum(refunded_minor)
        FROM gone GROUP BY 1, 2, 3, 4
        ON CONFLICT ON CONSTRAINT sale_days_pkey DO UPDATE
        SET placed = d.placed + excluded.placed, paid = d.paid + excluded.paid, sold = d.sold + excluded.sold,
            revenue_minor = d.revenue_minor + excluded.revenue_minor,
            returned = d.returned + excluded.returned,
            refunded_minor = d.refunded_minor + excluded.refunded_minor
    )
    SELECT count(*) INTO folded FROM gone;
    RETURN folded;
END $$;

-- What was sold until now. Nobody writes an order's steps or a refund before this commits: the triggers
-- above have locked their tables.
INSERT INTO sale_hours (event_id, hour, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
                        refunded_minor)
SELECT event_id, local_hour(at, zone), ticket_type_id, currency, sum(placed), sum(paid), sum(sold),
       sum(revenue_minor), sum(returned), sum(refunded_minor)
FROM sale_facts GROUP BY 1, 2, 3, 4;
INSERT INTO sale_days (event_id, day, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
                       refunded_minor)
SELECT event_id, local_day(at, zone), ticket_type_id, currency, sum(placed), sum(paid), sum(sold),
       sum(revenue_minor), sum(returned), sum(refunded_minor)
FROM sale_facts GROUP BY 1, 2, 3, 4;

-- Where what is kept differs from the recount: nowhere. For the doctor.
CREATE VIEW sale_drift AS
WITH kept AS (
    SELECT 'hours' AS kept_by, event_id, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
           refunded_minor
    FROM sale_hours
    UNION ALL
    SELECT 'days', event_id, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
           refunded_minor
    FROM sale_days
    UNION ALL
    SELECT w.word, event_id, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
           refunded_minor
    FROM sale_deltas CROSS JOIN (VALUES ('hours'), ('days')) w (word)
), recount AS (
    SELECT event_id, ticket_type_id, currency, sum(placed) AS placed, sum(paid) AS paid, sum(sold) AS sold,
           sum(revenue_minor) AS revenue_minor, sum(returned) AS returned, sum(refunded_minor) AS refunded_minor
    FROM sale_facts GROUP BY 1, 2, 3
), both_ways AS (
    SELECT kept_by, event_id, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
           refunded_minor
    FROM kept
    UNION ALL
    SELECT w.word, event_id, ticket_type_id, currency, -placed, -paid, -sold, -revenue_minor, -returned,
           -refunded_minor
    FROM recount CROSS JOIN (VALUES ('hours'), ('days')) w (word)
)
SELECT kept_by, event_id, ticket_type_id, currency, sum(placed) AS placed, sum(paid) AS paid,
       sum(sold) AS sold, sum(revenue_minor) AS revenue_minor, sum(returned) AS returned,
       sum(refunded_minor) AS refunded_minor
FROM both_ways GROUP BY 1, 2, 3, 4
HAVING (sum(placed), sum(paid), sum(sold), sum(revenue_minor), sum(returned), sum(refunded_minor))
       <> (0, 0, 0, 0, 0, 0);
