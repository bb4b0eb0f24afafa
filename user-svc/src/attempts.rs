//! Wrong passwords and codes slow down the next one, for an account and for a network. Strangers must not shut
//! an owner out: where the owner has signed in before, only what was tried there counts.
//!
//! An attempt is counted before the password is looked at, so that of many at once only those that are free get
//! that far. What was right, or failed for a reason of ours, is given back.

use std::time::Duration as StdDuration;

use base::UserId;
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::delay::{
        AT_HOME, CODES, Delay, ELSEWHERE, FORGOTTEN_AFTER, FROM_NETWORK, NETWORK_KNOWN_FOR,
    },
    error::Error,
};

const PURPOSE: &str = "login-attempt";
const NETWORK_PURPOSE: &str = "known-network";

/// The least that anybody is told to wait. Gateways remember for so long whom they told, and do not ask again.
const LEAST_WAIT: StdDuration = StdDuration::from_secs(1);

/// An attempt that is counted already.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    taken: Vec<Taken>,
    at: OffsetDateTime,
    /// What only the owner can have done is forgotten when they get it right.
    of_owner: bool,
}

#[derive(Clone, Debug)]
struct Taken {
    subject: [u8; 32],
    /// Since this attempt; until another one comes.
    free_at: OffsetDateTime,
}

struct Count {
    subject: [u8; 32],
    waits: Vec<f64>,
}

struct Taking {
    id: Uuid,
    counts: Vec<Count>,
    now: OffsetDateTime,
}

struct Look {
    email_key: String,
    network: [u8; 32],
    since: OffsetDateTime,
}

/// An attempt at the account with this address, if there is one. Error::TooOften while they have to wait.
pub(crate) async fn of_anybody(
    app: &App,
    email_key: &str,
    network: &str,
) -> Result<Attempt, Error> {
    let look = Look {
        email_key: email_key.to_owned(),
        network: known(app, network),
        since: app.sources.now() - NETWORK_KNOWN_FOR,
    };
    let at_home = app
        .db
        .read(look, |conn, look| Box::pin(is_known(conn, look)))
        .await?;
    if at_home {
        let own = count(app, &format!("home {email_key} {network}"), AT_HOME);
        return take(app, vec![own], true).await;
    }
    let account = count(app, &format!("account {email_key}"), ELSEWHERE);
    let network = count(app, &format!("network {network}"), FROM_NETWORK);
    take(app, vec![account, network], false).await
}

/// Whoever has a token of the account and says that they know its password, too.
pub(crate) async fn of_owner(app: &App, id: UserId) -> Result<Attempt, Error> {
    take(app, vec![count(app, &format!("owner {id}"), AT_HOME)], true).await
}

/// Whoever knows the account's password and presents a code of its second factor, from wherever.
pub(crate) async fn of_code(app: &App, id: UserId) -> Result<Attempt, Error> {
    take(app, vec![count(app, &format!("code {id}"), CODES)], true).await
}

/// How a network is known to an account.
pub(crate) fn known(app: &App, network: &str) -> [u8; 32] {
    app.pepper.keyed_hash(NETWORK_PURPOSE, network.as_bytes())
}

fn count(app: &App, what: &str, delay: Delay) -> Count {
    Count {
        subject: app.pepper.keyed_hash(PURPOSE, what.as_bytes()),
        waits: delay.waits(),
    }
}

async fn is_known(conn: &mut PgConnection, look: &Look) -> Result<bool, Error> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM known_networks k JOIN users u ON u.id = k.user_id
               WHERE u.email_key = $1 AND k.network = $2 AND k.seen_at > $3) AS "known!""#,
        look.email_key,
        &look.network[..],
        look.since,
    );
    Ok(known.fetch_one(conn).await?)
}

async fn take(app: &App, mut counts: Vec<Count>, of_owner: bool) -> Result<Attempt, Error> {
    // Two that are made at once wait for each other, and not in a circle.
    counts.sort_by_key(|count| count.subject);
    let now = app.sources.now();
    let taking = Taking {
        id: app.sources.uuid_v7(),
        counts,
        now,
    };
    let taken = app
        .db
        .run(taking, |conn, taking| Box::pin(take_all(conn, taking)))
        .await?;
    Ok(Attempt {
        taken,
        at: now,
        of_owner,
    })
}

/// All or none: where one of the counts has to wait, nothing is counted.
async fn take_all(conn: &mut PgConnection, taking: &Taking) -> Result<Vec<Taken>, Error> {
    let mut taken = Vec::with_capacity(taking.counts.len());
    for count in &taking.counts {
        let free_at = take_one(conn, taking, count).await?;
        taken.push(Taken {
            subject: count.subject,
            free_at,
        });
    }
    Ok(taken)
}

