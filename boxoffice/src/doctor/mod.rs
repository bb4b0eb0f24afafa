//! What must be true of every box office, asked of its four databases. It only looks.
//!
//! Each database is read in one snapshot. The snapshots are taken effects first (notifications,
//! tickets, payments), so an effect without its cause is wrong at once, on a busy box office too. A
//! cause without its effect may still be under way: it is wrong when it is older than the time that
//! things have to settle.

mod command;
mod locate;
mod messages;
mod money;
mod notifications;
mod orders;
mod payments;
mod record;
mod report;
mod rule;
mod sandbox;
mod session;
mod sessions;
mod stream;
mod tickets;
mod users;

use std::time::Duration;

use anyhow::Context as _;
use sqlx::{Connection as _, PgConnection};

pub use command::{Arguments, doctor};
use report::Verdict;
pub use report::{Broken, Checked, Report};
pub use session::open_session;

use crate::Databases;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is younger may be work under way, and is no finding. Zero for a box office at rest.
    pub settle: Duration,
    /// For each statement; a check that is cut off here has no result.
    pub statement_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(60),
            statement_timeout: Duration::from_secs(120),
        }
    }
}

/// Checks every rule.
///
/// # Errors
/// When a database cannot be reached, lacks migrations, or does not answer in time. A broken rule is
/// no error.
pub async fn examine(databases: &Databases, options: Options) -> anyhow::Result<Report> {
    let limit = options.statement_timeout;
    // Effects before causes; see above.
    let snapshots = Box::pin(async {
        anyhow::Ok(Snapshots {
            notifications: session::snapshot(
                ("notifications", &databases.notifications),
                &notify_svc::MIGRATOR,
                limit,
            )
            .await?,
            tickets: session::snapshot(
                ("tickets", &databases.tickets),
                &ticket_svc::MIGRATOR,
                limit,
            )
            .await?,
            payments: session::snapshot(
                ("payments", &databases.payments),
                &payment_svc::MIGRATOR,
                limit,
            )
            .await?,
            users: session::snapshot(("users", &databases.users), &user_svc::MIGRATOR, limit)
                .await?,
        })
    });
    let mut snapshots = snapshots.await?;
    let mut report = Report::new(options.settle);
    check_each(&mut snapshots, &mut report).await?;
    orders::check(&mut snapshots, &mut report)
        .await
        .context("comparing orders")?;
    messages::check(&mut snapshots, &mut report)
        .await
        .context("comparing messages")?;
    snapshots.close().await;
    Ok(report)
}

/// Name and sentence of every rule.
pub fn rules() -> Vec<(&'static str, &'static str)> {
    let lists = [
        tickets::RULES,
        payments::RULES,
        money::RULES,
        sandbox::RULES,
        notifications::RULES,
        users::RULES,
        record::RULES,
        sessions::RULES,
    ];
    let of_one_database = lists
        .into_iter()
        .flatten()
        .map(|rule| (rule.name, rule.says));
    of_one_database
        .chain(orders::rules())
        .chain([(messages::NAME, messages::SAYS)])
        .collect()
}

/// One session per database, each in its snapshot.
struct Snapshots {
    notifications: PgConnection,
    tickets: PgConnection,
    payments: PgConnection,
    users: PgConnection,
}

impl Snapshots {
    /// Nothing was written, so nothing can be lost by a failure here.
    async fn close(self) {
        for session in [self.notifications, self.tickets, self.payments, self.users] {
            let _ = session.close().await;
        }
    }
}

async fn check_each(snapshots: &mut Snapshots, report: &mut Report) -> anyhow::Result<()> {
    let Snapshots {
        notifications,
        tickets,
        payments,
        users,
    } = snapshots;
    rule::check_all(tickets, "tickets", tickets::RULES, report).await?;
    rule::check_all(payments, "payments", payments::RULES, report).await?;
    rule::check_all(payments, "payments", money::RULES, report).await?;
    if sandbox::is_there(payments).await? {
        rule::check_all(payments, "payments", sandbox::RULES, report).await?;
    }
    rule::check_all(notifications, "notifications", notifications::RULES, report).await?;
    rule::check_all(users, "users", users::RULES, report).await?;
    let all = [
        ("tickets", tickets),
        ("payments", payments),
        ("notifications", notifications),
        ("users", users),
    ];
    for (database, session) in all {
        rule::check_all(session, database, record::RULES, report).await?;
        rule::check_all(session, database, sessions::RULES, report).await?;
    }
    Ok(())
}
