//! Rows as the sagas leave them, written directly: whole lives of orders in a few lines.

use sqlx::PgPool;
use uuid::Uuid;

/// A line of an order to be: so many, price and fee of one, tax in parts per million.
pub type Line = (i32, i64, i64, i64);

#[derive(Clone, Debug)]
pub struct Order {
    pub id: Uuid,
    pub event: Uuid,
    pub total: i64,
    pub lines: Vec<Parts>,
}

/// What a line contains.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub quantity: i64,
    pub total: i64,
    pub tax: i64,
    pub fee: i64,
    pub fee_tax: i64,
}

impl Parts {
    fn of(&(quantity, price, fee, ppm): &Line) -> Self {
        let contained =
            |amount: i64| (amount * ppm * 2 + 1_000_000 + ppm) / (2 * (1_000_000 + ppm));
        let (total, fee) = (i64::from(quantity) * price, i64::from(quantity) * fee);
        let (tax, fee_tax) = (contained(total), contained(fee));
        Self {
            quantity: quantity.into(),
            total,
            tax,
            fee,
            fee_tax,
        }
    }

    /// The share of the units from `before` to `after`.
    fn share(self, before: i64, after: i64) -> Self {
        let cut = |part: i64| part * after / self.quantity - part * before / self.quantity;
        Self {
            quantity: after - before,
            total: cut(self.total),
            tax: cut(self.tax),
            fee: cut(self.fee),
            fee_tax: cut(self.fee_tax),
        }
    }
}

/// An order in EUR that waits for its payment.
pub async fn order(pool: &PgPool, event: Uuid, lines: &[Line]) -> Order {
    let lines: Vec<Parts> = lines.iter().map(Parts::of).collect();
    let order = Order {
        id: Uuid::new_v4(),
        event,
        total: lines.iter().map(|line| line.total).sum(),
        lines,
    };
    sqlx::query(
        "INSERT INTO orders (id, number, hold_id, body_hash, secret_key_id, email, phone_number, name,
             locale, total_amount_minor, currency, provider, status, event_id, event_slug,
             event_title, event_location, event_date_time, event_timezone, pay_by)
         VALUES ($1, 'BX-' || upper(left($1::text, 8)), gen_random_uuid(),
             decode(repeat('00', 32), 'hex'), 'k', 'ada@example.org', '+4930901820', 'Ada', 'en', $2,
             'EUR', 'sandbox', 'awaiting_payment', $3, 'night', 'Night', 'Mill', now(),
             'Europe/Berlin', now() + interval '1 day')",
    )
    .bind(order.id)
    .bind(order.total)
    .bind(event)
    .execute(pool)
    .await
    .unwrap();
    tell(pool, order.id, None, "created").await;
    tell(pool, order.id, Some("created"), "awaiting_payment").await;
    for (position, line) in (0_i32..).zip(&order.lines) {
        sqlx::query(
            "INSERT INTO order_lines (order_id, position, ticket_type_id, category, quantity,
                 unit_price_minor, line_total_minor, tax_minor, fee_minor, fee_tax_minor)
             VALUES ($1, $2, gen_random_uuid(), 'Stalls', $3::bigint, $4::bigint / $3::bigint, $4,
                 $5, $6, $7)",
        )
        .bind(order.id)
        .bind(position)
        .bind(line.quantity)
        .bind(line.total)
        .bind(line.tax)
        .bind(line.fee)
        .bind(line.fee_tax)
        .execute(pool)
        .await
        .unwrap();
    }
    order
}

/// Moves an order and tells its story.
pub async fn step(pool: &PgPool, order: &Order, to: &str) {
    let from: String = sqlx::query_scalar("SELECT status FROM orders WHERE id = $1")
        .bind(order.id)
        .fetch_one(pool)
        .await
        .unwrap();
    sqlx::query(
        "UPDATE orders SET status = $2, updated_at = clock_timestamp(),
             paid_at = CASE WHEN $2 = 'paid' THEN clock_timestamp() ELSE paid_at END
         WHERE id = $1",
    )
    .bind(order.id)
    .bind(to)
    .execute(pool)
    .await
    .unwrap();
    tell(pool, order.id, Some(&from), to).await;
}

async fn tell(pool: &PgPool, order: Uuid, from: Option<&str>, to: &str) {
    sqlx::query(
        "INSERT INTO order_events (order_id, actor, from_status, to_status, reason)
         VALUES ($1, 'saga', $2, $3, 'seeded')",
    )
    .bind(order)
    .bind(from)
    .bind(to)
    .execute(pool)
    .await
    .unwrap();
}

/// A payment that arrived; the first one is the order's.
pub async fn capture(pool: &PgPool, order: &Order, amount: i64, currency: &str) -> Uuid {
    let id = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor,
             currency, status, provider_ref, deadline, captured_minor, captured_currency, captured_at)
         SELECT $1, $2, 1 + count(*), 'sandbox', $1::text, greatest($3, 1), 'EUR', 'succeeded',
                'sbx_' || $1, now(), $4, $5, clock_timestamp()
         FROM payment_attempts WHERE order_id = $2",
    )
    .bind(id)
    .bind(order.id)
    .bind(order.total)
    .bind(amount)
    .bind(currency)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "UPDATE orders SET payment_ref = coalesce(payment_ref, 'sbx_' || $2) WHERE id = $1",
    )
    .bind(order.id)
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
    id
}

/// An order with its tickets, paid in full. Answers its payment too.
pub async fn sold(pool: &PgPool, event: Uuid, lines: &[Line]) -> (Order, Uuid) {
    let order = order(pool, event, lines).await;
    let payment = capture(pool, &order, order.total, "EUR").await;
    step(pool, &order, "paid").await;
    step(pool, &order, "fulfilled").await;
    (order, payment)
}

