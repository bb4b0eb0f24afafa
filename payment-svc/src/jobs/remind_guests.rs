//! Reminds guests of events that begin soon. What was sent is a row beside the message, so a round may
//! stop anywhere and begin anew.

use std::sync::Arc;

use base::Zone;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::reminder_time::{MOVED_AT_MOST, is_night, reminder_time},
    error::Error,
    saga,
};

const PAGE_ROWS: i64 = 200;

/// An event that somebody has tickets of, at the time and in the zone they know.
#[derive(Clone)]
struct Soon {
    event: Uuid,
    date_time: OffsetDateTime,
    zone: String,
}

/// What is due now: everybody who paid before `due`.
#[derive(Clone)]
struct Due {
    soon: Soon,
    due: OffsetDateTime,
}

pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    if app.reminder_before.is_zero() {
        return Ok(false);
    }
    let now = app.sources.now();
    for soon in soon(&app, now).await? {
        if let Some(due) = due(&app, soon, now) {
            super::resume("remind guests", None, remind_all(&app, &due)).await?;
            super::resume("remind holders", None, remind_holders(&app, &due)).await?;
        }
    }
    Ok(false)
}

async fn soon(app: &App, now: OffsetDateTime) -> Result<Vec<Soon>, Error> {
    let until = now + app.reminder_before + MOVED_AT_MOST;
    let read = app.db.read((now, until), |conn, (now, until)| {
        Box::pin(async move {
            let soon = sqlx::query_as!(
                Soon,
                r#"SELECT DISTINCT event_id AS "event!", event_date_time AS "date_time!",
                       event_timezone AS "zone!"
                   FROM orders
                   WHERE status IN ('fulfilled', 'partially_refunded')
                     AND event_date_time > $1 AND event_date_time <= $2"#,
                now,
                until,
            );
            Ok::<_, Error>(soon.fetch_all(conn).await?)
        })
    });
    read.await
}

/// Where the evening before was missed, nobody is woken for it: it waits for the morning.
fn due(app: &App, soon: Soon, now: OffsetDateTime) -> Option<Due> {
    let zone: Zone = soon.zone.parse().or_else(|_| "UTC".parse()).ok()?;
    let due = reminder_time(soon.date_time, &zone, app.reminder_before);
    (due <= now && !is_night(now, &zone)).then_some(Due { soon, due })
}

async fn remind_all(app: &App, due: &Due) -> Result<(), Error> {
    let mut after = Uuid::nil();
    loop {
        let page = page(app, due, after).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = *last;
        for order in page {
            // One order that cannot go on holds up none of the others; the next round finds it.
            if let Err(error) = saga::remind(app, order.into(), due.soon.date_time).await {
                tracing::warn!(%order, %error, "guest not reminded yet");
            }
        }
        app.nudges.outbox.notify_one();
    }
}

/// Who had paid, and heard of the date, before it was time: for others the news is the reminder.
async fn page(app: &App, due: &Due, after: Uuid) -> Result<Vec<Uuid>, Error> {
    let read = app.db.read((due.clone(), after), |conn, (due, after)| {
        Box::pin(read_page(conn, due, *after))
    });
    read.await
}

async fn read_page(conn: &mut PgConnection, due: &Due, after: Uuid) -> Result<Vec<Uuid>, Error> {
    let orders = sqlx::query_scalar!(
        "SELECT o.id FROM orders o
         WHERE o.event_id = $1 AND o.event_date_time = $2 AND o.event_timezone = $6 AND o.id > $4
           AND o.status IN ('fulfilled', 'partially_refunded') AND o.paid_at < $3
           AND o.reminder AND o.notices
           AND NOT EXISTS (SELECT FROM order_news n
                           WHERE n.order_id = o.id AND (n.kind, n.about) = ('reminder', $2)
                              OR n.order_id = o.id AND n.kind = 'postponed' AND n.at >= $3)
           AND NOT EXISTS (SELECT FROM event_cancellations c WHERE c.event_id = $1)
           AND NOT EXISTS (SELECT FROM event_moves m
                           WHERE m.event_id = $1 AND m.version > o.event_version AND m.date_time <> $2)
           AND EXISTS (SELECT FROM order_lines l
                       WHERE l.order_id = o.id AND l.quantity > l.refunded_quantity)
         ORDER BY o.id LIMIT $5",
        due.soon.event,
        due.soon.date_time,
        due.due,
        after,
        PAGE_ROWS,
        due.soon.zone,
    );
    Ok(orders.fetch_all(conn).await?)
}

/// Orders of which others have tickets, and have had them since before it was time.
async fn remind_holders(app: &App, due: &Due) -> Result<(), Error> {
    let mut after = Uuid::nil();
    loop {
        let page = app.db.read((due.clone(), after), |conn, (due, after)| {
            Box::pin(read_handed_on(conn, due, *after))
        });
        let page = page.await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = *last;
        for order in page {
            let of = (due.soon.date_time, due.due);
            if let Err(error) = saga::remind_holders(app, order.into(), of).await {
                tracing::warn!(%order, %error, "holders of tickets not reminded yet");
            }
        }
    }
}

async fn read_handed_on(
    conn: &mut PgConnection,
    due: &Due,
    after: Uuid,
) -> Result<Vec<Uuid>, Error> {
    let orders = sqlx::query_scalar!(
        "SELECT o.id FROM orders o
         WHERE o.event_id = $1 AND o.event_date_time = $2 AND o.event_timezone = $6 AND o.id > $4
           AND o.status IN ('fulfilled', 'partially_refunded')
           AND EXISTS (SELECT FROM ticket_transfers t
                       WHERE t.order_id = o.id AND t.status = 'done' AND t.ended_at < $3)
           AND NOT EXISTS (SELECT FROM holder_news n
                           WHERE n.order_id = o.id AND (n.kind, n.date_time) = ('reminder', $2)
                              OR n.order_id = o.id AND n.kind = 'postponed' AND n.created_at >= $3)
           AND NOT EXISTS (SELECT FROM event_cancellations c WHERE c.event_id = $1)
           AND NOT EXISTS (SELECT FROM event_moves m
                           WHERE m.event_id = $1 AND m.version > o.event_version AND m.date_time <> $2)
         ORDER BY o.id LIMIT $5",
        due.soon.event,
        due.soon.date_time,
        due.due,
        after,
        PAGE_ROWS,
        due.soon.zone,
    );
    Ok(orders.fetch_all(conn).await?)
}
