//! The receiver's end: commit first, acknowledge after, confirm to the sender. A message may come
//! any number of times, and out of order.

use std::{sync::Arc, time::Duration};

use async_nats::{
    HeaderMap,
    jetstream::{
        AckKind, Message,
        consumer::{self, AckPolicy, DeliverPolicy, PullConsumer, pull},
    },
};
use base::MessageId;
use futures::{StreamExt as _, future::BoxFuture};
use kit::Tasks;
use prost::Message as _;
use proto::event::{Envelope, NotifyAccepted};

use crate::{ACCEPTED_SUBJECT, Nats, NatsError, received};

const BATCH_MESSAGES: usize = 64;
const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_IN_FLIGHT: i64 = 256;
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const PULL_HEARTBEAT: Duration = Duration::from_secs(10);
/// A pull consumer can look connected and be idle for ever; after so long its handle is rebuilt.
const WATCHDOG: Duration = Duration::from_secs(45);
const LAG_INTERVAL: Duration = Duration::from_secs(15);
/// Doubled while it cannot be rebuilt, for example because the broker's disk is full.
const REBUILD_DELAY: Duration = Duration::from_millis(500);
const REBUILD_MAX_DELAY: Duration = Duration::from_secs(15);
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Commits messages as rows, once per message id.
pub trait AcceptMessages: Send + Sync + 'static {
    /// The ids that are committed rows now, those of before included.
    fn accept(&self, envelopes: Vec<Envelope>) -> BoxFuture<'_, anyhow::Result<Vec<MessageId>>>;

    /// Commits a trace of a message that cannot be read, for a person to look at. It may come again.
    fn set_aside(&self, poison: Poison) -> BoxFuture<'_, anyhow::Result<()>>;
}

/// A message that cannot be read and never will be.
#[derive(Clone, Debug)]
pub struct Poison {
    pub subject: String,
    /// A line per value: `Name: value`.
    pub headers: String,
    /// As large as the broker lets a message be.
    pub payload: Vec<u8>,
    pub reason: String,
}

/// Starts the durable consumer. It survives an absent broker and a deleted stream or consumer.
pub fn start_consumer(
    tasks: &Tasks,
    nats: Nats,
    durable: &'static str,
    receiver: Arc<dyn AcceptMessages>,
) {
    let shutdown = tasks.shutdown().clone();
    measure(tasks, nats.clone(), durable);
    tasks.spawn(async move {
        tokio::select! {
            () = shutdown.begun() => {}
            () = consume(&nats, durable, receiver.as_ref()) => {}
        }
    });
}

/// How far the consumer is behind, by the broker's own count. Without a broker nobody knows, and the last figure stays.
fn measure(tasks: &Tasks, nats: Nats, durable: &'static str) {
    tasks.job(
        "measure_consumer",
        LAG_INTERVAL,
        Arc::default(),
        move || {
            let nats = nats.clone();
            async move {
                if let Ok(stream) = nats.stream().await
                    && let Ok(info) = stream.consumer_info(durable).await
                {
                    let behind =
                        info.num_pending + u64::try_from(info.num_ack_pending).unwrap_or(0);
                    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
                    metrics::gauge!("consumer_pending_messages", "consumer" => durable)
                        .set(behind as f64);
                }
                Ok(false)
            }
        },
    );
}

async fn consume(nats: &Nats, durable: &'static str, receiver: &dyn AcceptMessages) {
    let mut delay = REBUILD_DELAY;
    loop {
        match messages(nats, durable).await {
            Ok(messages) => {
                delay = REBUILD_DELAY;
                match drain(nats, messages, durable, receiver).await {
                    Err(NatsError::NotConnected) | Ok(()) => {}
                    Err(error) => tracing::warn!(%error, durable, "consumer is rebuilt"),
                }
            }
            Err(NatsError::NotConnected) => delay = REBUILD_DELAY,
            Err(error) => {
                tracing::warn!(%error, durable, "no consumer, messages come by direct calls only");
                delay = (delay * 2).min(REBUILD_MAX_DELAY);
            }
        }
        tokio::time::sleep(delay).await;
    }
}