/// A refund on its way. None where the rules of the schema refuse it.
pub async fn refund(
    pool: &PgPool,
    order: &Order,
    payment: Uuid,
    amount: i64,
    (reason, voids): (&str, &str),
) -> Option<Uuid> {
    let id = Uuid::new_v4();
    let made = sqlx::query(
        "INSERT INTO refunds (id, order_id, attempt_id, number, provider, amount_minor, currency,
             reason, status, voids, requested_by, tickets_voided_at, submitted_at)
         SELECT $1, $2, a.id, 1 + (SELECT count(*) FROM refunds WHERE order_id = $2), a.provider, $4,
                a.captured_currency, $5, 'submitted', $6, 'saga', now(), now()
         FROM payment_attempts a WHERE a.id = $3",
    )
    .bind(id)
    .bind(order.id)
    .bind(payment)
    .bind(amount)
    .bind(reason)
    .bind(voids)
    .execute(pool)
    .await;
    made.ok()?;
    if voids == "all" {
        for position in 0..order.lines.len() {
            let given_back = given_back(pool, order, position).await;
            let units = order.lines[position].quantity - given_back;
            if units > 0 {
                give_back(pool, order, id, (position, given_back, units)).await;
            }
        }
    }
    Some(id)
}

/// A refund of so many units of one line. None where there are not that many, or not that much money.
pub async fn refund_units(
    pool: &PgPool,
    order: &Order,
    payment: Uuid,
    (position, units): (usize, i64),
) -> Option<Uuid> {
    let line = order.lines[position];
    let before = given_back(pool, order, position).await;
    if before + units > line.quantity {
        return None;
    }
    let amount = line.share(before, before + units).total;
    let id = refund(pool, order, payment, amount, ("requested", "lines")).await?;
    give_back(pool, order, id, (position, before, units)).await;
    Some(id)
}

/// How many units of a line were given back.
async fn given_back(pool: &PgPool, order: &Order, position: usize) -> i64 {
    let units: i32 = sqlx::query_scalar(
        "SELECT refunded_quantity FROM order_lines WHERE order_id = $1 AND position = $2",
    )
    .bind(order.id)
    .bind(i32::try_from(position).unwrap())
    .fetch_one(pool)
    .await
    .unwrap();
    units.into()
}

async fn give_back(
    pool: &PgPool,
    order: &Order,
    refund: Uuid,
    (position, before, units): (usize, i64, i64),
) {
    let share = order.lines[position].share(before, before + units);
    sqlx::query("INSERT INTO refund_lines VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(refund)
        .bind(order.id)
        .bind(i32::try_from(position).unwrap())
        .bind(i32::try_from(units).unwrap())
        .bind(share.total)
        .bind(share.tax)
        .bind(share.fee)
        .bind(share.fee_tax)
        .execute(pool)
        .await
        .unwrap();
}

/// The money has left, or never will.
pub async fn end_refund(pool: &PgPool, refund: Uuid, status: &str) -> bool {
    sqlx::query("UPDATE refunds SET status = $2, ended_at = clock_timestamp() WHERE id = $1")
        .bind(refund)
        .bind(status)
        .execute(pool)
        .await
        .is_ok()
}

/// So many orders of two tickets each, of one event, a second apart from 2026 on; every tenth expired.
pub async fn many(pool: &PgPool, event: Uuid, count: i32) {
    let statements = [
        "INSERT INTO orders (id, number, hold_id, body_hash, secret_key_id, email, phone_number, name,
             locale, total_amount_minor, currency, provider, status, event_id, event_slug,
             event_title, event_location, event_date_time, event_timezone, pay_by, payment_ref,
             stock_released_at, paid_at, created_at, updated_at)
         SELECT md5($1::text || n)::uuid, 'BX-' || lpad(n::text, 10, '0'), gen_random_uuid(),
             decode(repeat('00', 32), 'hex'), 'k', 'guest' || n || '@example.org', '+4930901820',
             'Guest ' || n, 'en', 9000, 'EUR', 'sandbox',
             CASE WHEN n % 10 = 0 THEN 'expired' ELSE 'fulfilled' END, $1, 'night',
             'Night of the Cello', 'Mill', now(), 'Europe/Berlin', at, 'ref_' || $1 || n,
             at, at, at, at
         FROM (SELECT n, timestamptz '2026-01-01 00:00Z' + n * interval '1 second' AS at
               FROM generate_series(1, $2) n) s",
        "INSERT INTO order_lines (order_id, position, ticket_type_id, category, quantity,
             unit_price_minor, line_total_minor, tax_minor, fee_minor, fee_tax_minor)
         SELECT md5($1::text || n)::uuid, 0, $1, 'Stalls', 2, 4500, 9000, 589, 400, 26
         FROM generate_series(1, $2) n",
        "INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor,
             currency, status, provider_ref, deadline, captured_minor, captured_currency, captured_at)
         SELECT md5('a' || $1::text || n)::uuid, md5($1::text || n)::uuid, 1, 'sandbox',
                'key_' || $1 || n, 9000, 'EUR', 'succeeded', 'ref_' || $1 || n, now(), 9000, 'EUR', now()
         FROM generate_series(1, $2) n WHERE n % 10 <> 0",
        "INSERT INTO order_events (order_id, actor, from_status, to_status, reason)
         SELECT md5($1::text || n)::uuid, 'saga', 'paid', 'fulfilled', 'seeded'
         FROM generate_series(1, $2) n WHERE n % 10 <> 0",
    ];
    for statement in statements {
        sqlx::query(statement)
            .bind(event)
            .bind(count)
            .execute(pool)
            .await
            .unwrap();
    }
    sqlx::raw_sql("ANALYZE").execute(pool).await.unwrap();
}
