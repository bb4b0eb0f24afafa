//! Whoever has tickets that were handed on is told what became of their event: one message per address, all of
//! them in the transaction that ends the news. What the guest of the order wants to hear decides nothing here;
//! the holders have a link of their own to hear no more.

use std::collections::HashMap;

use base::MessageId;
use kit::CallContext;
use proto::{
    event::{OrderFacts, TicketNews, TicketNewsKind, envelope::Payload},
    ticket::{Ticket, TicketStatus},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{announce::order_facts, send_back::order_status};
use crate::{
    app::App,
    error::Error,
    store::{self, OrderRow},
    transfers::{self, TransferRow},
    view,
};

#[derive(Clone, Debug)]
struct NewsRow {
    id: Uuid,
    order_id: Uuid,
    number: i32,
    kind: String,
    date_time: OffsetDateTime,
    event_version: i64,
    previous_date_time: Option<OffsetDateTime>,
    explanation: String,
    handed_before: Option<OffsetDateTime>,
}

impl NewsRow {
    fn kind(&self) -> Result<TicketNewsKind, Error> {
        match self.kind.as_str() {
            "postponed" => Ok(TicketNewsKind::Postponed),
            "cancelled" => Ok(TicketNewsKind::Cancelled),
            "reminder" => Ok(TicketNewsKind::Reminder),
            _ => Err(Error::Broken("news of an unknown kind")),
        }
    }
}

/// True once there is nothing more to do. False while a ticket is on its way to somebody: it has to arrive
/// before it is known whose it is.
pub(crate) async fn tell_holders(app: &App, id: Uuid) -> Result<bool, Error> {
    let find = app.db.read(id, |conn, id| Box::pin(find(conn, *id)));
    let Some((news, transfers, cancelled_by)) = find.await? else {
        return Ok(true);
    };
    if transfers.iter().any(TransferRow::is_requested) {
        return Ok(false);
    }
    let tickets = view::tickets(app, news.order_id.into()).await?;
    let (order, _) = store::load(app, news.order_id.into()).await?;
    let concerned = |ticket: &&Ticket| match news.kind.as_str() {
        // Void by something else, it was nobody's any more.
        "cancelled" => cancelled_by.contains(&ticket.voided_by),
        _ => ticket.status() == TicketStatus::Valid,
    };
    let concerned: Vec<&Ticket> = tickets.iter().filter(concerned).collect();
    let kind = news.kind()?;
    let messages = holders(&transfers, &concerned, &news, &order.email)
        .into_iter()
        .map(|(last, tickets)| {
            let message = TicketNews {
                order: Some(facts(app, &order, &news, last)),
                number: news.number.unsigned_abs(),
                kind: kind.into(),
                tickets,
                explanation: news.explanation.clone(),
                previous_date_time: news.previous_date_time.map(proto::timestamp),
            };
            (MessageId::new(&app.sources), message)
        });
    let telling = Telling {
        messages: messages.collect(),
        news: news.clone(),
        transfers,
        at: app.sources.now(),
        context: kit::current(),
    };
    let tell = app
        .db
        .run(telling, |tx, telling| Box::pin(tell(tx, telling)));
    tell.await?;
    app.nudges.outbox.notify_one();
    Ok(true)
}

/// None once it was told. With what makes tickets void when the event is cancelled: its refunds, or the order
/// itself where nothing had been paid.
async fn find(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<(NewsRow, Vec<TransferRow>, Vec<String>)>, Error> {
    let news = sqlx::query_as!(
        NewsRow,
        "SELECT id, order_id, number, kind, date_time, event_version, previous_date_time,
             explanation, handed_before
         FROM holder_news WHERE id = $1 AND ended_at IS NULL",
        id,
    );
    let Some(news) = news.fetch_optional(&mut *conn).await? else {
        return Ok(None);
    };
    let refunds = sqlx::query_scalar!(
        "SELECT id FROM refunds WHERE order_id = $1 AND reason = 'event_cancelled'",
        news.order_id,
    );
    let mut cancelled_by = refunds.fetch_all(&mut *conn).await?;
    cancelled_by.push(news.order_id);
    let transfers = transfers::of_order(conn, news.order_id.into()).await?;
    let cancelled_by = cancelled_by.iter().map(Uuid::to_string).collect();
    Ok(Some((news, transfers, cancelled_by)))
}

/// Who has which of these tickets, and wants to hear: per address what was handed to it last, and how many
/// tickets it has. The guest of the order hears the news as such.
fn holders<'a>(
    transfers: &'a [TransferRow],
    tickets: &[&Ticket],
    news: &NewsRow,
    guest: &str,
) -> Vec<(&'a TransferRow, u32)> {
    let address = |transfer: &TransferRow| transfer.email.to_lowercase();
    let deaf = |who: &str| {
        let mut of_them = transfers.iter().filter(|one| address(one) == who);
        who.is_empty() || who == guest.to_lowercase() || of_them.any(|one| !one.notices)
    };
    let has_it = |transfer: &TransferRow| {
        tickets.iter().any(|ticket| {
            ticket.id == transfer.ticket_id.to_string()
                && transfer.generation.map(i32::unsigned_abs) == Some(ticket.generation)
        })
    };
    // Oldest first, so the last one of an address is its newest.
    let mut told: HashMap<String, (&TransferRow, u32)> = HashMap::new();
    for transfer in transfers.iter().filter(|one| has_it(one)) {
        let held = told.entry(address(transfer)).or_insert((transfer, 0));
        *held = (transfer, held.1 + 1);
    }
    let heard_before = |transfer: &TransferRow| {
        let bound = news.handed_before.zip(transfer.ended_at);
        bound.is_some_and(|(before, handed)| handed >= before)
    };
    told.retain(|who, (last, _)| !deaf(who) && !heard_before(last));
    let mut told: Vec<_> = told.into_values().collect();
    told.sort_by_key(|(last, _)| (last.created_at, last.id));
    told
}

/// Nothing of whom it came from, and nothing of what was paid.
fn facts(app: &App, order: &OrderRow, news: &NewsRow, transfer: &TransferRow) -> OrderFacts {
    let mut facts = order_facts(app, order);
    facts.email.clone_from(&transfer.email);
    facts.name.clone_from(&transfer.name);
    facts.locale.clone_from(&transfer.locale);
    facts.sealed_order_link = app.sealed_ticket_link(transfer);
    facts.sealed_unsubscribe_link = app.sealed_ticket_unsubscribe_link(transfer);
    facts.total = None;
    if let Some(event) = &mut facts.event {
        event.date_time = Some(proto::timestamp(news.date_time));
        event.version = news.event_version;
    }
    facts
}

struct Telling {
    news: NewsRow,
    /// As they were when it was found out who is told.
    transfers: Vec<TransferRow>,
    messages: Vec<(MessageId, TicketNews)>,
    at: OffsetDateTime,
    /// Database work has no call in hand, and the messages carry on its trace.
    context: CallContext,
}

async fn tell(tx: &mut PgConnection, telling: &Telling) -> Result<(), Error> {
    let news = &telling.news;
    order_status(tx, news.order_id.into()).await?;
    if transfers::of_order(tx, news.order_id.into()).await? != telling.transfers {
        return Err(Error::Broken(
            "a ticket was handed on while its holder was being told",
        ));
    }
    let ended = sqlx::query!(
        "UPDATE holder_news SET ended_at = clock_timestamp(), next_step_at = NULL
         WHERE id = $1 AND ended_at IS NULL",
        news.id,
    );
    if ended.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(());
    }
    for (id, message) in &telling.messages {
        let payload = Payload::TicketNews(message.clone());
        let enqueue = events::enqueue(tx, *id, telling.at, payload);
        kit::with_context(telling.context.clone(), enqueue).await?;
    }
    Ok(())
}
