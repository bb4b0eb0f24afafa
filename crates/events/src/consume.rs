//! The receiver's end: commit first, acknowledge after, confirm to the sender. A message may come
//! any number of times, and out of order.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, PullConsumer, pull},
};
use base::MessageId;
use futures::{StreamExt as _, future::BoxFuture};
use kit::Tasks;
use prost::Message as _;
use proto::event::{Envelope, NotifyAccepted};

use crate::{ACCEPTED_SUBJECT, Nats, NatsError};

const BATCH_MESSAGES: usize = 64;
const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_IN_FLIGHT: i64 = 256;
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const PULL_HEARTBEAT: Duration = Duration::from_secs(10);
/// A pull consumer can look connected and be idle for ever; after so long its handle is rebuilt.
const WATCHDOG: Duration = Duration::from_secs(45);
const REBUILD_DELAY: Duration = Duration::from_millis(500);
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Commits messages as rows, once per message id.
pub trait AcceptMessages: Send + Sync + 'static {
    /// The ids that are committed rows now, those of before included.
    fn accept(&self, envelopes: Vec<Envelope>) -> BoxFuture<'_, anyhow::Result<Vec<MessageId>>>;
}

/// Starts the durable consumer. It survives an absent broker and a deleted stream or consumer.
pub fn start_consumer(
    tasks: &Tasks,
    nats: Nats,
    durable: &'static str,
    receiver: Arc<dyn AcceptMessages>,
) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn(async move {
        while !shutdown.has_begun() {
            let outcome = tokio::select! {
                () = shutdown.begun() => return,
                outcome = consume(&nats, durable, receiver.as_ref()) => outcome,
            };
            match outcome {
                Err(NatsError::NotConnected) | Ok(()) => {}
                Err(error) => tracing::warn!(%error, durable, "consumer is rebuilt"),
            }
            tokio::select! {
                () = shutdown.begun() => return,
                () = tokio::time::sleep(REBUILD_DELAY) => {}
            }
        }
    });
}

/// Consumes until something is odd about the handle.
async fn consume(
    nats: &Nats,
    durable: &str,
    receiver: &dyn AcceptMessages,
) -> Result<(), NatsError> {
    let mut messages = consumer(nats, durable)
        .await?
        .stream()
        .max_messages_per_batch(BATCH_MESSAGES)
        .expires(PULL_EXPIRES)
        .heartbeat(PULL_HEARTBEAT)
        .messages()
        .await
        .map_err(jetstream)?
        .ready_chunks(BATCH_MESSAGES);
    loop {
        let Ok(chunk) = tokio::time::timeout(WATCHDOG, messages.next()).await else {
            return Ok(());
        };
        let mut batch = Vec::new();
        let mut broken = Ok(());
        for message in chunk.ok_or(NatsError::NotConnected)? {
            match message {
                Ok(message) => batch.push(message),
                Err(error) => broken = Err(jetstream(error)),
            }
        }
        receive(nats, receiver, batch).await;
        broken?;
    }
}

async fn consumer(nats: &Nats, durable: &str) -> Result<PullConsumer, NatsError> {
    let config = pull::Config {
        durable_name: Some(durable.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // A limit would drop the message silently.
        max_deliver: -1,
        max_ack_pending: MAX_IN_FLIGHT,
        ..pull::Config::default()
    };
    nats.stream()
        .await?
        .get_or_create_consumer(durable, config)
        .await
        .map_err(jetstream)
}

async fn receive(nats: &Nats, receiver: &dyn AcceptMessages, batch: Vec<Message>) {
    let mut envelopes = Vec::with_capacity(batch.len());
    let mut messages = Vec::with_capacity(batch.len());
    for message in batch {
        match Envelope::decode(message.payload.clone()) {
            Ok(envelope) => {
                envelopes.push(envelope);
                messages.push(message);
            }
            Err(error) => {
                // It will never decode. The sender's row stays open, and shows it.
                tracing::error!(%error, subject = %message.subject, "not an envelope");
                settle(&message, AckKind::Term).await;
            }
        }
    }
    if envelopes.is_empty() {
        return;
    }
    match receiver.accept(envelopes).await {
        Ok(accepted) => {
            for message in &messages {
                settle(message, AckKind::Ack).await;
            }
            confirm(nats, &accepted).await;
        }
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "messages not accepted, they come again"
            );
            for message in &messages {
                settle(message, AckKind::Nak(Some(RETRY_DELAY))).await;
            }
        }
    }
}

async fn settle(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        // The broker delivers it again, and the committed row makes that harmless.
        tracing::debug!(error, "acknowledgement not sent");
    }
}

async fn confirm(nats: &Nats, accepted: &[MessageId]) {
    if accepted.is_empty() {
        return;
    }
    let message_ids = accepted.iter().map(ToString::to_string).collect();
    let payload = NotifyAccepted { message_ids }.encode_to_vec();
    if let Err(error) = nats
        .client()
        .publish(ACCEPTED_SUBJECT, payload.into())
        .await
    {
        tracing::debug!(%error, "confirmation not sent, the sender asks again");
    }
}

fn jetstream(error: impl std::fmt::Display) -> NatsError {
    NatsError::JetStream(error.to_string())
}
