//! Where time and randomness come from. Tests move a clock and repeat a seed; production uses `Sources::system()`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub trait Clock: Send + Sync {
    /// The time now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

pub trait Random: Send + Sync {
    /// Overwrites `bytes` with random ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reading of the machine's clock"
    )]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The operating system's cryptographic randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one source of randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("invariant: the operating system gives randomness");
    }
}

/// A clock that stands still until it is told otherwise. Clones share the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<OffsetDateTime>>);

impl ManualClock {
    pub fn new(start: OffsetDateTime) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    pub fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Default for ManualClock {
    /// 12 June 2026, 18:00 UTC.
    fn default() -> Self {
        Self::new(time::macros::datetime!(2026-06-12 18:00 UTC))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A repeatable stream: SHA-256 of seed and counter. For tests only, it is not secret.
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    blocks: AtomicU64,
}

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            blocks: AtomicU64::new(0),
        }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = self.blocks.fetch_add(1, Ordering::Relaxed);
            let input = [self.seed.to_be_bytes(), block.to_be_bytes()].concat();
            chunk.copy_from_slice(&crate::digest(&input)[..chunk.len()]);
        }
    }
}

/// Clock and randomness, handed down from `build` to whoever needs them.
#[derive(Clone)]
pub struct Sources {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Sources {
    pub fn new(clock: impl Clock + 'static, random: impl Random + 'static) -> Self {
        Self {
            clock: Arc::new(clock),
            random: Arc::new(random),
        }
    }

    pub fn system() -> Self {
        Self::new(SystemClock, SystemRandom)
    }

    /// A clock at rest (see `ManualClock::default`) and a repeatable random stream.
    pub fn for_tests(seed: u64) -> (Self, ManualClock) {
        let clock = ManualClock::default();
        (Self::new(clock.clone(), SeededRandom::new(seed)), clock)
    }

    /// Now, cut to whole microseconds: what Postgres stores is then equal to what was meant.
    pub fn now(&self) -> OffsetDateTime {
        let now = self.clock.now();
        now.replace_nanosecond(now.nanosecond() / 1000 * 1000)
            .unwrap_or(now)
    }

    pub fn uuid_v7(&self) -> Uuid {
        let millis = self.now().unix_timestamp_nanos() / 1_000_000;
        let millis = u64::try_from(millis).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// 256 random bits as 43 characters of base64url.
    pub fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_repeats_and_the_stream_moves_on() {
        let (one, _) = Sources::for_tests(7);
        let (two, _) = Sources::for_tests(7);
        let (other, _) = Sources::for_tests(8);
        let first = one.token();
        assert_eq!(first, two.token());
        assert_ne!(first, one.token());
        assert_ne!(first, other.token());
        assert_eq!(first.len(), 43);
    }

    #[test]
    fn the_clock_moves_only_when_told() {
        let (sources, clock) = Sources::for_tests(1);
        let start = sources.now();
        assert_eq!(sources.now(), start);
        clock.advance(Duration::minutes(10));
        assert_eq!(sources.now() - start, Duration::minutes(10));
    }

    #[test]
    fn the_system_gives_fresh_tokens_in_whole_microseconds() {
        let sources = Sources::system();
        assert_ne!(sources.token(), sources.token());
        assert_eq!(sources.now().nanosecond() % 1000, 0);
        assert_eq!(sources.uuid_v7().get_version_num(), 7);
    }
}
