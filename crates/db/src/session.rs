//! Where sessions come from: the pool, or one session that is kept.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, Postgres};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use crate::DbError;

pub(crate) const ACQUIRE_LIMIT: Duration = Duration::from_secs(1);
pub(crate) const PING_LIMIT: Duration = Duration::from_millis(300);
/// A kept session that worked just now is not asked whether it is alive.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(crate) enum Sessions {
    Pool(PgPool),
    Kept(Arc<Kept>),
}

/// One session that its users take in turns. It is kept only after work that ended well, so nobody has to ask it for
/// a sign of life, or to clean it, between two pieces of work. Whatever else happens closes it.
pub(crate) struct Kept {
    options: PgConnectOptions,
    lifetime: Duration,
    place: Arc<Mutex<Option<Resting>>>,
    closed: AtomicBool,
}

pub(crate) struct Resting {
    session: PgConnection,
    born: Instant,
    since: Instant,
}

/// A session while somebody works on it.
pub(crate) enum Lent {
    Pooled(PoolConnection<Postgres>),
    Kept {
        session: PgConnection,
        born: Instant,
        place: OwnedMutexGuard<Option<Resting>>,
    },
}

impl Sessions {
    pub(crate) async fn lend(&self) -> Result<Lent, DbError> {
        match self {
            Self::Pool(pool) => acquired(pool).await.map(Lent::Pooled),
            Self::Kept(kept) => kept.lend().await,
        }
    }

    pub(crate) fn connect_options(&self) -> Arc<PgConnectOptions> {
        match self {
            Self::Pool(pool) => pool.connect_options(),
            Self::Kept(kept) => Arc::new(kept.options.clone()),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Pool(pool) => pool.close().await,
            Self::Kept(kept) => {
                kept.closed.store(true, Ordering::SeqCst);
                let resting = kept.place.lock().await.take();
                if let Some(resting) = resting {
                    // The server notices as well when the socket closes.
                    let _ = resting.session.close().await;
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one way to a session, behind both doors"
)]
async fn acquired(pool: &PgPool) -> Result<PoolConnection<Postgres>, DbError> {
    pool.acquire().await.map_err(DbError::from)
}

impl Kept {
    pub(crate) fn new(options: PgConnectOptions, lifetime: Duration) -> Self {
        Self {
            options,
            lifetime,
            place: Arc::default(),
            closed: AtomicBool::new(false),
        }
    }

    async fn lend(&self) -> Result<Lent, DbError> {
        let place = timeout(ACQUIRE_LIMIT, self.place.clone().lock_owned()).await;
        let mut place = place.map_err(|_| DbError::Busy)?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(DbError::Busy);
        }
        let (session, born) = match self.usable(place.take()).await {
            Some(resting) => (resting.session, resting.born),
            None => (self.connect().await?, Instant::now()),
        };
        Ok(Lent::Kept {
            session,
            born,
            place,
        })
    }

    async fn usable(&self, resting: Option<Resting>) -> Option<Resting> {
        let mut resting = resting.filter(|resting| resting.born.elapsed() < self.lifetime)?;
        if resting.since.elapsed() > TRUSTED_FOR {
            let ping = timeout(PING_LIMIT, resting.session.ping()).await;
            ping.ok()?.ok()?;
        }
        Some(resting)
    }

    async fn connect(&self) -> Result<PgConnection, DbError> {
        let outcome = match timeout(ACQUIRE_LIMIT, self.options.connect()).await {
            Ok(outcome) => outcome.map_err(DbError::from),
            Err(_) => Err(DbError::Busy),
        };
        outcome.map_err(|error| match error {
            error if error.is_transient() => {
                tracing::warn!(error = ?error, "no database session");
                DbError::Busy
            }
            error => error,
        })
    }
}

/// The options hold a password, so they are left out.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl Lent {
    /// Back to where it came from. A kept one that is dropped instead, by a panic, is closed.
    pub(crate) fn give_back(self) {
        match self {
            Self::Pooled(session) => drop(session),
            Self::Kept {
                session,
                born,
                mut place,
            } => {
                *place = Some(Resting {
                    session,
                    born,
                    since: Instant::now(),
                });
            }
        }
    }

    /// Nothing sensible can be said on it any more: closes its socket, keeps its place in the pool.
    pub(crate) fn discard(self) {
        match self {
            Self::Pooled(session) => drop(session.detach()),
            Self::Kept { session, .. } => drop(session),
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Pooled(session) => session,
            Self::Kept { session, .. } => session,
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Pooled(session) => session,
            Self::Kept { session, .. } => session,
        }
    }
}
