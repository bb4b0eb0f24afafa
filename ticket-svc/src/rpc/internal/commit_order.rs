//! The one final answer of an order, repeated for ever: its stock is sold and its tickets exist, or
//! it is refused and the money goes back.
//!
//! A hold that is still the order's is sold. Where it was freed meanwhile, the stock is taken anew
//! at the price of the hold. Refused is what is sold out by now, or whose event was cancelled.

use base::{EventId, OrderId, Sources, TicketId};
use kit::ErrorReason;
use proto::ticket::{CommitOrderRequest, CommitOrderResponse, OrderAnswer};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        event_status::EventStatus,
        hold_state::{HoldState, HoldStep},
    },
    error::Error,
    rpc::{fields::Fields, view},
    signers::Signers,
    store::{
        catalog::{self, Event},
        guests,
        holds::{self, Hold, HoldLine},
        keys,
        orders::{self, Answer, Ticket},
        stock::{self, Need, Settle, Shortage, Taken},
    },
};

const FIRST_GENERATION: i32 = 1;

#[derive(Clone, Debug)]
struct Commit {
    order_id: OrderId,
    /// Whether a lack of stock is final: dead holds have been taken back before.
    may_refuse: bool,
    sources: Sources,
    signers: Signers,
}

enum Decided {
    Answered(Box<Answered>),
    /// Nothing was done. Dead holds of this event may still have the stock.
    NoStock(EventId),
    /// Nothing was done. Nothing of this event was sold yet, so no key signs its codes.
    NoKey(EventId),
}

struct Answered {
    answer: Answer,
    tickets: Vec<Ticket>,
    event: Option<Event>,
}

impl From<Answered> for Decided {
    fn from(answered: Answered) -> Self {
        Self::Answered(Box::new(answered))
    }
}

pub async fn commit_order(
    app: &App,
    request: &CommitOrderRequest,
) -> Result<CommitOrderResponse, Error> {
    let mut fields = Fields::default();
    let order_id: Option<OrderId> = fields.parse("order_id", &request.order_id);
    let Some(order_id) = order_id else {
        return Err(fields.into_error());
    };
    let mut commit = Commit {
        order_id,
        may_refuse: false,
        sources: app.sources.clone(),
        signers: app.signers.clone(),
    };
    let mut decided = decide(app, &commit).await?;
    if let Decided::NoKey(event_id) = decided {
        // On its own, so that no order waits for the end of another that came first.
        let first = (app.signers.clone(), event_id);
        let made = app.db.run(first, |conn, (signers, event_id)| {
            Box::pin(keys::make(conn, signers, *event_id, keys::FIRST))
        });
        made.await?;
        decided = decide(app, &commit).await?;
    }
    if let Decided::NoStock(event_id) = decided {
        holds::reclaim(&app.db, event_id).await?;
        commit.may_refuse = true;
        decided = decide(app, &commit).await?;
    }
    kit::failpoint!("ticket.order_committed");
    respond(app, decided).await
}

async fn respond(app: &App, decided: Decided) -> Result<CommitOrderResponse, Error> {
    let Decided::Answered(answered) = decided else {
        return Err(Error::Fault("an order was not answered"));
    };
    let Answered {
        answer,
        tickets,
        event,
    } = *answered;
    let (answer, refusal_reason) = match answer {
        Answer::Committed { .. } => (OrderAnswer::Committed, String::new()),
        Answer::Refused { reason, .. } => (OrderAnswer::Refused, reason),
    };
    Ok(CommitOrderResponse {
        answer: answer.into(),
        tickets: view::tickets(&app.signers, &tickets).await?,
        refusal_reason,
        event: event.as_ref().map(view::event_facts),
    })
}

async fn decide(app: &App, commit: &Commit) -> Result<Decided, Error> {
    app.db
        .run(commit.clone(), |conn, commit| {
            Box::pin(find_or_decide(conn, commit))
        })
        .await
}

async fn find_or_decide(conn: &mut PgConnection, commit: &Commit) -> Result<Decided, Error> {
    let order_id = commit.order_id;
    if let Some(answer) = orders::lock(conn, order_id).await?.answer {
        let event = match answer.event_id() {
            Some(event_id) => catalog::event(conn, event_id).await?,
            None => None,
        };
        let tickets = orders::tickets(conn, order_id).await?;
        return Ok(Answered {
            answer,
            tickets,
            event,
        }
        .into());
    }
    let Some(hold) = holds::lock_of_order(conn, order_id).await? else {
        return refuse(conn, order_id, ErrorReason::OrderNotOpen, None).await;
    };
    let event = catalog::event_to_the_end(conn, hold.event_id).await?;
    let event = event.ok_or(Error::Fault("a hold's event is gone"))?;
    if event.status() == EventStatus::Cancelled {
        if let Some(released) = hold.state.after(HoldStep::OrderRelease) {
            holds::end(conn, &hold, released).await?;
        }
        return refuse(conn, order_id, ErrorReason::EventNotActive, Some(event)).await;
    }
    if !keys::is_signed(conn, &commit.signers, hold.event_id).await? {
        return Ok(Decided::NoKey(hold.event_id));
    }
    // The row is locked: whatever its deadline, nobody else has taken its stock back.
    let ours = hold.state.after(HoldStep::Commit);
    if ours.is_none() && !sell_again(conn, &hold, order_id).await? {
        if !commit.may_refuse {
            return Ok(Decided::NoStock(hold.event_id));
        }
        return refuse(conn, order_id, ErrorReason::SoldOut, Some(event)).await;
    }
    let answer = Answer::Committed {
        event_id: hold.event_id,
    };
    store(conn, order_id, &answer).await?;
    issue_tickets(conn, &hold, commit).await?;
    let tickets = orders::tickets(conn, order_id).await?;
    if let Some(committed) = ours {
        sell_held(conn, &hold, committed).await?;
    }
    Ok(Answered {
        answer,
        tickets,
        event: Some(event),
    }
    .into())
}

