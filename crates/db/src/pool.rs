use crate::attempt::{Mode, session, to_the_end};
use crate::server::server;
use crate::session::{ACQUIRE_LIMIT, Kept, PING_LIMIT, Sessions};
use crate::tracker::Tracker;
use crate::{AsDbError, DbConfig, DbError};
use base::{Random as _, SystemRandom};
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, Executor as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

const RESET_LIMIT: Duration = Duration::from_millis(500);
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// A service's database. Clones share one pool. The pool itself is not to be had: a future that is dropped while it
/// holds a session can leave a transaction open for the next borrower, whose write is then lost.
#[derive(Clone, Debug)]
pub struct Db {
    pub(crate) sessions: Sessions,
    under_way: Tracker,
    run_deadline: Duration,
    read_deadline: Duration,
}

impl Db {
    /// Opens a first session, so that a wrong address or password shows at once. `Busy` when nobody answers.
    pub async fn connect(config: &DbConfig) -> Result<Self, DbError> {
        let db = Self::connect_lazy(config)?;
        session(&db.sessions).await?.give_back();
        Ok(db)
    }

    /// Opens sessions when they are needed: a service may start before its database. Fails on a malformed URL only.
    /// Must be called inside a runtime.
    pub fn connect_lazy(config: &DbConfig) -> Result<Self, DbError> {
        let pool = pool_options(config.max_connections).connect_lazy_with(session_options(config)?);
        Ok(Self {
            sessions: Sessions::Pool(pool),
            under_way: Tracker::new(),
            run_deadline: config.run_deadline,
            read_deadline: config.read_deadline,
        })
    }

    /// The same database through one session of its own, which is kept between two pieces of work and costs no round
    /// trip there: for a worker that has one piece of work at a time, again and again. Others wait for their turn, a
    /// second at most. `settings` are of the session (`plan_cache_mode`), besides those of every session.
    pub fn kept_session(&self, settings: &[(&str, &str)]) -> Self {
        let options = PgConnectOptions::clone(&self.sessions.connect_options());
        let kept = Kept::new(options.options(settings.iter().copied()), lifetime());
        Self {
            sessions: Sessions::Kept(Arc::new(kept)),
            under_way: Tracker::new(),
            run_deadline: self.run_deadline,
            read_deadline: self.read_deadline,
        }
    }

    /// A kept session for the few statements of a hot path, each for a handful of ids. Their plans are made once, which
    /// costs as much as many of them do, and by indexes, whatever the tables looked like at that moment.
    pub fn lane_session(&self) -> Self {
        self.kept_session(&[
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("jit", "off"),
            ("max_parallel_workers_per_gather", "0"),
        ])
    }

    /// A kept session for a worker that takes what is due, in the order of an index. In a rush the planner knows
    /// nothing yet of what has come: it would sort all that waits for the few rows that are taken, or read the whole
    /// table because it was short when it looked.
    pub fn queue_session(&self) -> Self {
        self.kept_session(&[
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("enable_sort", "off"),
        ])
    }

