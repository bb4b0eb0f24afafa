//! The sender's end. A row is written in the transaction of what it announces, published, and open
//! until the receiver confirmed a committed row of its own. The broker may forget everything.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::message::PublishMessage;
use base::MessageId;
use db::{Db, DbError};
use futures::future::join_all;
use kit::{Tasks, client::MeshChannel};
use prost::Message as _;
use proto::{
    event::{Envelope, envelope::Payload},
    notify::{AcceptRequest, accept_service_client::AcceptServiceClient},
};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{EVENT_SUBJECT, Nats, confirm};

const BATCH_ROWS: i64 = 64;
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const PUBLISH_ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Unconfirmed for so long after a publish, a row is taken up again: 5 s, 10 s, … a minute at most.
const RETRY_STEP_SECS: i32 = 5;
/// So many publishes are tried; then the receiver is called directly.
const MAX_PUBLISHES: i32 = 2;

/// What the outbox job works with.
pub struct OutboxConfig {
    pub tasks: Tasks,
    pub db: Db,
    pub nats: Nats,
    /// The sure way, when the broker is away or forgetful.
    pub accept: AcceptServiceClient<MeshChannel>,
    /// Wakes the job right after a commit that wrote a row.
    pub nudge: Arc<Notify>,
    /// Name of the sending service; its replicas share one subscription to the confirmations.
    pub service: &'static str,
}

/// Writes an outbox row in the caller's transaction. A repeated id is the same message.
pub async fn enqueue(
    tx: &mut PgConnection,
    id: MessageId,
    occurred_at: OffsetDateTime,
    payload: Payload,
) -> Result<(), DbError> {
    let kind = kind(&payload);
    let envelope = Envelope {
        message_id: id.to_string(),
        generation: 0,
        occurred_at: Some(proto::timestamp(occurred_at)),
        traceparent: kit::current()
            .trace
            .map(|trace| trace.traceparent())
            .unwrap_or_default(),
        payload: Some(payload),
    };
    sqlx::query(
        "INSERT INTO outbox (id, kind, envelope) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(kind)
    .bind(envelope.encode_to_vec())
    .execute(tx)
    .await?;
    Ok(())
}

/// Starts publishing what is open and listening for confirmations.
pub fn start_outbox(config: OutboxConfig) {
    let OutboxConfig {
        tasks,
        db,
        nats,
        accept,
        nudge,
        service,
    } = config;
    confirm::start(&tasks, db.clone(), nats.clone(), service);
    tasks.job("outbox", POLL_INTERVAL, nudge, move || {
        let (db, nats, accept) = (db.clone(), nats.clone(), accept.clone());
        async move { deliver_round(&db, &nats, accept).await }
    });
}

struct OpenRow {
    id: Uuid,
    kind: String,
    generation: i32,
    envelope: Envelope,
}

/// Takes up what is due. True if there may be more.
async fn deliver_round(
    db: &Db,
    nats: &Nats,
    accept: AcceptServiceClient<MeshChannel>,
) -> anyhow::Result<bool> {
    let rows = claim(db).await?;
    let full = rows.len() as i64 == BATCH_ROWS;
    let (publish, mut call): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|row| row.generation <= MAX_PUBLISHES && nats.is_connected());
    let outcomes = join_all(publish.iter().map(|row| self::publish(nats, row))).await;
    for (row, outcome) in publish.into_iter().zip(outcomes) {
        if let Err(error) = outcome {
            // It may have arrived all the same; the receiver keeps one row either way.
            tracing::warn!(message_id = %row.id, error, "publish failed, calling the receiver");
            call.push(row);
        }
    }
    if !call.is_empty() {
        call_receiver(db, accept, call).await?;
    }
    Ok(full)
}

/// A short statement that takes rows and says when they are due again; the work is outside it.
async fn claim(db: &Db) -> Result<Vec<OpenRow>, DbError> {
    let rows = db
        .run((), |tx, ()| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "UPDATE outbox
                     SET generation = generation + 1,
                         next_attempt_at = clock_timestamp()
                             + make_interval(secs => least(60, $2 * (generation + 1)))
                     WHERE id = ANY (ARRAY(
                         SELECT id FROM outbox
                         WHERE confirmed_at IS NULL AND next_attempt_at <= clock_timestamp()
                         ORDER BY next_attempt_at
                         LIMIT $1
                         FOR UPDATE SKIP LOCKED))
                     RETURNING id, kind, generation, envelope",
                )
                .bind(BATCH_ROWS)
                .bind(RETRY_STEP_SECS)
                .fetch_all(tx)
                .await?;
                Ok::<_, DbError>(rows)
            })
        })
        .await?;
    let rows: Vec<Option<OpenRow>> = rows.iter().map(open_row).collect::<Result<_, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

/// None if the row cannot be read. It stays open, and harms no other.
fn open_row(row: &PgRow) -> Result<Option<OpenRow>, sqlx::Error> {
    let id: Uuid = row.try_get("id")?;
    let generation: i32 = row.try_get("generation")?;
    match Envelope::decode(row.try_get::<&[u8], _>("envelope")?) {
        Ok(mut envelope) => {
            envelope.generation = generation.unsigned_abs();
            Ok(Some(OpenRow {
                id,
                kind: row.try_get("kind")?,
                generation,
                envelope,
            }))
        }
        Err(error) => {
            tracing::error!(message_id = %id, %error, "outbox row is not an envelope");
            Ok(None)
        }
    }
}

async fn publish(nats: &Nats, row: &OpenRow) -> Result<(), String> {
    let message = PublishMessage::build()
        .payload(row.envelope.encode_to_vec().into())
        // A re-publish inside the broker's window must not count as a duplicate.
        .message_id(format!("{}:g{}", row.id, row.generation));
    let send = async {
        let subject = format!("{EVENT_SUBJECT}.{}", row.kind);
        let ack = nats.jetstream().send_publish(subject, message).await?;
        ack.await
    };
    match tokio::time::timeout(PUBLISH_ACK_TIMEOUT, send).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no acknowledgement in time".to_owned()),
    }
}

async fn call_receiver(
    db: &Db,
    mut accept: AcceptServiceClient<MeshChannel>,
    rows: Vec<OpenRow>,
) -> anyhow::Result<()> {
    let envelopes = rows.into_iter().map(|row| row.envelope).collect();
    let accepted = accept
        .accept(AcceptRequest { envelopes })
        .await?
        .into_inner();
    confirm::confirm(db, &accepted.accepted_message_ids).await?;
    Ok(())
}

fn kind(payload: &Payload) -> &'static str {
    match payload {
        Payload::OrderPaid(_) => "order_paid",
    }
}
