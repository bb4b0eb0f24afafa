//! The stream of all events: what it must be, and what happens to one that somebody changed.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, Stream};

use crate::{EVENT_SUBJECT, Nats, NatsError};

const STREAM: &str = "BOXOFFICE";
/// Long enough to replay a bad weekend; the outbox, not the stream, is what nothing may leave.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Some 50,000 paid orders. The oldest go first: they were received long ago, and if not, the outbox
/// still knows them, while a publish that is refused would only be late.
const MAX_BYTES: i64 = 256 * 1024 * 1024;
/// Longer than a lost acknowledgement is of interest. A re-publish has a generation of its own, so
/// that this window never swallows one that is needed.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

impl Nats {
    /// The stream, made if it is not there and put right if it was changed.
    pub(crate) async fn stream(&self) -> Result<Stream, NatsError> {
        self.check_connection()?;
        let wanted = put_right(Config {
            name: STREAM.to_owned(),
            // More once it is there: with one of the servers away it could not be made.
            num_replicas: 1,
            ..Config::default()
        });
        let stream = self
            .jetstream()
            .get_or_create_stream(wanted)
            .await
            .map_err(NatsError::jetstream)?;
        let found = &stream.cached_info().config;
        if let Some(why) = unusable(found) {
            return Err(NatsError::Stream(why));
        }
        let right = put_right(found.clone());
        if right != *found {
            tracing::warn!(
                stream = STREAM,
                ?found,
                "the stream was changed, it is put right"
            );
            self.jetstream()
                .update_stream(&right)
                .await
                .map_err(NatsError::jetstream)?;
        }
        self.copy_stream(right).await;
        Ok(stream)
    }

    /// A broker that has no room for the copies is as good as it was: the outbox knows what it may lose.
    async fn copy_stream(&self, found: Config) {
        let num_replicas = found.num_replicas.max(self.copies());
        if num_replicas == found.num_replicas {
            return;
        }
        let copied = Config {
            num_replicas,
            ..found
        };
        match self.jetstream().update_stream(&copied).await {
            Ok(_) => tracing::info!(copies = num_replicas, "the stream is kept by more servers"),
            Err(error) => {
                tracing::warn!(%error, copies = num_replicas, "the stream has fewer copies than it should");
            }
        }
    }
}

/// Ours are subjects and limits, and that there are enough copies. More of them, placement, compression and such are
/// the operator's.
fn put_right(config: Config) -> Config {
    Config {
        subjects: vec![format!("{EVENT_SUBJECT}.>")],
        max_age: MAX_AGE,
        max_bytes: MAX_BYTES,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        discard: DiscardPolicy::Old,
        discard_new_per_subject: false,
        duplicate_window: DUPLICATE_WINDOW,
        // Without acknowledgements every publish would look lost.
        no_ack: false,
        ..config
    }
}

/// Why a stream cannot be used, if that cannot be put right without losing what is in it.
fn unusable(found: &Config) -> Option<&'static str> {
    if found.retention != RetentionPolicy::Limits {
        // What is acknowledged would be gone, and with it the memory of duplicates.
        return Some("its retention is not `limits`");
    }
    if found.sealed {
        return Some("it is sealed");
    }
    if found.mirror.is_some() || found.sources.is_some() {
        return Some("it copies another stream");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_may_decide_is_left_alone() {
        let wanted = put_right(Config {
            num_replicas: 3,
            ..Config::default()
        });
        assert_eq!(wanted.num_replicas, 3);
        let changed = Config {
            no_ack: true,
            max_bytes: 1,
            ..wanted.clone()
        };
        assert_eq!(put_right(changed), wanted);
        assert_eq!(unusable(&wanted), None);
    }

    #[test]
    fn a_stream_that_forgets_what_was_acknowledged_is_refused() {
        let retention = RetentionPolicy::WorkQueue;
        assert!(
            unusable(&Config {
                retention,
                ..Config::default()
            })
            .is_some()
        );
        assert!(
            unusable(&Config {
                sealed: true,
                ..Config::default()
            })
            .is_some()
        );
    }
}