    /// Runs `work` in a transaction and commits it; rolls back where it answers an error.
    ///
    /// The work goes on to its end even if the caller is dropped or hears `Timeout`. It is repeated on 40001, 40P01,
    /// 55P03 and broken sessions, and also when the answer to COMMIT was lost. **So the work must be an insert-or-find
    /// or a guarded transition**: run again after it committed, it gives the same answer. It must touch nothing but the
    /// connection (no calls to other services), and leave no session state (`SET LOCAL`, `pg_advisory_xact_lock`).
    ///
    /// ```ignore
    /// db.run(request, |conn, request| Box::pin(async move { insert_or_find(conn, request).await })).await
    /// ```
    pub async fn run<I, T, E, F>(&self, input: I, work: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<DbError> + AsDbError + Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>
            + Send
            + Sync
            + 'static,
    {
        self.spawn(Mode::Transaction, self.run_deadline, input, work)
            .await
    }

    /// Like `run`, for work that is **one statement**: it is a transaction of its own and needs no BEGIN and no COMMIT.
    /// Where its answer was lost it is sent again, so it too must be an insert-or-find or a guarded transition.
    pub async fn run_statement<I, T, E, F>(&self, input: I, work: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<DbError> + AsDbError + Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>
            + Send
            + Sync
            + 'static,
    {
        self.spawn(Mode::Statement, self.run_deadline, input, work)
            .await
    }

    /// Like `run`, without a transaction and with a shorter deadline: for statements that only look.
    pub async fn read<I, T, E, F>(&self, input: I, work: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<DbError> + AsDbError + Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>
            + Send
            + Sync
            + 'static,
    {
        self.spawn(Mode::Plain, self.read_deadline, input, work)
            .await
    }

    pub(crate) fn connect_options(&self) -> Arc<PgConnectOptions> {
        self.sessions.connect_options()
    }

    /// How many pieces of work are under way.
    pub fn in_flight(&self) -> usize {
        self.under_way.count()
    }

    /// Waits for the work under way, then closes all sessions. Later calls answer `Busy`.
    pub async fn close(&self) {
        self.under_way.idle().await;
        // A session that cannot be reached any more must not keep the process alive.
        if timeout(CLOSE_LIMIT, self.sessions.close()).await.is_err() {
            tracing::warn!("database sessions were still open when the pool was given up");
        }
    }

    async fn spawn<I, T, E, F>(
        &self,
        mode: Mode,
        deadline: Duration,
        input: I,
        work: F,
    ) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        E: From<DbError> + AsDbError + Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>
            + Send
            + Sync
            + 'static,
    {
        let (sessions, ticket) = (self.sessions.clone(), self.under_way.enter());
        let until = Instant::now() + deadline;
        let task = async move {
            let outcome = to_the_end(&sessions, mode, &input, &work, until).await;
            drop(ticket);
            outcome
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "waited for here, else by its ticket"
        )]
        let under_way = tokio::spawn(task.in_current_span());
        match timeout(deadline, under_way).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(stopped)) => match stopped.try_into_panic() {
                // The transaction is rolled back; the panic goes on where it would have without the task.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_runtime_is_ending) => Err(DbError::OutcomeUnknown.into()),
            },
            Err(_) => Err(DbError::Timeout.into()),
        }
    }
}

fn session_options(config: &DbConfig) -> Result<PgConnectOptions, DbError> {
    let options = server(&config.url)?;
    Ok(options.application_name(&config.application_name).options([
        ("timezone", "UTC"),
        ("statement_timeout", "3s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
    ]))
}

fn pool_options(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_LIMIT)
        .max_lifetime(lifetime())
        // sqlx's own test waits for ever on a half-open connection, and its permit is gone with it.
        .test_before_acquire(false)
        .before_acquire(|session, _| {
            Box::pin(async move {
                // An error, unlike `Ok(false)`, closes without a farewell that could hang as well.
                let ping = timeout(PING_LIMIT, session.ping()).await;
                ping.map_err(|_| no_answer())?.map(|()| true)
            })
        })
        .after_release(|session, _| Box::pin(async move { reset(session).await.map(|()| true) }))
}

/// Ends a transaction that a dropped future or a panic has left open, or fails, so that the session is closed. BEGIN
/// comes first because ROLLBACK alone would put a warning in the server's log on every clean release.
async fn reset(session: &mut PgConnection) -> Result<(), sqlx::Error> {
    let reset = session.execute(sqlx::raw_sql("BEGIN; ROLLBACK"));
    timeout(RESET_LIMIT, reset)
        .await
        .map_err(|_| no_answer())??;
    Ok(())
}

fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

/// 10 minutes, give or take one, so that services which started together do not reconnect together.
fn lifetime() -> Duration {
    let mut dice = [0; 1];
    SystemRandom.fill(&mut dice);
    Duration::from_millis(540_000 + 120_000 * u64::from(dice[0]) / 256)
}
