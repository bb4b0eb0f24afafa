//! A short word that differs whenever anything of an order has changed that its page shows.

use base::OrderId;
use sqlx::PgConnection;

use crate::error::Error;

/// Of a SHA-256, in hexadecimal.
const MARK_CHARS: usize = 16;

pub(crate) async fn mark(conn: &mut PgConnection, id: OrderId) -> Result<String, Error> {
    let facts = sqlx::query_scalar!(
        r#"SELECT concat_ws('|', o.status, o.event_title, o.event_date_time,
               o.event_location, o.event_timezone, o.email,
               (SELECT max(e.id) FROM order_events e WHERE e.order_id = o.id),
               (SELECT string_agg(concat_ws(',', a.status, a.checkout_url IS NOT NULL,
                    a.captured_minor, a.provider_ref IS NOT NULL), ';' ORDER BY a.number)
                FROM payment_attempts a WHERE a.order_id = o.id),
               (SELECT string_agg(r.status, ';' ORDER BY r.number) FROM refunds r WHERE r.order_id = o.id),
               (SELECT string_agg(t.status, ';' ORDER BY t.created_at, t.id)
                FROM ticket_transfers t WHERE t.order_id = o.id)) AS "facts!"
           FROM orders o WHERE o.id = $1"#,
        id.uuid(),
    );
    let mut mark = base::hex(&base::digest(facts.fetch_one(conn).await?.as_bytes()));
    mark.truncate(MARK_CHARS);
    Ok(mark)
}
