//! Webhooks leave by HTTP and come again until they are answered with 2xx: at least once.

use std::{sync::Arc, time::Duration};

use db::DbError;
use futures::future::join_all;
use kit::Tasks;

use super::{Sandbox, signature};

const POLL_INTERVAL: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const BATCH_ROWS: i64 = 32;

struct Delivery {
    event_id: String,
    body: Vec<u8>,
}

pub(crate) fn start(tasks: &Tasks, sandbox: Arc<Sandbox>) -> Result<(), reqwest::Error> {
    let http = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        // The hook is ours; a proxy for the outside world has no business in between.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    tasks.job(
        "sandbox_webhooks",
        POLL_INTERVAL,
        sandbox.nudge.clone(),
        move || {
            let (sandbox, http) = (sandbox.clone(), http.clone());
            async move { deliver_round(&sandbox, &http).await }
        },
    );
    Ok(())
}

/// True if there may be more.
async fn deliver_round(sandbox: &Sandbox, http: &reqwest::Client) -> anyhow::Result<bool> {
    let due = claim(sandbox).await?;
    let more = due.len() as i64 == BATCH_ROWS;
    let outcomes = join_all(due.iter().map(|delivery| deliver(sandbox, http, delivery)));
    for outcome in outcomes.await {
        outcome?;
    }
    Ok(more)
}

/// Takes what is due and says when it is due again: 1 s, doubled up to 5 minutes.
async fn claim(sandbox: &Sandbox) -> Result<Vec<Delivery>, DbError> {
    let claim = sandbox.db.run((), |tx, ()| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                Delivery,
                "UPDATE sandbox.deliveries
                 SET attempts = attempts + 1,
                     next_attempt_at = clock_timestamp()
                         + make_interval(secs => least(300, power(2, least(attempts, 9))))
                 WHERE event_id IN (
                     SELECT event_id FROM sandbox.deliveries
                     WHERE delivered_at IS NULL AND next_attempt_at <= clock_timestamp()
                     ORDER BY next_attempt_at
                     LIMIT $1
                     FOR UPDATE SKIP LOCKED)
                 RETURNING event_id, body",
                BATCH_ROWS,
            );
            Ok::<_, DbError>(due.fetch_all(tx).await?)
        })
    });
    claim.await
}

async fn deliver(
    sandbox: &Sandbox,
    http: &reqwest::Client,
    delivery: &Delivery,
) -> Result<(), DbError> {
    let signature = sandbox.secrets.sign(&delivery.body, sandbox.sources.now());
    let call = http
        .post(&sandbox.webhook_url)
        .header("content-type", "application/json")
        .header(signature::HEADER, signature)
        .body(delivery.body.clone())
        .send();
    match call.await {
        Ok(answer) if answer.status().is_success() => mark_delivered(sandbox, delivery).await,
        Ok(answer) => {
            let status = answer.status().as_u16();
            tracing::warn!(
                event_id = delivery.event_id,
                status,
                "webhook was not taken"
            );
            Ok(())
        }
        Err(error) => {
            tracing::warn!(event_id = delivery.event_id, %error, "webhook did not arrive");
            Ok(())
        }
    }
}

async fn mark_delivered(sandbox: &Sandbox, delivery: &Delivery) -> Result<(), DbError> {
    let mark = sandbox.db.run(delivery.event_id.clone(), |tx, event_id| {
        Box::pin(async move {
            sqlx::query!(
                "UPDATE sandbox.deliveries SET delivered_at = clock_timestamp()
                 WHERE event_id = $1 AND delivered_at IS NULL",
                event_id,
            )
            .execute(tx)
            .await?;
            Ok::<_, DbError>(())
        })
    });
    mark.await
}
