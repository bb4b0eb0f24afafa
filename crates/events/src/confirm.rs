//! A row closes when its receiver says that it committed a row of its own.

use std::time::Duration;

use db::{Db, DbError};
use futures::StreamExt as _;
use kit::Tasks;
use prost::Message as _;
use proto::event::NotifyAccepted;
use uuid::Uuid;

use crate::{ACCEPTED_SUBJECT, Nats};

const RESUBSCRIBE_DELAY: Duration = Duration::from_secs(1);
/// Confirmations that wait already are stored in one statement.
const BATCH_CONFIRMATIONS: usize = 64;

/// Listens for confirmations. A lost one costs a re-publish, never a receipt.
pub(crate) fn start(tasks: &Tasks, db: Db, nats: Nats, service: &'static str) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn(async move {
        tokio::select! {
            () = shutdown.begun() => {}
            () = listen(&db, &nats, service) => {}
        }
    });
}

async fn listen(db: &Db, nats: &Nats, service: &'static str) {
    loop {
        let group = service.to_owned();
        match nats.client().queue_subscribe(ACCEPTED_SUBJECT, group).await {
            Ok(messages) => {
                let mut waiting = messages.ready_chunks(BATCH_CONFIRMATIONS);
                while let Some(messages) = waiting.next().await {
                    let ids: Vec<String> = messages.into_iter().flat_map(ids).collect();
                    if let Err(error) = confirm(db, &ids).await {
                        tracing::warn!(%error, "confirmations not stored, they will come again");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "cannot subscribe to confirmations"),
        }
        tokio::time::sleep(RESUBSCRIBE_DELAY).await;
    }
}

/// None of what cannot be read.
fn ids(message: async_nats::Message) -> Vec<String> {
    NotifyAccepted::decode(message.payload)
        .unwrap_or_default()
        .message_ids
}

/// Closes these rows; ids of other services match nothing here.
pub(crate) async fn confirm(db: &Db, message_ids: &[String]) -> Result<(), DbError> {
    let ids: Vec<Uuid> = message_ids
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    db.run(ids, |tx, ids| {
        Box::pin(async move {
            // In one order: the same rows may be confirmed by both ways at once.
            sqlx::query(
                "UPDATE outbox SET confirmed_at = clock_timestamp()
                 WHERE id = ANY (ARRAY(
                     -- By their keys, and not by the index of what is open (decision 0039).
                     SELECT id FROM outbox
                     WHERE id = ANY ($1) AND coalesce(confirmed_at, 'infinity') = 'infinity'
                     ORDER BY id FOR UPDATE))",
            )
            .bind(ids)
            .execute(tx)
            .await?;
            Ok(())
        })
    })
    .await
}
