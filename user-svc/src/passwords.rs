//! Hashing of passwords, as slow as it must be and never wider than the machine allows.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::hmac;
use base::{KeyRing, UserId};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gentle::Spare;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::domain::Password;

const PEPPER_PURPOSE: &str = "password-pepper";
/// Callers that wait per hash under way; everybody else is told at once to come back. The last of them is
/// served within the time that a call has, also while guests leave little of the machine.
const WAITING_PER_PERMIT: usize = 2;
/// What a row keeps of a password.
#[derive(Clone, Debug)]
pub struct StoredPassword {
    pub user_id: UserId,
    pub hash: String,
    pub pepper_key_id: String,
}

/// Too many hashes are waited for. Nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords wait to be checked")]
pub struct Overloaded;

/// bcrypt over HMAC-SHA-256. The prehash makes every byte of a long password count (bcrypt alone
/// reads 71) and is worthless to whoever has only the database.
pub struct Passwords {
    pepper: KeyRing,
    cost: u32,
    permits: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    hashers: Spare,
}

/// A place among those that hash or wait for it.
#[derive(Debug)]
pub struct Place {
    _place: OwnedSemaphorePermit,
}

/// Counts as running until dropped.
struct Running {
    count: Arc<AtomicUsize>,
    _turn: (OwnedSemaphorePermit, Place),
}

impl Passwords {
    /// Half the cores hash, the others sell tickets.
    pub fn new(pepper: KeyRing, cost: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let permits = (cores / 2).max(1);
        let told = u32::try_from(permits).unwrap_or(u32::MAX);
        metrics::gauge!("password_hashes_max").set(f64::from(told));
        Self {
            pepper,
            cost,
            permits: Arc::new(Semaphore::new(permits)),
            queue: Arc::new(Semaphore::new(permits * (1 + WAITING_PER_PERMIT))),
            running: Arc::default(),
            hashers: Spare::start("hasher", permits),
        }
    }

    /// A place for one hash; whoever drops it gives it up.
    ///
    /// # Errors
    /// [`Overloaded`] at once when too many wait already.
    pub fn place(&self) -> Result<Place, Overloaded> {
        let place = self.queue.clone().try_acquire_owned();
        match place {
            Ok(place) => Ok(Place { _place: place }),
            Err(_) => {
                metrics::counter!("password_hashes_refused_total").increment(1);
                Err(Overloaded)
            }
        }
    }

    /// How many hashes are computed at this moment.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Hashes a new password of `user_id` with the current pepper.
    ///
    /// # Errors
    /// [`Overloaded`] at once when too many wait already.
    pub async fn hash(
        &self,
        user_id: UserId,
        password: &Password,
        salt: [u8; 16],
    ) -> Result<StoredPassword, Overloaded> {
        let pepper_key_id = self.pepper.current_id().to_owned();
        let prehash = self
            .prehash(&pepper_key_id, user_id, password)
            .expect("the current key is in the ring");
        let cost = self.cost;
        let place = self.place()?;
        let hash = self.compute(place, move || {
            bcrypt::non_truncating_hash_with_salt(&prehash, cost, salt)
        });
        let hash = hash
            .await?
            .expect("the cost is in range and a prehash has 44 bytes");
        let hash = hash.format_for_version(bcrypt::Version::TwoB);
        Ok(StoredPassword {
            user_id,
            hash,
            pepper_key_id,
        })
    }

    /// Whether this is the password. Takes as long without an account as with one.
    ///
    /// # Errors
    /// [`Overloaded`] at once when too many wait already.
    pub async fn verify(
        &self,
        stored: Option<StoredPassword>,
        password: &Password,
    ) -> Result<bool, Overloaded> {
        self.verify_at(self.place()?, stored, password).await
    }

    /// The same, for whoever has taken a place before they looked for what is stored.
    pub async fn verify_at(
        &self,
        place: Place,
        stored: Option<StoredPassword>,
        password: &Password,
    ) -> Result<bool, Overloaded> {
        let prehashed = stored.and_then(|stored| {
            let prehash = self.prehash(&stored.pepper_key_id, stored.user_id, password);
            if prehash.is_none() {
                tracing::error!(
                    key = stored.pepper_key_id,
                    "PASSWORD_PEPPER lacks a key in use"
                );
            }
            Some((prehash?, stored.hash))
        });
        let known = prehashed.is_some();
        let (prehash, hash) = prehashed.unwrap_or_else(|| self.dummy(password));
        let cost = self.cost;
        let verified = self
            .compute(place, move || {
                make_up(&prehash, cost_of(&hash)..cost);
                bcrypt::non_truncating_verify(&prehash, &hash)
            })
            .await?;
        Ok(known
            & verified.unwrap_or_else(|error| {
                tracing::error!(%error, "a stored password hash is malformed");
                false
            }))
    }

    /// Whether a new hash would be made like this one: with this cost and this pepper.
    pub fn is_as_new(&self, stored: &StoredPassword) -> bool {
        cost_of(&stored.hash) == self.cost && stored.pepper_key_id == self.pepper.current_id()
    }

    /// 44 characters. Every account has a pepper of its own, so a hash fits one row only.
    fn prehash(&self, key_id: &str, user_id: UserId, password: &Password) -> Option<String> {
        let pepper = self
            .pepper
            .derive_with(key_id, PEPPER_PURPOSE, user_id.uuid(), 0)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, pepper.expose().as_bytes());
        Some(STANDARD.encode(hmac::sign(&key, password.expose().as_bytes())))
    }

    /// Work for nothing: a hash of the right form that no password has.
    fn dummy(&self, password: &Password) -> (String, String) {
        let nobody = UserId::from(Uuid::nil());
        let prehash = self
            .prehash(self.pepper.current_id(), nobody, password)
            .expect("the current key is in the ring");
        let zeros = ".".repeat(53);
        (prehash, format!("$2b${:02}${zeros}", self.cost))
    }

    /// Runs one hash in its turn. A caller who leaves while waiting gives up the turn; one who
    /// leaves later does not stop the hash, so the hash itself holds the permits.
    #[expect(
        clippy::disallowed_methods,
        reason = "a hash changes nothing, so the end of the process need not wait for one"
    )]
    async fn compute<T: Send + 'static>(
        &self,
        place: Place,
        work: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<T, Overloaded> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let running = Running::begin(self.running.clone(), (permit, place));
        let hashers = self.hashers.clone();
        let hash = tokio::spawn(async move {
            let result = hashers.run(work).await;
            drop(running);
            result
        });
        // Only a panic in the library leaves this without a result, or the end of the process.
        hash.await.ok().flatten().ok_or(Overloaded)
    }
}

/// As its text says it.
fn cost_of(hash: &str) -> u32 {
    let cost = hash.split('$').nth(2).and_then(|cost| cost.parse().ok());
    cost.unwrap_or(u32::MAX)
}

/// Work for nothing: a hash that was made while less work was asked for takes as long as the one that nobody
/// has. Each cost is twice the one before, so 2^s and once more each of 2^s … 2^(n-1) are 2^n.
fn make_up(prehash: &str, costs: std::ops::Range<u32>) {
    for cost in costs {
        let hash = bcrypt::non_truncating_hash_with_salt(prehash, cost, [0; 16]);
        drop(std::hint::black_box(hash));
    }
}

impl Running {
    fn begin(count: Arc<AtomicUsize>, turn: (OwnedSemaphorePermit, Place)) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        metrics::gauge!("password_hashes_running").increment(1.0);
        Self { count, _turn: turn }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        metrics::gauge!("password_hashes_running").decrement(1.0);
    }
}
