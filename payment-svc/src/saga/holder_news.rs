//! Tickets of an order are with others: they hear what becomes of the event, too. That there is news is a row of
//! the transaction in which the order comes to know it; who they are is asked afterwards (`tell_holders`).

use base::{MessageId, OrderId};
use kit::CallContext;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{news::event_is_cancelled, send_back::order_status};
use crate::{app::App, error::Error};

/// What there is to tell, of the event as the order knows it.
#[derive(Clone, Copy, Debug)]
pub(super) enum HolderNews<'a> {
    Postponed {
        previous: OffsetDateTime,
        explanation: &'a str,
    },
    Cancelled {
        explanation: &'a str,
    },
    /// For who had the ticket when it was time for a reminder; to others the ticket itself is one.
    Reminder {
        due: OffsetDateTime,
    },
}

impl<'a> HolderNews<'a> {
    const fn word(self) -> &'static str {
        match self {
            Self::Postponed { .. } => "postponed",
            Self::Cancelled { .. } => "cancelled",
            Self::Reminder { .. } => "reminder",
        }
    }

    const fn explanation(self) -> &'a str {
        match self {
            Self::Postponed { explanation, .. } | Self::Cancelled { explanation } => explanation,
            Self::Reminder { .. } => "",
        }
    }
}

/// Once per date where it is a reminder, once where the event was cancelled; nothing where every ticket is
/// with the guest of the order. The order is locked.
pub(super) async fn note_for_holders(
    tx: &mut PgConnection,
    id: MessageId,
    order: OrderId,
    news: HolderNews<'_>,
    traceparent: Option<&str>,
) -> Result<(), Error> {
    let previous = match news {
        HolderNews::Postponed { previous, .. } => Some(previous),
        _ => None,
    };
    let due = match news {
        HolderNews::Reminder { due } => Some(due),
        _ => None,
    };
    sqlx::query!(
        "INSERT INTO holder_news (id, order_id, number, kind, date_time, event_version,
             previous_date_time, explanation, handed_before, traceparent)
         SELECT $1, $2,
             (SELECT coalesce(max(number), 0) + 1 FROM holder_news WHERE order_id = $2),
             $3, o.event_date_time, o.event_version, $4, $5,
             CASE $3 WHEN 'postponed' THEN clock_timestamp() WHEN 'reminder' THEN $6 END, $7
         FROM orders o
         WHERE o.id = $2 AND o.event_date_time IS NOT NULL
           AND EXISTS (SELECT FROM ticket_transfers t
                       WHERE t.order_id = $2 AND t.status <> 'refused')
         ON CONFLICT DO NOTHING",
        id.uuid(),
        order.uuid(),
        news.word(),
        previous,
        news.explanation(),
        due,
        traceparent,
    )
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(Clone)]
struct Reminding {
    order: OrderId,
    date_time: OffsetDateTime,
    due: OffsetDateTime,
    id: MessageId,
    context: CallContext,
}

/// Notes that whoever has tickets of this order is to be reminded of an event at `date_time`, unless that is
/// not the order's date any more.
pub(crate) async fn remind_holders(
    app: &App,
    order: OrderId,
    (date_time, due): (OffsetDateTime, OffsetDateTime),
) -> Result<(), Error> {
    let reminding = Reminding {
        order,
        date_time,
        due,
        id: MessageId::new(&app.sources),
        context: kit::current(),
    };
    let note = app
        .db
        .run(reminding, |tx, reminding| Box::pin(note(tx, reminding)));
    note.await
}

async fn note(tx: &mut PgConnection, reminding: &Reminding) -> Result<(), Error> {
    let order = reminding.order;
    let status = order_status(tx, order).await?;
    let same = sqlx::query_scalar!(
        r#"SELECT event_date_time = $2 AS "same!" FROM orders
           WHERE id = $1 AND event_date_time IS NOT NULL"#,
        order.uuid(),
        reminding.date_time,
    );
    let same = same.fetch_optional(&mut *tx).await?.unwrap_or(false);
    if !same || !status.has_tickets() || event_is_cancelled(tx, order).await? {
        return Ok(());
    }
    let news = HolderNews::Reminder { due: reminding.due };
    let trace = reminding
        .context
        .trace
        .as_ref()
        .map(|trace| trace.traceparent());
    note_for_holders(tx, reminding.id, order, news, trace.as_deref()).await
}
