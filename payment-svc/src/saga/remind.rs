//! A guest is reminded of an event, once per date, with the tickets that are still theirs: whoever has the others is
//! reminded of them (`remind_holders`).

use base::OrderId;
use proto::{
    event::{OrderReminder, envelope::Payload},
    ticket::TicketStatus,
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    announce::Announcement,
    news::{News, event_is_cancelled, tickets_left},
    send_back::order_status,
};
use crate::{
    app::App,
    error::Error,
    store::{self, OrderRow},
    transfers::{self, TransferRow, holders},
    view,
};

/// Tells of an event at `date_time`, unless that is not the order's date any more, no tickets for it are the
/// guest's, or they want none or were reminded of it before.
pub(crate) async fn remind(
    app: &App,
    order: OrderId,
    date_time: OffsetDateTime,
) -> Result<(), Error> {
    let (row, _) = store::load(app, order).await?;
    let reminding = Reminding {
        order,
        date_time,
        announcement: Announcement::about(app, &row),
        kept: Kept::of(app, &row).await?,
    };
    let tell = app
        .db
        .run(reminding, |tx, reminding| Box::pin(tell(tx, reminding)));
    tell.await
}

struct Reminding {
    order: OrderId,
    date_time: OffsetDateTime,
    announcement: Announcement,
    kept: Kept,
}

/// What a guest has left of tickets that they handed on.
struct Kept {
    /// As they were when it was counted.
    transfers: Vec<TransferRow>,
    /// None where no ticket went to anybody: then all that are left are the guest's.
    tickets: Option<u32>,
}

impl Kept {
    async fn of(app: &App, order: &OrderRow) -> Result<Self, Error> {
        let read = app.db.read(order.order_id(), |conn, id| {
            Box::pin(async move { Ok::<_, Error>(transfers::of_order(conn, *id).await?) })
        });
        let transfers = read.await?;
        let holders = holders(transfers.clone());
        if holders.is_empty() {
            let tickets = None;
            return Ok(Self { transfers, tickets });
        }
        let tickets = view::tickets(app, order.order_id()).await?;
        let email = order.email.to_lowercase();
        // Back at the address of the order it is its guest's again, and nobody else is reminded of it.
        let is_theirs =
            |one: &TransferRow| !one.is_requested() && one.email.to_lowercase() == email;
        let kept = tickets.iter().filter(|ticket| {
            let mut of_it = holders.iter();
            let holder = of_it.find(|one| one.ticket_id.to_string() == ticket.id);
            ticket.status() == TicketStatus::Valid && holder.is_none_or(is_theirs)
        });
        let tickets = u32::try_from(kept.count()).ok();
        Ok(Self { transfers, tickets })
    }
}

async fn tell(tx: &mut PgConnection, reminding: &Reminding) -> Result<(), Error> {
    let (order, date_time, kept) = (reminding.order, reminding.date_time, &reminding.kept);
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
    if transfers::of_order(tx, order).await? != kept.transfers {
        return Err(Error::Broken(
            "a ticket was handed on while its guest was being reminded",
        ));
    }
    let left = tickets_left(tx, order).await?;
    let tickets = kept.tickets.unwrap_or(left).min(left);
    if tickets == 0 {
        return Ok(());
    }
    let news = News::Reminder(date_time);
    let told = reminding.announcement.of_news(tx, news, |order, number| {
        Payload::OrderReminder(OrderReminder {
            order: Some(order),
            number,
            tickets,
        })
    });
    told.await
}