/// Whether it is free and that it is taken is one statement: of two attempts the later one sees the other.
async fn take_one(
    conn: &mut PgConnection,
    taking: &Taking,
    count: &Count,
) -> Result<OffsetDateTime, Error> {
    let free_at = sqlx::query_scalar!(
        "INSERT INTO failed_logins AS f (subject, failures, last_at, free_at, last_attempt)
         VALUES ($1, 1, $2::timestamptz, $2::timestamptz + make_interval(secs => ($4::float8[])[1]), $5)
         ON CONFLICT (subject) DO UPDATE SET last_at = $2, last_attempt = $5,
             failures = CASE WHEN f.last_at < $3 THEN 1 ELSE least(f.failures, 1000) + 1 END,
             free_at = $2::timestamptz + make_interval(secs => ($4::float8[])[
                 CASE WHEN f.last_at < $3 THEN 1
                      ELSE least(f.failures + 1, cardinality($4::float8[])) END])
         WHERE f.free_at <= $2 AND f.last_attempt IS DISTINCT FROM $5
         RETURNING free_at",
        &count.subject[..],
        taking.now,
        taking.now - FORGOTTEN_AFTER,
        &count.waits,
        taking.id,
    );
    match free_at.fetch_optional(&mut *conn).await? {
        Some(free_at) => Ok(free_at),
        None => taken_before(conn, taking, count).await,
    }
}

/// The row is locked by the statement that left it alone, so it is there.
async fn taken_before(
    conn: &mut PgConnection,
    taking: &Taking,
    count: &Count,
) -> Result<OffsetDateTime, Error> {
    let row = sqlx::query!(
        "SELECT free_at, last_attempt FROM failed_logins WHERE subject = $1",
        &count.subject[..],
    )
    .fetch_one(conn)
    .await?;
    if row.last_attempt == Some(taking.id) {
        // By this very call, whose answer was lost.
        return Ok(row.free_at);
    }
    let rest = StdDuration::try_from(row.free_at - taking.now).unwrap_or(StdDuration::ZERO);
    Err(Error::TooOften(rest.max(LEAST_WAIT)))
}

/// The attempt failed by no mistake of whoever made it. Where it cannot be given back it stays counted, which
/// is the safe side.
pub(crate) async fn withdraw(app: &App, attempt: Attempt) {
    let given_back = app.db.run(attempt, |conn, attempt| {
        Box::pin(async move { Ok::<(), Error>(give_back(conn, attempt).await?) })
    });
    if let Err(error) = given_back.await {
        tracing::warn!(%error, "an attempt to sign in stays counted");
    }
}

/// What the attempt was made with is right, and nothing else is to be done.
pub(crate) async fn forgive(app: &App, attempt: Attempt) -> Result<(), Error> {
    app.db
        .run(attempt, |conn, attempt| {
            Box::pin(async move { Ok(succeeded(conn, attempt).await?) })
        })
        .await
}

/// What the attempt was made with is right, in the transaction of what it was for: the owner's own mistakes are
/// forgotten. What others have tried elsewhere stays counted.
pub(crate) async fn succeeded(conn: &mut PgConnection, attempt: &Attempt) -> Result<(), DbError> {
    if !attempt.of_owner {
        return give_back(conn, attempt).await;
    }
    for taken in &attempt.taken {
        sqlx::query!(
            "DELETE FROM failed_logins WHERE subject = $1",
            &taken.subject[..]
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// As if it had not been made. Where the answer of a COMMIT is lost it may be given back twice: one more is free
/// then.
async fn give_back(conn: &mut PgConnection, attempt: &Attempt) -> Result<(), DbError> {
    for taken in &attempt.taken {
        let counted_down = sqlx::query!(
            "UPDATE failed_logins SET failures = failures - 1,
                 free_at = CASE WHEN free_at = $2 THEN $3 ELSE free_at END
             WHERE subject = $1 AND failures > 1",
            &taken.subject[..],
            taken.free_at,
            attempt.at,
        )
        .execute(&mut *conn)
        .await?;
        if counted_down.rows_affected() == 0 {
            sqlx::query!(
                "DELETE FROM failed_logins WHERE subject = $1 AND failures <= 1",
                &taken.subject[..],
            )
            .execute(&mut *conn)
            .await?;
        }
    }
    Ok(())
}

/// Somebody has proven from this network that the account is theirs.
pub(crate) async fn know(
    conn: &mut PgConnection,
    (id, network): (UserId, &[u8; 32]),
    now: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO known_networks (user_id, network, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, network) DO UPDATE SET seen_at = excluded.seen_at",
        id.uuid(),
        &network[..],
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
