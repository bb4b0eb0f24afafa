//! Orders of the past for W7, written by SQL. The database's own triggers count them, and payment-svc's own
//! follower folds what they counted, as for orders that guests make.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{admin::OnSale, mesh::BoxOffice, sql};

/// Orders of one statement: less than PostgreSQL's time for one.
const CHUNK: u64 = 50_000;
const DAYS: i32 = 30;
const PATIENCE: Duration = Duration::from_secs(1800);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Statements with the same parameters: the first number of an order and the one after the last, how many of
/// all there are, the types, their events, and a word that no other filling has.
const STATEMENTS: [&str; 6] = [
    "INSERT INTO orders (id, number, hold_id, body_hash, secret_key_id, email, phone_number, name, locale,
         total_amount_minor, currency, provider, status, event_id, event_slug, event_title,
         event_location, event_date_time, event_timezone, pay_by, payment_ref, stock_released_at, paid_at,
         created_at, updated_at)
     SELECT md5($6 || n)::uuid, 'BX-' || lpad(n::text, 10, '0'), gen_random_uuid(), sha256(''), 'k1',
         'guest' || n || '@example.org', '+4930901820', 'Guest ' || n, 'en', 9000, 'EUR', 'sandbox',
         CASE WHEN n % 50 = 0 THEN 'refunded' ELSE 'fulfilled' END, $5[1 + n % cardinality($5)], 'past',
         'Past', 'Praha', timestamptz '2031-06-12 18:00Z', 'Europe/Prague', at, 'past_' || $6 || n, at, at,
         at, at
     FROM (SELECT n, now() - make_interval(days => $7) * (1 - n::float8 / $3) AS at
           FROM generate_series($1, $2 - 1) n) s
     WHERE $4 IS NOT NULL",
    "INSERT INTO order_lines (order_id, position, ticket_type_id, category, quantity, unit_price_minor,
         line_total_minor)
     SELECT md5($6 || n)::uuid, 0, $4[1 + n % cardinality($5) + cardinality($5) * (n / 7 % (cardinality($4) / cardinality($5)))],
         'Standing', 2, 4500, 9000
     FROM generate_series($1, $2 - 1) n WHERE $3 > 0 AND $7 > 0",
    "INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor, currency,
         status, provider_ref, deadline, captured_minor, captured_currency, captured_at)
     SELECT md5('a' || $6 || n)::uuid, md5($6 || n)::uuid, 1, 'sandbox', 'past_' || $6 || n, 9000, 'EUR',
         'succeeded', 'past_' || $6 || n, now(), 9000, 'EUR', now() - make_interval(days => $7)
     FROM generate_series($1, $2 - 1) n WHERE $3 > 0 AND $4 IS NOT NULL AND $5 IS NOT NULL",
    "INSERT INTO order_events (order_id, actor, from_status, to_status, reason, at)
     SELECT md5($6 || n)::uuid, 'saga', step.before, step.after, 'bench',
         now() - make_interval(days => $7) * (1 - n::float8 / $3)
     FROM generate_series($1, $2 - 1) n
     CROSS JOIN (VALUES ('created', 'awaiting_payment'), ('paid', 'fulfilled')) step (before, after)
     WHERE $4 IS NOT NULL AND $5 IS NOT NULL",
    "INSERT INTO refunds (id, order_id, attempt_id, number, provider, amount_minor, currency, reason, status,
         voids, requested_by, tickets_voided_at, voided_tickets, submitted_at, ended_at, paid_out_at,
         created_at)
     SELECT md5('r' || $6 || n)::uuid, md5($6 || n)::uuid, md5('a' || $6 || n)::uuid, 1, 'sandbox', 9000,
         'EUR', 'requested', 'succeeded', 'all', 'saga', now(), 2, now(), now(), now(),
         now() - make_interval(days => $7) * (1 - n::float8 / $3)
     FROM generate_series($1, $2 - 1) n
     WHERE n % 50 = 0 AND $4 IS NOT NULL AND $5 IS NOT NULL",
    "INSERT INTO refund_lines (refund_id, order_id, position, quantity, amount_minor, tax_minor, fee_minor,
         fee_tax_minor)
     SELECT md5('r' || $6 || n)::uuid, md5($6 || n)::uuid, 0, 2, 9000, 0, 0, 0
     FROM generate_series($1, $2 - 1) n
     WHERE n % 50 = 0 AND $3 > 0 AND $4 IS NOT NULL AND $5 IS NOT NULL AND $7 > 0",
];

