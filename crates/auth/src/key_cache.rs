//! The key set in memory: read on every call, fetched seldom.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration as StdDuration, Instant},
};

use base::Sources;
use jsonwebtoken::DecodingKey;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use crate::{KeySource, KeysUnavailable};

/// Within this time a key that user-svc dropped stops working, and a new one is known before use.
const REFRESH_EVERY: Duration = Duration::seconds(60);
/// While user-svc cannot be asked, known keys go on working this long.
const STALE_LIMIT: Duration = Duration::minutes(5);
/// Tokens with made-up key ids must not turn into load on user-svc.
const FETCH_PAUSE: StdDuration = StdDuration::from_secs(1);
const FETCH_TIMEOUT: StdDuration = StdDuration::from_secs(2);

pub(crate) enum Lookup {
    Found(DecodingKey),
    /// The key set is current and the key is not in it.
    Unknown,
    /// Whether the key exists cannot be said now.
    Unavailable,
}

pub(crate) struct KeyCache {
    source: Arc<dyn KeySource>,
    sources: Sources,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// One fetch at a time; who waited for it uses its result.
    last_fetch: Mutex<Option<LastFetch>>,
}

struct Snapshot {
    keys: HashMap<String, DecodingKey>,
    fetched_at: OffsetDateTime,
}

#[derive(Clone, Copy)]
struct LastFetch {
    ended: Instant,
    succeeded: bool,
}

impl KeyCache {
    pub(crate) fn new(source: Arc<dyn KeySource>, sources: Sources) -> Self {
        Self {
            source,
            sources,
            snapshot: RwLock::new(None),
            last_fetch: Mutex::new(None),
        }
    }

    pub(crate) async fn find(&self, key_id: &str) -> Lookup {
        if let Some(key) = self.key_younger_than(REFRESH_EVERY, key_id) {
            return Lookup::Found(key);
        }
        let current = self.refresh(key_id).await;
        match self.key_younger_than(STALE_LIMIT, key_id) {
            Some(key) => Lookup::Found(key),
            None if current => Lookup::Unknown,
            None => Lookup::Unavailable,
        }
    }

    /// Fetches the key set unless that was just done. True if the set in memory is current.
    async fn refresh(&self, key_id: &str) -> bool {
        let mut last = self.last_fetch.lock().await;
        // Another call may have fetched it while this one waited.
        if self.key_younger_than(REFRESH_EVERY, key_id).is_some() {
            return true;
        }
        if let Some(last) = *last
            && last.ended.elapsed() < FETCH_PAUSE
            && (!last.succeeded || self.snapshot_younger_than(REFRESH_EVERY).is_some())
        {
            return last.succeeded;
        }
        let fetched = self.fetch().await;
        if let Err(error) = &fetched {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "token keys not refreshed"
            );
        }
        let succeeded = fetched.is_ok();
        *last = Some(LastFetch {
            ended: Instant::now(),
            succeeded,
        });
        succeeded
    }

    async fn fetch(&self) -> Result<(), KeysUnavailable> {
        let fetched_at = self.sources.now();
        let keys = tokio::time::timeout(FETCH_TIMEOUT, self.source.fetch())
            .await
            .map_err(|elapsed| KeysUnavailable(Box::new(elapsed)))??;
        let keys = keys
            .into_iter()
            // Despite its name, this constructor takes the raw 32 bytes, not a DER structure.
            .map(|key| (key.key_id, DecodingKey::from_ed_der(&key.public_key)))
            .collect();
        let mut snapshot = self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *snapshot = Some(Arc::new(Snapshot { keys, fetched_at }));
        Ok(())
    }

    fn key_younger_than(&self, limit: Duration, key_id: &str) -> Option<DecodingKey> {
        self.snapshot_younger_than(limit)?.keys.get(key_id).cloned()
    }

    fn snapshot_younger_than(&self, limit: Duration) -> Option<Arc<Snapshot>> {
        let snapshot = self
            .snapshot
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let age = self.sources.now() - snapshot.fetched_at;
        // A clock that was set back must not keep keys for ever.
        (!age.is_negative() && age < limit).then_some(snapshot)
    }
}
