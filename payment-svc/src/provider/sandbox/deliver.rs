//! Webhooks leave by HTTP and come again until they are answered with 2xx: at least once.

use std::{sync::Arc, time::Duration};

use db::DbError;
use futures::{StreamExt as _, stream};
use kit::Tasks;

use super::{SIGNATURE_HEADER, Sandbox, faults::roll};

const POLL_INTERVAL: Duration = Duration::from_millis(250);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const BATCH_ROWS: i64 = 256;
/// Deliveries at once.
const IN_FLIGHT: usize = 32;
/// A copy is sent up to this long after the first one arrived.
const COPY_WITHIN: Duration = Duration::from_secs(3);

struct Delivery {
    event_id: String,
    body: Vec<u8>,
}

pub(super) fn start(tasks: &Tasks, sandbox: Arc<Sandbox>) -> Result<(), reqwest::Error> {
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
    let mut answers = stream::iter(due)
        .map(|delivery| deliver(sandbox, http, delivery))
        .buffer_unordered(IN_FLIGHT)
        .ready_chunks(IN_FLIGHT);
    while let Some(chunk) = answers.next().await {
        let arrived: Vec<String> = chunk.into_iter().flatten().collect();
        if !arrived.is_empty() {
            mark_delivered(sandbox, arrived).await?;
        }
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
                     WHERE delivered_at IS NULL AND lost_at IS NULL
                       AND next_attempt_at <= statement_timestamp()
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

/// The event's id if it was taken.
async fn deliver(sandbox: &Sandbox, http: &reqwest::Client, delivery: Delivery) -> Option<String> {
    let signature = sandbox.secrets.sign(&delivery.body, sandbox.sources.now());
    let event_id = delivery.event_id;
    let call = http
        .post(&sandbox.webhook_url)
        .header("content-type", "application/json")
        .header(SIGNATURE_HEADER, signature)
        .body(delivery.body);
    match answer(call).await {
        Ok(status) if status.is_success() => Some(event_id),
        Ok(status) => {
            let status = status.as_u16();
            tracing::warn!(event_id, status, "webhook was not taken");
            None
        }
        Err(error) => {
            tracing::warn!(event_id, %error, "webhook did not arrive");
            None
        }
    }
}

/// Read to its end, so that the connection serves again.
async fn answer(call: reqwest::RequestBuilder) -> Result<reqwest::StatusCode, reqwest::Error> {
    let answer = call.send().await?;
    let status = answer.status();
    answer.bytes().await?;
    Ok(status)
}

/// What has copies left goes out again.
async fn mark_delivered(sandbox: &Sandbox, arrived: Vec<String>) -> Result<(), DbError> {
    let again_after = COPY_WITHIN.mul_f64(roll(&sandbox.sources)).as_secs_f64();
    let input = (arrived, again_after);
    let mark = sandbox.db.run(input, |tx, (arrived, again_after)| {
        Box::pin(async move {
            sqlx::query!(
                "UPDATE sandbox.deliveries
                 SET delivered_at = CASE WHEN copies = 0 THEN clock_timestamp() END,
                     copies = greatest(copies - 1, 0),
                     next_attempt_at = clock_timestamp() + make_interval(secs => $2)
                 WHERE event_id = ANY($1) AND delivered_at IS NULL",
                arrived,
                again_after,
            )
            .execute(tx)
            .await?;
            Ok::<_, DbError>(())
        })
    });
    mark.await
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use testkit::eventually;

    use super::*;
    use crate::provider::sandbox::bench::Bench;

    const PATIENCE: Duration = Duration::from_secs(30);
    const PAYS: &str = "4242424242424242";
    const OPEN: &str =
        "SELECT count(*) FROM sandbox.deliveries WHERE delivered_at IS NULL AND lost_at IS NULL";

    async fn all_delivered(bench: &Bench) {
        eventually("all webhooks have left", PATIENCE, || async {
            (bench.count(OPEN).await == 0).then_some(())
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_lost_is_never_sent() {
        let bench = Bench::start(&["--sandbox-webhook-faults=loss=1"]).await;
        bench.with_card(PAYS).await;
        let lost =
            "SELECT count(*) FROM sandbox.deliveries WHERE lost_at IS NOT NULL AND attempts = 0";
        assert_eq!(bench.count(lost).await, 1);
        assert!(claim(&bench.sandbox).await.unwrap().is_empty());
        assert_eq!(bench.count(lost).await, 1);
        assert_eq!(bench.seen(), []);
        bench.end().await;
    }

    #[tokio::test]
    async fn a_copy_comes_again_with_the_same_id() {
        let bench = Bench::start(&["--sandbox-webhook-faults=duplicate=1"]).await;
        bench.with_card(PAYS).await;
        all_delivered(&bench).await;
        let seen = bench.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0], seen[1]);
        bench.end().await;
    }

    #[tokio::test]
    async fn disorder_lets_later_webhooks_overtake() {
        let bench = Bench::start(&["--sandbox-webhook-faults=disorder=0.5"]).await;
        for _ in 0..24 {
            bench.with_card(PAYS).await;
        }
        all_delivered(&bench).await;
        let ids: Vec<String> = bench.seen().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 24);
        // The ids begin with their time.
        assert!(!ids.is_sorted(), "{ids:?}");
        bench.end().await;
    }

    #[tokio::test]
    async fn a_late_webhook_waits() {
        let bench = Bench::start(&["--sandbox-late-ms=3600000"]).await;
        bench.with_card("4000000000000077").await;
        bench.with_card(PAYS).await;
        eventually("the other one arrives", PATIENCE, || async {
            (bench.seen().len() == 1).then_some(())
        })
        .await;
        let waiting = "SELECT count(*) FROM sandbox.deliveries
             WHERE attempts = 0 AND next_attempt_at > clock_timestamp() + interval '59 minutes'";
        assert_eq!(bench.count(waiting).await, 1);
        assert_eq!(bench.ledger().await, [9000, 9000]);
        bench.end().await;
    }

    #[tokio::test]
    async fn thousands_leave_by_few_connections() {
        let bench = Bench::start(&[]).await;
        bench.session().await;
        let body = serde_json::json!({"id": "evt", "type": "payment.succeeded", "created": 1,
            "data": {"reference": "r", "amount_minor": 1, "currency": "EUR", "status": "succeeded",
                "metadata": {"order_id": ""}}});
        let begin = std::time::Instant::now();
        sqlx::query(
            "INSERT INTO sandbox.deliveries (event_id, reference, body)
             SELECT 'evt_' || n, s.reference, convert_to(replace($1, '\"evt\"', '\"evt_' || n || '\"'), 'UTF8')
             FROM sandbox.sessions s, generate_series(1, 3000) n",
        )
        .bind(body.to_string())
        .execute(&bench.pool)
        .await
        .unwrap();
        all_delivered(&bench).await;
        println!("3000 webhooks in {:?}", begin.elapsed());
        let ids: HashSet<String> = bench.seen().into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 3000);
        let connections = bench.connections();
        assert!(connections <= IN_FLIGHT, "{connections} connections");
        bench.end().await;
    }
}
