//! How often mails and accounts may be asked for, for an address and from a network. Counted in the
//! database, so that every process counts the same; subjects are keyed hashes.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;

use crate::{app::App, error::Error};

const PURPOSE: &str = "account-limit";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// So often within a window, which begins with the first time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    bucket: &'static str,
    most: i32,
    window: Duration,
}

impl Limit {
    const fn new(bucket: &'static str, most: i32, window: Duration) -> Self {
        Self {
            bucket,
            most,
            window,
        }
    }
}

/// How long a link to choose another password works.
pub(crate) const RESET_LINK_TTL: Duration = Duration::from_secs(30 * 60);
/// Links to one address, whether it has an account or not: from one network, so that a stranger elsewhere
/// does not use up what its owner may ask for, and from all of them. The latter no longer than a link works:
/// whom strangers leave none has one of them in the mailbox that still does.
pub(crate) const RESETS_TO_ADDRESS: Limit = Limit::new("resets_to_address", 3, HOUR);
pub(crate) const RESETS_TO_ADDRESS_IN_ALL: Limit =
    Limit::new("resets_to_address_in_all", 6, RESET_LINK_TTL);
pub(crate) const RESETS_FROM_NETWORK: Limit = Limit::new("resets_from_network", 30, HOUR);
/// People who ask for an account. Where strangers use up what is left for all, a superadmin still invites.
pub(crate) const REQUESTS_FROM_NETWORK: Limit = Limit::new("requests_from_network", 5, HOUR);
pub(crate) const REQUESTS_IN_ALL: Limit = Limit::new("requests_in_all", 200, DAY);
/// Links that are tried, right or wrong: each right one costs a hash.
pub(crate) const LINKS_FROM_NETWORK: Limit = Limit::new("links_from_network", 60, HOUR);

/// Answers that must not tell by their time what was found take this long.
const ANSWER_TIME: Duration = Duration::from_millis(200);

/// Does work whose outcome is nobody's business but the mailbox's.
pub(crate) async fn evenly<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let answer_at = Instant::now() + ANSWER_TIME;
    let outcome = work.await;
    tokio::time::sleep_until(answer_at).await;
    outcome
}

struct Taking {
    limit: Limit,
    subject: [u8; 32],
}

struct Count {
    count: i32,
    rest_secs: f64,
}

/// Counts once more; committed whatever becomes of the call. Error::TooOften if that is too often.
pub(crate) async fn take(app: &App, limit: Limit, subject: &str) -> Result<(), Error> {
    let taking = Taking {
        limit,
        subject: app.pepper.keyed_hash(PURPOSE, subject.as_bytes()),
    };
    let count = app
        .db
        .run(taking, |tx, taking| Box::pin(count(tx, taking)))
        .await?;
    if count.count <= limit.most {
        return Ok(());
    }
    let rest = count.rest_secs.clamp(1.0, limit.window.as_secs_f64());
    Err(Error::TooOften(Duration::from_secs_f64(rest)))
}

async fn count(tx: &mut PgConnection, taking: &Taking) -> Result<Count, Error> {
    let count = sqlx::query_as!(
        Count,
        r#"INSERT INTO account_limits AS l (bucket, subject, window_start, count)
           VALUES ($1, $2, clock_timestamp(), 1)
           ON CONFLICT (bucket, subject) DO UPDATE SET
               count = CASE WHEN l.window_start <= clock_timestamp() - make_interval(secs => $3)
                       THEN 1 ELSE least(l.count, $4) + 1 END,
               window_start = CASE WHEN l.window_start <= clock_timestamp() - make_interval(secs => $3)
                       THEN clock_timestamp() ELSE l.window_start END
           RETURNING count, extract(epoch FROM window_start + make_interval(secs => $3)
               - clock_timestamp())::float8 AS "rest_secs!""#,
        taking.limit.bucket,
        &taking.subject[..],
        taking.limit.window.as_secs_f64(),
        taking.limit.most,
    );
    Ok(count.fetch_one(tx).await?)
}
