//! Orders that are under way by their status, and those that a person has to look at, for whoever watches.

use std::sync::Arc;

use crate::{app::App, domain::order_state::OrderStatus, error::Error};

pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let found = app.db.read((), |conn, ()| {
        Box::pin(async move {
            // What is over has no next step, so this is small however many there have been.
            let open = sqlx::query!(
                r#"SELECT status, count(*) AS "count!" FROM orders
                   WHERE next_step_at IS NOT NULL GROUP BY status"#
            );
            let open = open.fetch_all(&mut *conn).await?;
            let attention = sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM orders WHERE needs_attention IS NOT NULL"#
            );
            let open: Vec<(String, i64)> = open
                .into_iter()
                .map(|row| (row.status, row.count))
                .collect();
            Ok::<_, Error>((open, attention.fetch_one(conn).await?))
        })
    });
    let (open, attention) = found.await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    for status in OrderStatus::ALL {
        let word = status.word();
        let count = open.iter().find(|(status, _)| status == word);
        let count = count.map_or(0, |(_, count)| *count);
        metrics::gauge!("orders_open", "status" => word).set(count as f64);
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("orders_need_attention").set(attention as f64);
    Ok(false)
}
