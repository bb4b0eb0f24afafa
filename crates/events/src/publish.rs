//! Rows become messages on the stream. An acknowledgement says that the broker has one, for now; it
//! closes nothing. No acknowledgement says nothing: the message may have arrived.

use std::time::Duration;

use async_nats::jetstream::{
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
};
use futures::future::join_all;
use prost::Message as _;
use tokio::time::{Instant, timeout};

use crate::{EVENT_SUBJECT, Nats, health::Trust, rows::OpenRow};

pub(crate) const PUBLISH_ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// For a look at the stream, and for the one message that tries a broker which was silent.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a publish is not known to have arrived.
enum Fault {
    /// The broker's, so the next message would meet it too.
    Broker,
    NoStream,
    /// This message's own.
    Message,
}

/// Publishes and gives back the rows that are not known to have arrived.
pub(crate) async fn publish(nats: &Nats, rows: Vec<OpenRow>, trust: Trust) -> Vec<OpenRow> {
    if rows.is_empty() {
        return rows;
    }
    if trust != Trust::Full && !stream_is_there(nats).await {
        return rows;
    }
    let patience = match trust {
        Trust::OneMessage => PROBE_TIMEOUT,
        _ => PUBLISH_ACK_TIMEOUT,
    };
    let outcomes = join_all(rows.iter().map(|row| publish_row(nats, row, patience))).await;
    let mut left = Vec::new();
    let (mut answers, mut fails, mut forgot) = (false, false, false);
    for (row, outcome) in rows.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => answers = true,
            Err(fault) => {
                fails |= matches!(fault, Fault::Broker);
                forgot |= matches!(fault, Fault::NoStream);
                left.push(row);
            }
        }
    }
    if fails {
        note_failure(nats, "publishes are not acknowledged");
    } else if forgot {
        nats.health().forgot();
    } else if answers && nats.health().answers() {
        tracing::info!("JetStream answers again");
    }
    left
}

async fn stream_is_there(nats: &Nats) -> bool {
    let outcome = timeout(PROBE_TIMEOUT, nats.stream()).await;
    let why = match outcome {
        Ok(Ok(_)) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer about the stream".to_owned(),
    };
    note_failure(nats, &why);
    false
}

fn note_failure(nats: &Nats, why: &str) {
    if nats.health().fails(Instant::now()) {
        tracing::warn!(
            why,
            "JetStream is not to be relied on, receivers are called directly"
        );
    }
}

async fn publish_row(nats: &Nats, row: &OpenRow, patience: Duration) -> Result<(), Fault> {
    let subject = format!("{EVENT_SUBJECT}.{}", row.kind);
    let mut message = PublishMessage::build()
        .payload(row.envelope.encode_to_vec().into())
        // A re-publish inside the broker's window must not count as a duplicate.
        .message_id(format!("{}:g{}", row.id, row.generation));
    if !row.envelope.traceparent.is_empty() {
        // Other tools look for it here, not in the envelope.
        message = message.header("traceparent", row.envelope.traceparent.as_str());
    }
    let send = async { nats.jetstream().send_publish(subject, message).await?.await };
    let error = match timeout(patience, send).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error,
        Err(_) => PublishError::new(PublishErrorKind::TimedOut),
    };
    let generation = row.generation;
    tracing::debug!(message_id = %row.id, generation, %error, "publish not acknowledged");
    Err(match error.kind() {
        PublishErrorKind::StreamNotFound => Fault::NoStream,
        PublishErrorKind::MaxPayloadExceeded => Fault::Message,
        _ => Fault::Broker,
    })
}
