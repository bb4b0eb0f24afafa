//! A guest is reminded of an event, once per date.

use base::OrderId;
use proto::event::{OrderReminder, envelope::Payload};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    announce::Announcement,
    news::{News, event_is_cancelled, tickets_left},
    send_back::order_status,
};
use crate::{app::App, error::Error};

/// Tells of an event at `date_time`, unless that is not the order's date any more, there are no tickets
/// for it, or the guest wants none or was reminded of it before.
pub(crate) async fn remind(
    app: &App,
    order: OrderId,
    date_time: OffsetDateTime,
) -> Result<(), Error> {
    let announcement = Announcement::of(app, order).await?;
    let input = (order, date_time, announcement);
    let tell = app.db.run(input, |tx, (order, date_time, announcement)| {
        Box::pin(tell(tx, *order, *date_time, announcement))
    });
    tell.await
}

async fn tell(
    tx: &mut PgConnection,
    order: OrderId,
    date_time: OffsetDateTime,
    announcement: &Announcement,
) -> Result<(), Error> {
    let status = order_status(tx, order).await?;
    let wanted = sqlx::query_scalar!(
        r#"SELECT reminder AND event_date_time = $2 AS "wanted!" FROM orders
           WHERE id = $1 AND event_date_time IS NOT NULL"#,
        order.uuid(),
        date_time,
    );
    let wanted = wanted.fetch_optional(&mut *tx).await?.unwrap_or(false);
    if !wanted || !status.has_tickets() || event_is_cancelled(tx, order).await? {
        return Ok(());
    }
    let tickets = tickets_left(tx, order).await?;
    if tickets == 0 {
        return Ok(());
    }
    let told = announcement.of_news(tx, News::Reminder(date_time), |order, number| {
        Payload::OrderReminder(OrderReminder {
            order: Some(order),
            number,
            tickets,
        })
    });
    told.await
}
