//! What must be true of a box office that has come to rest: the doctor finds nothing, and the guests
//! got one mail each.

use std::time::Duration;

use boxoffice::doctor::{self, Options, Report};
use std::{collections::BTreeSet, sync::atomic::Ordering};

use sqlx::{PgPool, Row as _};
use testkit::{Message, eventually};

use crate::harness::BoxOffice;

/// Rows that mean work under way.
const TICKETS_AT_WORK: &str = "
    SELECT 'hold ' || id || ' is ' || status FROM holds
    WHERE status = 'active' AND expires_at < clock_timestamp()
       OR status = 'paying' AND paying_until < clock_timestamp()";
const PAYMENTS_AT_WORK: &str = "
    SELECT 'order ' || id || ' is ' || status FROM orders
    WHERE status = 'paid'
       OR status = 'awaiting_payment' AND pay_by < clock_timestamp()
       OR status IN ('expired', 'cancelled') AND stock_released_at IS NULL
       OR status = 'unfulfillable' AND total_amount_minor > 0
    UNION ALL SELECT 'refund ' || id || ' is ' || status FROM refunds
    WHERE status IN ('requested', 'submitted', 'failed')
    UNION ALL SELECT 'cancelled event ' || event_id FROM event_cancellations WHERE finished_at IS NULL
    UNION ALL SELECT 'outbox row ' || id FROM outbox WHERE confirmed_at IS NULL
    UNION ALL SELECT 'provider event ' || event_id FROM provider_events WHERE state = 'received'
    UNION ALL SELECT 'delivery ' || event_id FROM sandbox.deliveries
    WHERE delivered_at IS NULL AND lost_at IS NULL";
const NOTIFICATIONS_AT_WORK: &str = "SELECT 'notification ' || id || ' is ' || status FROM notifications WHERE status NOT IN ('sent', 'erased')";

/// A drill leaves thousands of mails to send.
const REST_PATIENCE: Duration = Duration::from_secs(600);

/// Nothing is under way any more, so nothing is given time to settle.
pub const AT_REST: Options = Options {
    settle: Duration::ZERO,
    statement_timeout: Duration::from_secs(20),
};

/// Waits until no work is left, then checks every rule.
pub async fn check(office: &BoxOffice) {
    let databases = &office.databases;
    let notifications = databases.notifications.pool().await;
    at_rest(&databases.tickets.pool().await, TICKETS_AT_WORK).await;
    at_rest(&databases.payments.pool().await, PAYMENTS_AT_WORK).await;
    at_rest(&notifications, NOTIFICATIONS_AT_WORK).await;

    let report = examine(office).await;
    assert!(report.is_healthy(), "{report}");
    assert!(report.attention.is_empty(), "{report}");

    let notices: i64 = sqlx::query("SELECT count(*) FROM notifications")
        .fetch_one(&notifications)
        .await
        .unwrap()
        .get(0);
    let mails = office.smtp.messages();
    let ids: BTreeSet<&str> = mails.iter().map(message_id).collect();
    assert_eq!(ids.len() as i64, notices, "a mail per notification");
    let repeated = office.repeated_mails.load(Ordering::SeqCst);
    assert!(mails.len() <= ids.len() + repeated, "a mail came twice");
}

/// The doctor's report on a box office at rest.
pub async fn examine(office: &BoxOffice) -> Report {
    doctor::examine(&office.databases.urls(), AT_REST)
        .await
        .unwrap()
}

/// By this a mailbox recognises a mail that came before.
fn message_id(mail: &Message) -> &str {
    let header = mail
        .data
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: "));
    header.expect("a mail has a Message-ID")
}

async fn at_rest(pool: &PgPool, at_work: &'static str) {
    eventually("all work to be done", REST_PATIENCE, async || {
        let rows = sqlx::query(at_work).fetch_all(pool).await.unwrap();
        let left: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if !left.is_empty() {
            println!("{} still at work, first {}", left.len(), left[0]);
        }
        left.is_empty().then_some(())
    })
    .await;
}
