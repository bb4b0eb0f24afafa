//! Messages and mails.

use std::{
    sync::atomic::{AtomicI32, Ordering},
    time::Duration,
};

use proto::Peer;
use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use testkit::{FaultProxy, Smtp, eventually};

use crate::{
    harness::{BoxOffice, PATIENCE},
    watch::Watch,
};

/// Longer than the alert puts up with.
const SLOW_MAIL: Duration = Duration::from_millis(5_200);
const SLOW_MAILS: usize = 3;
/// In a minute.
const REFUSED: i32 = 4;
/// More than the alert is about.
const WAITING: i32 = 5_100;
/// So that the queue is seen to grow, longer than the alert waits.
const LOOKS: usize = 4;
const LATER: &str = "clock_timestamp() + interval '1 hour'";

/// A message is not confirmed, and its next try is far off. Needs an order whose receipt was sent.
pub async fn have_late_messages(office: &BoxOffice, watch: &Watch) {
    let payments = office.databases.payments.pool().await;
    eventually("all messages are confirmed", PATIENCE, async || {
        let open = "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&payments).await.unwrap();
        (open == 0).then_some(())
    })
    .await;
    watch
        .fires(&["OutboxOverdue"], async || {
            let late = "UPDATE outbox SET confirmed_at = NULL,
                     created_at = clock_timestamp() - interval '10 minutes',
                     next_attempt_at = clock_timestamp() + interval '1 hour'";
            payments.execute(late).await.unwrap();
            // It looks once a minute, and when it starts.
            restart(office, Peer::Payment).await;
            watch
                .until("outbox_oldest_open_seconds", |age| age > 120.0)
                .await;
        })
        .await;
}

/// They are slow, refused, not taken at all; and more and more of them wait.
pub async fn wait(office: &BoxOffice, watch: &Watch, (sink, wire): (&Smtp, &FaultProxy)) {
    are_slow(office, watch, sink).await;
    are_refused(office, watch, sink).await;
    pile_up(office, watch).await;
    are_not_taken(office, watch, wire).await;
}

async fn are_slow(office: &BoxOffice, watch: &Watch, sink: &Smtp) {
    let before = sink.messages().len();
    watch
        .fires(&["MailsSlow"], async || {
            sink.delay_next(SLOW_MAIL, SLOW_MAILS);
            // To several domains: few lines go to one that is slow.
            for number in 0..SLOW_MAILS {
                let so = format!("'queued', 1, 'guest@example{number}.org', clock_timestamp()");
                copies(office, 1, &so).await;
            }
            sink.wait_for(before + SLOW_MAILS, PATIENCE).await;
            until_sent(office).await;
        })
        .await;
}

async fn are_refused(office: &BoxOffice, watch: &Watch, sink: &Smtp) {
    sink.refuse_domain("example.org", 550);
    watch
        .fires(&["MailsRefused"], async || {
            let so = "'queued', 1, 'guest@example.org', clock_timestamp()";
            copies(office, REFUSED, so).await;
            until_sent(office).await;
        })
        .await;
    sink.heal_domain("example.org");
    // What is refused needs attention, which another drill is about.
    let gone = "DELETE FROM notifications WHERE status = 'failed'";
    let notifications = office.databases.notifications.pool().await;
    notifications.execute(gone).await.unwrap();
    restart(office, Peer::Notify).await;
}

/// A cancelled event tells thousands; one mail that somebody waits for is among them, one has failed, and a message
/// cannot be read.
async fn pile_up(office: &BoxOffice, watch: &Watch) {
    let alerts = [
        "MailsPileUp",
        "MailsOverdue",
        "MailsNeedAttention",
        "PoisonMessages",
    ];
    let nats = office.nats.client().await;
    watch
        .fires_while(&alerts, LOOKS, async |look| {
            if look == 0 {
                let subject = "boxoffice.event.unreadable";
                let unreadable = "not an envelope".into();
                nats.publish(subject, unreadable).await.unwrap();
                nats.flush().await.unwrap();
                let many = format!("'queued', 1, 'later@example.net', {LATER}");
                copies(office, WAITING, &many).await;
                let urgent = format!("'queued', 0, 'late@example.net', {LATER}");
                copies(office, 1, &urgent).await;
                let failed = format!("'failed', 1, 'gone@example.net', {LATER}");
                copies(office, 1, &failed).await;
                let notifications = office.databases.notifications.pool().await;
                until_one(&notifications, "SELECT count(*) FROM poison_messages").await;
            }
            let more = format!("'queued', 1, 'more@example.net', {LATER}");
            copies(office, 5, &more).await;
            // It looks every 15 seconds, and when it starts.
            restart(office, Peer::Notify).await;
            let count = f64::from(WAITING) + 5.0 * (look + 1) as f64;
            watch.until("mails_waiting", |mails| mails > count).await;
        })
        .await;
}

async fn are_not_taken(office: &BoxOffice, watch: &Watch, wire: &FaultProxy) {
    watch
        .fires(&["MailServerDown"], async || {
            wire.refuse(true);
            wire.reset_connected();
            let so = "'queued', 1, 'guest@example.org', clock_timestamp()";
            copies(office, 1, so).await;
            watch.until("mail_server_up", |up| up == 0.0).await;
        })
        .await;
}

/// Nothing is due any more.
async fn until_sent(office: &BoxOffice) {
    let notifications = office.databases.notifications.pool().await;
    eventually("mails to be dealt with", PATIENCE, async || {
        let due = "SELECT count(*) FROM notifications WHERE status IN ('queued', 'sending')";
        let due: i64 = sqlx::query_scalar(due)
            .fetch_one(&notifications)
            .await
            .unwrap();
        (due == 0).then_some(())
    })
    .await;
}

async fn until_one(pool: &PgPool, count: &'static str) {
    eventually(count, PATIENCE, async || {
        let count: i64 = sqlx::query_scalar(count).fetch_one(pool).await.unwrap();
        (count > 0).then_some(())
    })
    .await;
}

async fn restart(office: &BoxOffice, peer: Peer) {
    let mut mesh = office.mesh.lock().await;
    mesh.stop_member(peer).await.unwrap();
    Box::pin(mesh.start_member(peer)).await.unwrap();
}

/// More of a mail that has been, ten minutes old. `so` are status, priority, recipient and when it is due.
async fn copies(office: &BoxOffice, count: i32, so: &str) {
    static LAST: AtomicI32 = AtomicI32::new(100);
    let last = LAST.fetch_add(count, Ordering::Relaxed);
    let sql = format!(
        "INSERT INTO notifications (id, message_id, order_id, kind, channel, revision, content,
             created_at, event_id, copy, status, priority, recipient, next_attempt_at)
         SELECT gen_random_uuid(), message_id, order_id, kind, channel, revision, content,
             clock_timestamp() - interval '10 minutes', event_id, $1 + n, {so}
         FROM (SELECT message_id, order_id, kind, channel, revision, content, event_id
               FROM notifications WHERE kind = 'receipt' AND copy = 0 LIMIT 1) one,
             generate_series(1, $2) n"
    );
    let notifications = office.databases.notifications.pool().await;
    let sql = sqlx::query(AssertSqlSafe(sql)).bind(last).bind(count);
    sql.execute(&notifications).await.unwrap();
}