/// Free stock in place of what the hold has lost. False if there is too little. Where a pool is
/// halted nothing is decided: the order is asked about again until it can be.
async fn sell_again(
    conn: &mut PgConnection,
    hold: &Hold,
    order_id: OrderId,
) -> Result<bool, Error> {
    let needs = stock::needs(conn, &hold.lines).await?;
    guests::lock(conn, hold.id).await?;
    match stock::take(conn, order_id, &needs).await? {
        Taken::All => {
            guests::count_again(conn, hold.id).await?;
            Ok(true)
        }
        Taken::Nothing(shortages) => match halted_line(&needs, &shortages, &hold.lines) {
            Some(line) => Err(Error::SalesHalted(line.ticket_type_id)),
            None => Ok(false),
        },
    }
}

fn halted_line<'a>(
    needs: &[Need],
    shortages: &[Shortage],
    lines: &'a [HoldLine],
) -> Option<&'a HoldLine> {
    let halted = shortages.iter().find(|shortage| shortage.halted)?;
    let need = needs.iter().find(|need| need.pool_id == halted.pool_id)?;
    lines.iter().find(|line| line.line == need.line)
}

async fn sell_held(
    conn: &mut PgConnection,
    hold: &Hold,
    committed: HoldState,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE holds SET status = $2, ended_at = clock_timestamp() WHERE id = $1",
        hold.id.uuid(),
        committed.word(),
    )
    .execute(&mut *conn)
    .await?;
    // Last, because everybody waits for the pools until this transaction commits.
    stock::settle(conn, &[hold.id], Settle::Sold).await
}

async fn refuse(
    conn: &mut PgConnection,
    order_id: OrderId,
    reason: ErrorReason,
    event: Option<Event>,
) -> Result<Decided, Error> {
    let event_id = event.as_ref().map(Event::id);
    let answer = Answer::Refused {
        reason: reason.word().to_owned(),
        event_id,
    };
    store(conn, order_id, &answer).await?;
    Ok(Answered {
        answer,
        tickets: Vec::new(),
        event,
    }
    .into())
}

async fn store(conn: &mut PgConnection, order_id: OrderId, answer: &Answer) -> Result<(), Error> {
    let (word, reason) = match answer {
        Answer::Committed { .. } => ("committed", None),
        Answer::Refused { reason, .. } => ("refused", Some(reason.as_str())),
    };
    sqlx::query!(
        r#"
        INSERT INTO order_answers (order_id, answer, refusal_reason, event_id)
        VALUES ($1, $2, $3, $4)
        "#,
        order_id.uuid(),
        word,
        reason,
        answer.event_id().map(EventId::uuid),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One ticket per unit of each line, to be signed with the event's key of this moment.
async fn issue_tickets(conn: &mut PgConnection, hold: &Hold, commit: &Commit) -> Result<(), Error> {
    let mut ids: Vec<Uuid> = Vec::new();
    let (mut lines, mut serials): (Vec<i32>, Vec<i32>) = (Vec::new(), Vec::new());
    for line in &hold.lines {
        for serial in 1..=line.quantity.cast_signed() {
            ids.push(TicketId::new(&commit.sources).uuid());
            lines.push(line.line);
            serials.push(serial);
        }
    }
    let issued = sqlx::query!(
        r#"
        INSERT INTO tickets (id, order_id, event_id, ticket_type_id, category, line, serial,
                             code_key_id, generation, status, key_number, type_number)
        SELECT t.id, $2, $3, l.ticket_type_id, l.category, t.line, t.serial, $4, $5, 'valid',
               k.number, y.position
        FROM UNNEST($6::uuid[], $7::int[], $8::int[]) AS t (id, line, serial)
        JOIN hold_lines l ON l.hold_id = $1 AND l.line = t.line
        JOIN ticket_types y ON y.id = l.ticket_type_id
        JOIN event_keys k ON k.event_id = $3 AND k.state = 'active'
        "#,
        hold.id.uuid(),
        commit.order_id.uuid(),
        hold.event_id.uuid(),
        commit.signers.ring().current_id(),
        FIRST_GENERATION,
        &ids,
        &lines,
        &serials,
    )
    .execute(conn)
    .await?;
    if issued.rows_affected() == ids.len() as u64 {
        Ok(())
    } else {
        Err(Error::Fault("an order was not given all of its tickets"))
    }
}
