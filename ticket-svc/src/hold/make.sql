-- THE statement of the hot path; `store.rs` says what it promises. $1: ids of all wishes. $2 to $6: needs.
-- $7 to $11: holds to be made. $12 to $19: their lines. $20: the secrets' key. $21: seconds that a hold
-- lasts. $22, $23: from when on, and until when, it may be made. $24: ids of all wishes on other days.
WITH known AS MATERIALIZED (
    SELECT COALESCE(array_agg(id), '{}') AS ids FROM holds WHERE id = ANY($1::uuid[] || $24::uuid[])
), need AS MATERIALIZED (
    SELECT n.hold_id, n.pool_id, n.line, n.quantity, n.generation
    FROM known k, UNNEST($2::uuid[], $3::uuid[], $4::int[], $5::bigint[], $6::bigint[])
        AS n (hold_id, pool_id, line, quantity, generation)
    WHERE n.hold_id <> ALL (k.ids)
), want AS MATERIALIZED (
    SELECT pool_id, SUM(quantity)::bigint AS quantity, MAX(generation) AS generation
    FROM need GROUP BY pool_id
), locked AS MATERIALIZED (
    SELECT p.id, p.capacity, p.held, p.sold, p.blocked, p.generation, w.quantity,
           p.capacity - p.held - p.sold - p.blocked AS free,
           p.capacity - p.sold - p.blocked AS returnable,
           p.halted_at IS NOT NULL AS halted,
           w.generation = p.generation AS unchanged
    FROM pools p JOIN want w ON w.pool_id = p.id
    ORDER BY p.id FOR UPDATE OF p
), found AS MATERIALIZED (
    SELECT clock_timestamp() AS now,
           COUNT(*) = (SELECT COUNT(*) FROM want) AND COALESCE(BOOL_AND(quantity = 0
               OR (unchanged AND NOT halted AND (free IS NULL OR quantity <= free))), true) AS fits,
           COALESCE(array_agg(id), '{}') AS ids,
           COALESCE(array_agg(generation), '{}') AS generations,
           COALESCE(array_agg(free), '{}') AS free,
           COALESCE(array_agg(returnable), '{}') AS returnable,
           COALESCE(array_agg(halted), '{}') AS halted
    FROM locked
), verdict AS MATERIALIZED (
    SELECT now, now + make_interval(secs => $21) AS expires_at,
           fits AND NOT k.ids && $24
                AND now >= COALESCE($22, '-infinity'::timestamptz)
                AND now < COALESCE($23, 'infinity'::timestamptz) AS granted
    FROM found, known k
), taken AS (
    UPDATE pools p
    SET capacity = l.capacity, sold = l.sold, blocked = l.blocked, held = l.held + l.quantity
    FROM locked l, verdict v
    WHERE v.granted AND p.id = l.id AND l.quantity > 0
), made AS (
    INSERT INTO holds (id, event_id, status, expires_at, body_hash, secret_key_id,
                       secret_generation, currency, total_minor, created_at)
    SELECT h.id, h.event_id, 'active', v.expires_at, h.body_hash, $20, 1, h.currency,
           h.total_minor, v.now
    FROM verdict v, known k,
         UNNEST($7::uuid[], $8::uuid[], $9::bytea[], $10::text[], $11::bigint[])
            AS h (id, event_id, body_hash, currency, total_minor)
    WHERE v.granted AND h.id <> ALL (k.ids)
), lined AS (
    INSERT INTO hold_lines (hold_id, line, ticket_type_id, category, quantity,
                            unit_price_minor, unit_fee_minor, tax_rate_ppm)
    SELECT l.hold_id, l.line, l.ticket_type_id, l.category, l.quantity, l.unit_price_minor,
           l.unit_fee_minor, l.tax_rate_ppm
    FROM verdict v, known k,
         UNNEST($12::uuid[], $13::int[], $14::uuid[], $15::text[], $16::int[], $17::bigint[],
                $18::bigint[], $19::int[])
            AS l (hold_id, line, ticket_type_id, category, quantity, unit_price_minor,
                  unit_fee_minor, tax_rate_ppm)
    WHERE v.granted AND l.hold_id <> ALL (k.ids)
), noted AS (
    INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta,
                                  sold_delta, at)
    SELECT n.hold_id, n.pool_id, n.line, 'hold', n.quantity, 0, v.now
    FROM verdict v, need n
    WHERE v.granted AND n.quantity > 0
)
SELECT v.granted AS "granted!", v.now AS "now!", v.expires_at AS "expires_at!",
       k.ids AS "stored!", f.ids AS "pool_ids!", f.generations AS "generations!",
       f.free AS "free!: Vec<Option<i64>>", f.returnable AS "returnable!: Vec<Option<i64>>",
       f.halted AS "halted!"
FROM verdict v, known k, found f
