//! One attempt at a piece of work, and how often to repeat it.

use crate::error::{AsDbError, DbError, is_session_end};
use crate::session::{Lent, Sessions};
use base::{Random as _, SystemRandom};
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{Connection as _, Transaction};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Retries after the first attempt.
const MAX_RETRIES: u32 = 3;
/// The server's own limits answer long before; these end a wait for a server that cannot be reached any more.
const WORK_LIMIT: Duration = Duration::from_secs(10);
const COMMIT_LIMIT: Duration = Duration::from_secs(4);
/// Nobody waits for an answer that long.
const READ_LIMIT: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Transaction,
    /// One statement that writes, and is a transaction of its own.
    Statement,
    Plain,
}

/// Why an attempt has no answer.
enum Stop<E> {
    /// There was no session to be had.
    NoSession(DbError),
    /// The work refused or failed, and is rolled back.
    Work(E),
    /// The session went silent before COMMIT, so the server will roll back.
    Silent,
    /// COMMIT was sent, or a statement that commits by itself; whether it arrived is not known.
    CommitUnknown,
}

/// Repeats the work on conflicts and broken sessions. After a lost COMMIT the next attempt is the question "did it
/// happen?": the work finds what it did, or does it now.
pub(crate) async fn to_the_end<I, T, E, F>(
    sessions: &Sessions,
    mode: Mode,
    input: &I,
    work: &F,
    until: Instant,
) -> Result<T, E>
where
    E: From<DbError> + AsDbError,
    F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>,
{
    let mut commit_unknown = false;
    for retry in 0..=MAX_RETRIES {
        if retry > 0 {
            back_off(retry).await;
            if Instant::now() >= until {
                break;
            }
        }
        match attempt(sessions, mode, input, work).await {
            Ok(answer) => return Ok(answer),
            Err(Stop::CommitUnknown) => commit_unknown = true,
            Err(Stop::NoSession(error)) if !commit_unknown => return Err(no_session(error).into()),
            Err(Stop::NoSession(_) | Stop::Silent) => {}
            Err(Stop::Work(error)) => match error.as_db_error() {
                Some(cause) if cause.is_transient() => {
                    tracing::debug!(%cause, retry, "database work is repeated");
                }
                Some(_) if commit_unknown => break,
                _ => return Err(error),
            },
        }
    }
    Err(if commit_unknown {
        DbError::OutcomeUnknown.into()
    } else {
        DbError::Busy.into()
    })
}

/// A session, or `Busy` where the database is full or cannot be reached.
pub(crate) async fn session(sessions: &Sessions) -> Result<Lent, DbError> {
    sessions.lend().await.map_err(no_session)
}

/// A server that ends a session while it begins is away, as one is that refuses it: nothing was done.
fn no_session(error: DbError) -> DbError {
    if !error.is_transient() {
        return error;
    }
    tracing::warn!(error = ?error, "no database session");
    DbError::Busy
}

async fn attempt<I, T, E, F>(
    sessions: &Sessions,
    mode: Mode,
    input: &I,
    work: &F,
) -> Result<T, Stop<E>>
where
    E: From<DbError> + AsDbError,
    F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>,
{
    let mut session = sessions.lend().await.map_err(Stop::NoSession)?;
    let outcome = match mode {
        Mode::Transaction => transaction(&mut session, input, work).await,
        Mode::Statement => statement(&mut session, input, work).await,
        Mode::Plain => match timeout(READ_LIMIT, work(&mut session, input)).await {
            Ok(answer) => answer.map_err(Stop::Work),
            Err(_) => Err(Stop::Silent),
        },
    };
    let sound = match &outcome {
        Ok(_) => true,
        Err(Stop::Work(error)) => !broke_the_session(error),
        Err(_) => false,
    };
    if sound {
        session.give_back();
    } else {
        session.discard();
    }
    outcome
}

fn broke_the_session<E: AsDbError>(error: &E) -> bool {
    error.as_db_error().is_some_and(DbError::is_session_lost)
}

async fn statement<I, T, E, F>(
    session: &mut PgConnection,
    input: &I,
    work: &F,
) -> Result<T, Stop<E>>
where
    E: From<DbError> + AsDbError,
    F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>,
{
    // The server ends a statement within three seconds, so this one is not heard of any more.
    match timeout(COMMIT_LIMIT, work(session, input)).await {
        Ok(Err(error)) if broke_the_session(&error) => Err(Stop::CommitUnknown),
        Ok(answer) => answer.map_err(Stop::Work),
        Err(_) => Err(Stop::CommitUnknown),
    }
}

async fn transaction<I, T, E, F>(
    session: &mut PgConnection,
    input: &I,
    work: &F,
) -> Result<T, Stop<E>>
where
    E: From<DbError>,
    F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Result<T, E>>,
{
    let done = timeout(WORK_LIMIT, async {
        let mut transaction = session.begin().await.map_err(DbError::from)?;
        match work(&mut transaction, input).await {
            Ok(answer) => {
                // Deferred rules speak now rather than in COMMIT. Where the work has swallowed a failed statement this
                // fails too; COMMIT alone would roll back and call it a success.
                sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE")
                    .execute(&mut *transaction)
                    .await
                    .map_err(DbError::from)?;
                Ok((transaction, answer))
            }
            Err(error) => {
                // If this fails the session is broken, and after_release closes it.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    });
    let (transaction, answer) = match done.await {
        Ok(outcome) => outcome.map_err(Stop::Work)?,
        Err(_) => return Err(Stop::Silent),
    };
    commit(transaction).await.map(|()| answer)
}

async fn commit<E: From<DbError>>(transaction: Transaction<'_, Postgres>) -> Result<(), Stop<E>> {
    match timeout(COMMIT_LIMIT, transaction.commit()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(sqlx::Error::Database(error))) if !is_session_end(error.as_ref()) => Err(
            Stop::Work(DbError::from(sqlx::Error::Database(error)).into()),
        ),
        Ok(Err(_)) | Err(_) => Err(Stop::CommitUnknown),
    }
}

/// 20, 40, 80 ms, each between half and one and a half of that, so that two that collided do not meet again.
async fn back_off(retry: u32) {
    let mut dice = [0; 1];
    SystemRandom.fill(&mut dice);
    let base_millis = 10u64 << retry;
    sleep(Duration::from_millis(
        base_millis / 2 + base_millis * u64::from(dice[0]) / 256,
    ))
    .await;
}