/// So many orders of the last thirty days, with a refund for each fiftieth; and as many holds.
pub async fn fill(
    office: &BoxOffice,
    types: &[OnSale],
    (orders, word): (u64, &str),
    say: impl Fn(&str),
) -> anyhow::Result<()> {
    let mut payments = office.connect("payments").await?;
    let (events, kinds) = ids(types)?;
    let all = i64::try_from(orders)?;
    let mut done = 0;
    while done < orders {
        let next = orders.min(done + CHUNK);
        say(&format!("  {done} of {orders} orders of the past"));
        for statement in STATEMENTS {
            sqlx::query(statement)
                .bind(i64::try_from(done)?)
                .bind(i64::try_from(next)?)
                .bind(all)
                .bind(&kinds)
                .bind(&events)
                .bind(word)
                .bind(DAYS)
                .execute(&mut payments)
                .await?;
        }
        done = next;
    }
    let mut tickets = office.connect("tickets").await?;
    hold(&mut tickets, &events, orders).await?;
    folded(&mut payments, "sale_deltas").await?;
    folded(&mut tickets, "traffic_deltas").await?;
    for table in [
        "orders",
        "order_lines",
        "order_events",
        "payment_attempts",
        "refunds",
        "sale_days",
        "sale_hours",
        "sale_deltas",
    ] {
        sql::execute(&mut payments, format!("VACUUM ANALYZE {table}")).await?;
    }
    // Else the server tidies up after them while admins ask. What was folded in thirty days it has tidied up
    // each minute; here it was folded in one, and every reader would walk over what is left of it.
    for table in ["holds", "traffic_days", "traffic_hours", "traffic_deltas"] {
        sql::execute(&mut tickets, format!("VACUUM ANALYZE {table}")).await?;
    }
    sql::execute(&mut payments, "CHECKPOINT").await
}

/// Events, each once, and their types: the first ones of every event, then the second ones.
fn ids(types: &[OnSale]) -> anyhow::Result<(Vec<Uuid>, Vec<Uuid>)> {
    let mut events: Vec<Uuid> = Vec::new();
    let mut kinds = Vec::new();
    for on_sale in types {
        let event = on_sale.event.parse()?;
        if !events.contains(&event) {
            events.push(event);
        }
        kinds.push(on_sale.kind.parse()?);
    }
    Ok((events, kinds))
}

/// Holds that are long over, and looks at the page.
async fn hold(tickets: &mut PgConnection, events: &[Uuid], holds: u64) -> anyhow::Result<()> {
    sql::hold_ids(tickets).await?;
    let mut done = 0;
    while done < holds {
        let chunk = (holds - done).min(CHUNK);
        sqlx::query(
            "WITH made AS (
                 INSERT INTO holds (id, event_id, status, expires_at, body_hash, secret_key_id,
                     secret_generation, currency, total_minor, created_at, ended_at)
                 SELECT pg_temp.hold_id(at), $1[1 + n % cardinality($1)], 'expired', at, sha256(''), 'k1', 1,
                     'EUR', 9000, at, at
                 FROM (SELECT n, now() - make_interval(days => $3) * (n::float8 / $2) AS at
                       FROM generate_series(1, $2) n) s
                 RETURNING event_id, created_at)
             INSERT INTO traffic_deltas (event_id, at, views, holds)
             SELECT event_id, date_trunc('hour', created_at), 4 * count(*), 0 FROM made GROUP BY 1, 2",
        )
        .bind(events)
        .bind(i64::try_from(chunk)?)
        .bind(DAYS)
        .execute(&mut *tickets)
        .await?;
        done += chunk;
    }
    Ok(())
}

/// Waits for the follower.
pub async fn folded(database: &mut PgConnection, table: &str) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let left = format!("SELECT count(*) FROM {table}");
    while sql::number(database, &left).await? > 0 {
        ensure!(
            Instant::now() < until,
            "{table} is not folded after {PATIENCE:?}"
        );
        // Sleeps: between two looks.
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