/// A handle on the durable consumer, which is made if it is not there.
async fn messages(nats: &Nats, durable: &str) -> Result<pull::Stream, NatsError> {
    consumer(nats, durable)
        .await?
        .stream()
        .max_messages_per_batch(BATCH_MESSAGES)
        .expires(PULL_EXPIRES)
        .heartbeat(PULL_HEARTBEAT)
        .messages()
        .await
        .map_err(NatsError::jetstream)
}

/// Receives until something is odd about the handle.
async fn drain(
    nats: &Nats,
    messages: pull::Stream,
    member: &'static str,
    receiver: &dyn AcceptMessages,
) -> Result<(), NatsError> {
    let mut messages = messages.ready_chunks(BATCH_MESSAGES);
    loop {
        let Ok(chunk) = tokio::time::timeout(WATCHDOG, messages.next()).await else {
            return Ok(());
        };
        let mut batch = Vec::new();
        let mut broken = Ok(());
        for message in chunk.ok_or(NatsError::NotConnected)? {
            match message {
                Ok(message) => batch.push(message),
                Err(error) => broken = Err(NatsError::jetstream(error)),
            }
        }
        receive(nats, member, receiver, batch).await;
        broken?;
    }
}

/// Made, or put right where somebody changed it.
async fn consumer(nats: &Nats, durable: &str) -> Result<PullConsumer, NatsError> {
    let config = pull::Config {
        durable_name: Some(durable.to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // A limit would drop the message silently.
        max_deliver: -1,
        max_ack_pending: MAX_IN_FLIGHT,
        ..pull::Config::default()
    };
    let consumer = nats
        .stream()
        .await?
        .create_consumer(config)
        .await
        .map_err(NatsError::jetstream)?;
    match difference(&consumer.cached_info().config) {
        None => Ok(consumer),
        Some(what) => Err(NatsError::Consumer(durable.to_owned(), what)),
    }
}

/// What the broker answered with, if it is not what was asked for.
fn difference(found: &consumer::Config) -> Option<&'static str> {
    let checks = [
        ("deliver_policy", found.deliver_policy == DeliverPolicy::All),
        ("ack_policy", found.ack_policy == AckPolicy::Explicit),
        (
            "ack_wait",
            found.ack_wait == ACK_WAIT && found.backoff.is_empty(),
        ),
        ("max_deliver", found.max_deliver == -1),
        ("max_ack_pending", found.max_ack_pending == MAX_IN_FLIGHT),
        (
            "filter",
            found.filter_subject.is_empty() && found.filter_subjects.is_empty(),
        ),
    ];
    checks
        .iter()
        .find(|(_, is_right)| !is_right)
        .map(|(what, _)| *what)
}

async fn receive(
    nats: &Nats,
    member: &'static str,
    receiver: &dyn AcceptMessages,
    batch: Vec<Message>,
) {
    let mut envelopes = Vec::with_capacity(batch.len());
    let mut messages = Vec::with_capacity(batch.len());
    for message in batch {
        match Envelope::decode(message.payload.clone()) {
            Ok(envelope) => {
                envelopes.push(envelope);
                messages.push(message);
            }
            Err(error) => {
                set_aside(receiver, message, error.to_string()).await;
            }
        }
    }
    if envelopes.is_empty() {
        return;
    }
    let spans = received::spans(member, &mut envelopes);
    let outcome = receiver.accept(envelopes).await;
    received::end(spans, outcome.is_ok());
    match outcome {
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

/// It will never decode, so it is not to come again once there is a trace of it.
async fn set_aside(receiver: &dyn AcceptMessages, message: Message, reason: String) {
    let subject = message.subject.to_string();
    tracing::error!(reason, subject, "not an envelope, set aside");
    let poison = Poison {
        subject,
        headers: message.headers.as_ref().map(lines).unwrap_or_default(),
        payload: message.payload.to_vec(),
        reason,
    };
    let kind = match receiver.set_aside(poison).await {
        Ok(()) => AckKind::Term,
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "not set aside, it comes again"
            );
            AckKind::Nak(Some(RETRY_DELAY))
        }
    };
    settle(&message, kind).await;
}

fn lines(headers: &HeaderMap) -> String {
    let values = headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |v| (name, v)));
    values
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
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
