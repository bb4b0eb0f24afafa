//! What payment-svc believes to be received, notify-svc must have.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Report, Snapshots, Verdict, rule::Weight};

pub(super) const NAME: &str = "confirmed-is-received";
pub(super) const SAYS: &str = "Every announcement that was confirmed is in the receiver's inbox.";
const BATCH_ROWS: i64 = 1_000;

pub(super) async fn check(
    snapshots: &mut Snapshots,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let mut verdict = Verdict::default();
    let mut after = Uuid::nil();
    loop {
        let batch = confirmed(&mut snapshots.payments, report.settle_secs, after).await?;
        let Some(last) = batch.last() else { break };
        after = *last;
        for id in missing(&mut snapshots.notifications, &batch).await? {
            verdict.count(format!("message {id} is confirmed and was never received"));
        }
    }
    report.add("all", (NAME, SAYS), Weight::Broken, verdict);
    Ok(())
}

async fn confirmed(
    payments: &mut PgConnection,
    settle_secs: f64,
    after: Uuid,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let query = "SELECT id FROM outbox
                 WHERE confirmed_at < now() - make_interval(secs => $1) AND id > $2
                 ORDER BY id LIMIT $3";
    let batch = sqlx::query_scalar(query)
        .bind(settle_secs)
        .bind(after)
        .bind(BATCH_ROWS);
    batch.fetch_all(payments).await
}

async fn missing(
    notifications: &mut PgConnection,
    batch: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    let query = "SELECT m.id FROM UNNEST($1::uuid[]) AS m (id)
                 WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.message_id = m.id)
                 ORDER BY m.id";
    sqlx::query_scalar(query)
        .bind(batch)
        .fetch_all(notifications)
        .await
}
