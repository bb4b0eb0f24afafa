//! The one final answer of an order, repeated for ever: its stock is sold and its tickets exist, or
//! it is refused and the money goes back.
//!
//! A hold that is still the order's is sold. Where it was freed meanwhile, the stock is taken anew
//! at the price of the hold. Refused is what is sold out by now, or whose event was cancelled.

use base::{EventId, OrderId, Sources};
use kit::ErrorReason;
use proto::ticket::{CommitOrderRequest, CommitOrderResponse, OrderAnswer};
use sqlx::PgConnection;

use crate::{
    app::App,
    commit::Committed,
    domain::{event_status::EventStatus, hold_state::HoldStep},
    error::Error,
    rpc::{fields::Fields, view},
    signers::Signers,
    store::{
        catalog::{self, Event},
        dead_holds, guests,
        holds::{self, Hold, HoldLine},
        keys,
        orders::{self, Answer, Ticket},
        stock::{self, Need, Shortage, Taken},
    },
};

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
    // It only says with whom the order goes.
    let event_id: Option<EventId> = request.event_id.parse().ok();
    let decided = match app.commits.commit(order_id, event_id).await {
        Some(Committed { event, tickets }) => Answered {
            answer: Answer::Committed {
                event_id: event.id(),
            },
            tickets,
            event: Some(event),
        }
        .into(),
        None => decide_alone(app, order_id).await?,
    };
    kit::failpoint!("ticket.order_committed");
    respond(app, decided).await
}

async fn decide_alone(app: &App, order_id: OrderId) -> Result<Decided, Error> {
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
        dead_holds::reclaim(&app.db, event_id).await?;
        commit.may_refuse = true;
        decided = decide(app, &commit).await?;
    }
    Ok(decided)
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
    let makes = (&commit.sources, commit.signers.ring().current_id());
    let mut tickets = orders::commit(conn, makes, &[(order_id, &hold)]).await?;
    if ours.is_some() {
        orders::sell(conn, &[hold.id]).await?;
    }
    let answer = Answer::Committed {
        event_id: hold.event_id,
    };
    Ok(Answered {
        answer,
        tickets: tickets.remove(&order_id).unwrap_or_default(),
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

async fn refuse(
    conn: &mut PgConnection,
    order_id: OrderId,
    reason: ErrorReason,
    event: Option<Event>,
) -> Result<Decided, Error> {
    let event_id = event.as_ref().map(Event::id);
    sqlx::query!(
        r#"
        INSERT INTO order_answers (order_id, answer, refusal_reason, event_id)
        VALUES ($1, 'refused', $2, $3)
        "#,
        order_id.uuid(),
        reason.word(),
        event_id.map(EventId::uuid),
    )
    .execute(conn)
    .await?;
    let answer = Answer::Refused {
        reason: reason.word().to_owned(),
        event_id,
    };
    Ok(Answered {
        answer,
        tickets: Vec::new(),
        event,
    }
    .into())
}
