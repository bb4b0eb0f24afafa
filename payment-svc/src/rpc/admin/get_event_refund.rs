//! How far the orders of a cancelled event are.

use std::sync::Arc;

use base::EventId;
use proto::payment::{GetEventRefundRequest, GetEventRefundResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;

use super::sight::Caller;
use crate::{app::App, error::Error, view::minor};

pub(in crate::rpc) async fn get_event_refund(
    app: &Arc<App>,
    request: Request<GetEventRefundRequest>,
) -> Result<GetEventRefundResponse, Error> {
    let caller = Caller::of(&request)?;
    let event = request.get_ref().event_id.parse();
    let event: EventId = event.map_err(|_| Error::NotFound("event"))?;
    caller.may_see_event(app, event).await?;
    let read = app
        .db
        .read(event, |conn, event| Box::pin(read(conn, *event)));
    read.await
}

struct Progress {
    cancelled_at: OffsetDateTime,
    finished_at: Option<OffsetDateTime>,
    total: i64,
    done: i64,
    stuck: i64,
}

async fn read(conn: &mut PgConnection, event: EventId) -> Result<GetEventRefundResponse, Error> {
    let progress = sqlx::query_as!(
        Progress,
        r#"SELECT c.cancelled_at, c.finished_at,
               count(o.order_id) AS "total!",
               count(o.order_id) FILTER (WHERE o.done) AS "done!",
               count(o.order_id) FILTER (WHERE NOT o.done AND o.needs_attention IS NOT NULL) AS "stuck!"
           FROM event_cancellations c
           LEFT JOIN orders_of_cancelled_events o ON o.event_id = c.event_id
           WHERE c.event_id = $1 GROUP BY c.event_id"#,
        event.uuid(),
    );
    let progress = progress.fetch_optional(&mut *conn).await?;
    let progress = progress.ok_or(Error::NotFound("cancelled event"))?;
    let money = sqlx::query!(
        r#"SELECT a.captured_currency AS "currency!",
               sum(a.captured_minor)::bigint AS "captured!",
               coalesce(sum(p.minor), 0)::bigint AS "refunded!"
           FROM orders o
           JOIN payment_attempts a ON a.order_id = o.id AND a.captured_minor > 0
           CROSS JOIN LATERAL (
               SELECT sum(amount_minor) FROM refunds r
               WHERE r.attempt_id = a.id AND r.status IN ('succeeded', 'external')) p (minor)
           WHERE o.event_id = $1
           GROUP BY a.captured_currency ORDER BY a.captured_currency"#,
        event.uuid(),
    );
    let money = money.fetch_all(conn).await?;
    let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(GetEventRefundResponse {
        cancelled_at: Some(proto::timestamp(progress.cancelled_at)),
        finished_at: progress.finished_at.map(proto::timestamp),
        orders_total: count(progress.total),
        orders_done: count(progress.done),
        orders_stuck: count(progress.stuck),
        refunded: money
            .iter()
            .filter_map(|sum| minor(sum.refunded, &sum.currency))
            .collect(),
        outstanding: money
            .iter()
            .filter_map(|sum| minor(sum.captured - sum.refunded, &sum.currency))
            .collect(),
    })
}
