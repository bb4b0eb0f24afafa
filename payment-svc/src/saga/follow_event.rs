//! An order follows its event. Whose tickets are for another date is told, in the transaction that
//! gives the order the new one: each date is told once, and none is skipped.

use base::OrderId;
use proto::event::{OrderPostponed, envelope::Payload};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    announce::Announcement,
    facts::EventNow,
    holder_news::HolderNews,
    news::{News, event_is_cancelled, tickets_left},
    send_back::order_status,
};
use crate::{
    app::App,
    domain::timeline::EVENT_POSTPONED,
    error::Error,
    store::{self, By},
};

/// What an event is now.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub event: EventNow,
    /// What the organiser says; may be empty.
    pub explanation: String,
}

struct Following {
    order: OrderId,
    moved: Moved,
    now: OffsetDateTime,
    /// By the rule of the event, which moves with it; none where there is no time left.
    cancel_until: Option<OffsetDateTime>,
    announcement: Announcement,
    by: By,
}

/// Nothing happens to an order that knows the event as it is now, or as it became since.
pub(crate) async fn follow_event(
    app: &App,
    order: OrderId,
    moved: &Moved,
    by: By,
) -> Result<(), Error> {
    let (mut row, _) = store::load(app, order).await?;
    moved.event.put_on(&mut row);
    let (now, rule) = (app.sources.now(), row.cancellation_rule());
    let until = rule.map(|rule| rule.until(moved.event.date_time));
    let following = Following {
        order,
        moved: moved.clone(),
        now,
        cancel_until: until.filter(|until| *until > now),
        announcement: Announcement::about(app, &row),
        by,
    };
    let follow = app
        .db
        .run(following, |tx, following| Box::pin(follow(tx, following)));
    follow.await?;
    app.nudges.outbox.notify_one();
    Ok(())
}

async fn follow(tx: &mut PgConnection, following: &Following) -> Result<(), Error> {
    let (order, event) = (following.order, &following.moved.event);
    let status = order_status(tx, order).await?;
    let known = sqlx::query!(
        r#"SELECT event_version, event_date_time AS "date_time!" FROM orders
           WHERE id = $1 AND event_date_time IS NOT NULL"#,
        order.uuid(),
    );
    let Some(known) = known.fetch_optional(&mut *tx).await? else {
        return Ok(());
    };
    if known.event_version >= event.version {
        return Ok(());
    }
    event.store(tx, order).await?;
    if known.date_time == event.date_time {
        return Ok(());
    }
    store::note(tx, order, status, &following.by, EVENT_POSTPONED).await?;
    let concerned = status.has_tickets() && event.date_time > following.now;
    if !concerned || event_is_cancelled(tx, order).await? || tickets_left(tx, order).await? == 0 {
        return Ok(());
    }
    let previous_date_time = Some(proto::timestamp(known.date_time));
    let explanation = following.moved.explanation.clone();
    let announcement = &following.announcement;
    let news = HolderNews::Postponed {
        previous: known.date_time,
        explanation: &explanation,
    };
    announcement.to_holders(tx, news).await?;
    let told = announcement.of_news(tx, News::Postponed, |order, number| {
        Payload::OrderPostponed(OrderPostponed {
            order: Some(order),
            number,
            previous_date_time,
            explanation,
            cancel_until: following.cancel_until.map(proto::timestamp),
        })
    });
    told.await
}
