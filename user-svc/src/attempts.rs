//! Wrong passwords slow down the next one, for an account and for a network. Strangers must not shut an owner
//! out: where the owner has signed in before, only what was tried there counts.

use std::time::Duration as StdDuration;

use base::UserId;
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    app::App,
    domain::delay::{AT_HOME, Delay, ELSEWHERE, FORGOTTEN_AFTER, FROM_NETWORK, NETWORK_KNOWN_FOR},
    error::Error,
};

const PURPOSE: &str = "login-attempt";
const NETWORK_PURPOSE: &str = "known-network";

/// Somebody who is about to present a password, as they are counted.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    counts: Vec<Count>,
    network: [u8; 32],
}

#[derive(Clone, Debug)]
struct Count {
    subject: [u8; 32],
    delay: Delay,
}

struct Look {
    email_key: String,
    network: [u8; 32],
    since: OffsetDateTime,
}

/// Whoever wants to sign in to the account with this address, if there is one.
pub(crate) async fn of_anybody(
    app: &App,
    email_key: &str,
    network: &str,
) -> Result<Attempt, Error> {
    let count = |what: &str, delay: Delay| Count {
        subject: app.pepper.keyed_hash(PURPOSE, what.as_bytes()),
        delay,
    };
    let look = Look {
        email_key: email_key.to_owned(),
        network: known(app, network),
        since: app.sources.now() - NETWORK_KNOWN_FOR,
    };
    let hash = look.network;
    let at_home = app
        .db
        .read(look, |conn, look| Box::pin(is_known(conn, look)))
        .await?;
    let counts = if at_home {
        vec![count(&format!("home {email_key} {network}"), AT_HOME)]
    } else {
        let account = count(&format!("account {email_key}"), ELSEWHERE);
        vec![account, count(&format!("network {network}"), FROM_NETWORK)]
    };
    let attempt = Attempt {
        counts,
        network: hash,
    };
    check(app, attempt).await
}

/// Whoever has a token of the account and says that they know its password, too.
pub(crate) async fn of_owner(app: &App, id: UserId, network: &str) -> Result<Attempt, Error> {
    let what = format!("owner {id}");
    let attempt = Attempt {
        counts: vec![Count {
            subject: app.pepper.keyed_hash(PURPOSE, what.as_bytes()),
            delay: AT_HOME,
        }],
        network: known(app, network),
    };
    check(app, attempt).await
}

/// How a network is known to an account.
pub(crate) fn known(app: &App, network: &str) -> [u8; 32] {
    app.pepper.keyed_hash(NETWORK_PURPOSE, network.as_bytes())
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

/// Error::TooOften while one of the counts has to wait.
async fn check(app: &App, attempt: Attempt) -> Result<Attempt, Error> {
    let subjects: Vec<Vec<u8>> = attempt
        .counts
        .iter()
        .map(|count| count.subject.to_vec())
        .collect();
    let now = app.sources.now();
    let free_at = app
        .db
        .read(subjects, |conn, subjects| Box::pin(free_at(conn, subjects)))
        .await?;
    match free_at {
        Some(at) if at > now => {
            let rest = StdDuration::try_from(at - now).unwrap_or(StdDuration::ZERO);
            Err(Error::TooOften(rest.max(StdDuration::from_secs(1))))
        }
        _ => Ok(attempt),
    }
}

async fn free_at(
    conn: &mut PgConnection,
    subjects: &[Vec<u8>],
) -> Result<Option<OffsetDateTime>, Error> {
    let latest = sqlx::query_scalar!(
        "SELECT max(free_at) FROM failed_logins WHERE subject = ANY($1)",
        subjects,
    );
    Ok(latest.fetch_one(conn).await?)
}

/// The password was wrong.
pub(crate) async fn failed(app: &App, attempt: Attempt) -> Result<(), Error> {
    let now = app.sources.now();
    app.db
        .run((attempt, now), |conn, (attempt, now)| {
            Box::pin(count_up(conn, attempt, *now))
        })
        .await
}

async fn count_up(
    conn: &mut PgConnection,
    attempt: &Attempt,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let mut counts: Vec<&Count> = attempt.counts.iter().collect();
    // Two that fail at once wait for each other, and not in a circle.
    counts.sort_by_key(|count| count.subject);
    for count in counts {
        let failures = sqlx::query_scalar!(
            "INSERT INTO failed_logins AS f (subject, failures, last_at, free_at)
             VALUES ($1, 1, $2, $2)
             ON CONFLICT (subject) DO UPDATE SET last_at = $2,
                 failures = CASE WHEN f.last_at < $3 THEN 1 ELSE least(f.failures, 1000) + 1 END
             RETURNING failures",
            &count.subject[..],
            now,
            now - FORGOTTEN_AFTER,
        );
        let failures = failures.fetch_one(&mut *conn).await?;
        sqlx::query!(
            "UPDATE failed_logins SET free_at = $2 WHERE subject = $1",
            &count.subject[..],
            now + count.delay.after(failures),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// An owner's password was right: their mistakes are forgotten.
pub(crate) async fn forgive(app: &App, attempt: Attempt) -> Result<(), Error> {
    app.db
        .run(attempt, |conn, attempt| {
            Box::pin(async move { Ok(forget_own(conn, attempt).await?) })
        })
        .await
}

async fn forget_own(conn: &mut PgConnection, attempt: &Attempt) -> Result<(), DbError> {
    if let [own] = &attempt.counts[..] {
        sqlx::query!(
            "DELETE FROM failed_logins WHERE subject = $1",
            &own.subject[..]
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// The password was right, in the transaction of what it was asked for: the owner's own mistakes are
/// forgotten, and the network is known. What others have tried elsewhere stays counted.
pub(crate) async fn succeeded(
    conn: &mut PgConnection,
    attempt: &Attempt,
    (id, now): (UserId, OffsetDateTime),
) -> Result<(), DbError> {
    forget_own(conn, attempt).await?;
    know(conn, (id, &attempt.network), now).await
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
