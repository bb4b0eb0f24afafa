//! The rules in memory: read on every call. They are told as they change; where nobody tells, they are
//! fetched when they are needed.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration as StdDuration, Instant},
};

use base::{Sources, UserId};
use futures::StreamExt as _;
use jsonwebtoken::DecodingKey;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{Claims, KeySource, KeysUnavailable, TokenRules};

/// What was revoked is refused within this time, and the second that user-svc takes to tell it.
const FRESH_FOR: Duration = Duration::seconds(3);
/// While user-svc cannot be asked, what is known goes on working this long: a restart of it. Nobody can
/// revoke anything meanwhile, unless only we are cut off from it.
const STALE_LIMIT: Duration = Duration::seconds(60);
/// Tokens with made-up key ids must not turn into load on user-svc.
const FETCH_PAUSE: StdDuration = StdDuration::from_secs(1);
const FETCH_TIMEOUT: StdDuration = StdDuration::from_secs(2);
/// A stream that says nothing for this long is given up.
const SILENCE_MAX: StdDuration = StdDuration::from_secs(3);

pub(crate) enum Lookup {
    Found(DecodingKey, Arc<Snapshot>),
    /// The rules are current and the key is not among them.
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

pub(crate) struct Snapshot {
    keys: HashMap<String, DecodingKey>,
    revoked_sessions: HashSet<Uuid>,
    generations: HashMap<UserId, u32>,
    as_of: OffsetDateTime,
}

impl Snapshot {
    /// Whether a token that is otherwise good was taken back.
    pub(crate) fn revokes(&self, claims: &Claims) -> bool {
        let generation = self.generations.get(&claims.sub);
        self.revoked_sessions.contains(&claims.sid)
            || generation.is_some_and(|generation| claims.r#gen < *generation)
    }
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
        if let Some((key, rules)) = self.key_younger_than(FRESH_FOR, key_id) {
            return Lookup::Found(key, rules);
        }
        let current = self.refresh(key_id).await;
        match self.key_younger_than(STALE_LIMIT, key_id) {
            Some((key, rules)) => Lookup::Found(key, rules),
            None if current => Lookup::Unknown,
            None => Lookup::Unavailable,
        }
    }

    /// Takes in what is told until the stream ends or falls silent.
    pub(crate) async fn listen(&self) {
        let mut told = self.source.watch();
        loop {
            match tokio::time::timeout(SILENCE_MAX, told.next()).await {
                Ok(Some(Ok(rules))) => self.keep(rules, self.sources.now()),
                Ok(Some(Err(error))) => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "token keys are not told"
                    );
                    return;
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Fetches the rules unless that was just done. True if those in memory are current.
    async fn refresh(&self, key_id: &str) -> bool {
        let mut last = self.last_fetch.lock().await;
        // Another call may have fetched it while this one waited.
        if self.key_younger_than(FRESH_FOR, key_id).is_some() {
            return true;
        }
        if let Some(last) = *last
            && last.ended.elapsed() < FETCH_PAUSE
            && (!last.succeeded || self.snapshot_younger_than(FRESH_FOR).is_some())
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
        let asked_at = self.sources.now();
        let rules = tokio::time::timeout(FETCH_TIMEOUT, self.source.fetch())
            .await
            .map_err(|elapsed| KeysUnavailable(Box::new(elapsed)))??;
        self.keep(rules, asked_at);
        Ok(())
    }

    fn keep(&self, rules: TokenRules, as_of: OffsetDateTime) {
        let keys = rules.keys.into_iter();
        let kept = Snapshot {
            // Despite its name, this constructor takes the raw 32 bytes, not a DER structure.
            keys: keys
                .map(|key| (key.key_id, DecodingKey::from_ed_der(&key.public_key)))
                .collect(),
            revoked_sessions: rules.revoked_sessions,
            generations: rules.generations,
            as_of,
        };
        let mut snapshot = self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *snapshot = Some(Arc::new(kept));
    }

    fn key_younger_than(
        &self,
        limit: Duration,
        key_id: &str,
    ) -> Option<(DecodingKey, Arc<Snapshot>)> {
        let snapshot = self.snapshot_younger_than(limit)?;
        let key = snapshot.keys.get(key_id)?.clone();
        Some((key, snapshot))
    }

    fn snapshot_younger_than(&self, limit: Duration) -> Option<Arc<Snapshot>> {
        let snapshot = self
            .snapshot
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let age = self.sources.now() - snapshot.as_of;
        // A clock that was set back must not keep keys for ever.
        (!age.is_negative() && age < limit).then_some(snapshot)
    }
}
