//! Tickets are made void before their money leaves.

use base::OrderId;
use kit::{ErrorReason, Failure};
use proto::ticket::{VoidLine, VoidTicketsRequest};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{follow_money::follow_money, send_back::order_status};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, refund_state::RefundStatus},
    error::Error,
    refunds::RefundRow,
    store::{self, By},
};

/// What it came to. Faults are errors; these are answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voided {
    Yes,
    /// Fewer valid ones are left than the refund gives back: its money must not leave.
    TooFew,
    /// The tickets are being issued, or another refund is to void some of them first; it is for another
    /// time.
    TooEarly,
}

struct Line {
    ticket_type_id: Uuid,
    quantity: i32,
    ticket_ids: Vec<Uuid>,
}

/// Answers at once where that was done, or there are none. A refund that somebody else made at the
/// provider comes to its end with this.
pub(crate) async fn void_tickets(app: &App, refund: &RefundRow, by: By) -> Result<Voided, Error> {
    let external = refund.status()? == RefundStatus::External;
    if !refund.has_tickets_to_void() && !external {
        return Ok(Voided::Yes);
    }
    let (order, _) = store::load(app, refund.order()).await?;
    let count = match order.status()? {
        OrderStatus::Paid => return Ok(Voided::TooEarly),
        OrderStatus::Unfulfillable => 0,
        _ if !refund.has_tickets_to_void() => 0,
        _ if refund.voids == "all" && others_go_first(app, refund).await? => {
            return Ok(Voided::TooEarly);
        }
        _ => match ask(app, refund).await? {
            Some(count) => count,
            None => return Ok(Voided::TooFew),
        },
    };
    record(app, refund, count, by).await?;
    kit::failpoint!("refund.tickets_voided");
    Ok(Voided::Yes)
}

/// Every valid ticket of an order that had cost nothing: no refund goes with it, so the order names
/// the step.
pub(crate) async fn void_free_tickets(app: &App, order: OrderId) -> Result<(), Error> {
    let request = VoidTicketsRequest {
        order_id: order.to_string(),
        refund_id: order.to_string(),
        all: true,
        lines: Vec::new(),
    };
    app.inventory.clone().void_tickets(request).await?;
    Ok(())
}

/// Another refund is still to void tickets of its own: if all of them went now, it would find none and
/// be withdrawn. None of those waits for this one.
async fn others_go_first(app: &App, refund: &RefundRow) -> Result<bool, Error> {
    let read = app.db.read(refund.order_id, |conn, order| {
        Box::pin(async move {
            let waiting = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM refunds WHERE order_id = $1 AND status = 'requested'
                       AND voids = 'lines' AND tickets_voided_at IS NULL) AS "waiting!""#,
                order,
            );
            Ok::<_, Error>(waiting.fetch_one(conn).await?)
        })
    });
    read.await
}

/// How many tickets this refund made void. None: there are not that many.
async fn ask(app: &App, refund: &RefundRow) -> Result<Option<usize>, Error> {
    let all = refund.voids == "all";
    let lines = if all {
        Vec::new()
    } else {
        lines(app, refund).await?
    };
    let request = VoidTicketsRequest {
        order_id: refund.order_id.to_string(),
        refund_id: refund.id.to_string(),
        all,
        lines: lines.into_iter().map(wire).collect(),
    };
    match app.inventory.clone().void_tickets(request).await {
        Ok(answer) => Ok(Some(answer.into_inner().tickets.len())),
        Err(status) => {
            let failure = Failure::from_status(&status);
            if failure.reason == ErrorReason::RefundTooLarge {
                Ok(None)
            } else {
                Err(failure.into())
            }
        }
    }
}

async fn lines(app: &App, refund: &RefundRow) -> Result<Vec<Line>, Error> {
    let read = app.db.read(refund.id, |conn, id| {
        Box::pin(async move {
            let lines = sqlx::query_as!(
                Line,
                "SELECT l.ticket_type_id, r.quantity, r.ticket_ids
                 FROM refund_lines r
                 JOIN order_lines l ON l.order_id = r.order_id AND l.position = r.position
                 WHERE r.refund_id = $1 ORDER BY r.position",
                id,
            );
            Ok::<_, Error>(lines.fetch_all(conn).await?)
        })
    });
    read.await
}

fn wire(line: Line) -> VoidLine {
    VoidLine {
        ticket_type_id: line.ticket_type_id.to_string(),
        quantity: line.quantity.unsigned_abs(),
        ticket_ids: line.ticket_ids.iter().map(Uuid::to_string).collect(),
    }
}

async fn record(app: &App, refund: &RefundRow, count: usize, by: By) -> Result<(), Error> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    let record = app.db.run((refund.clone(), count, by), |tx, input| {
        let (refund, count, by) = input;
        Box::pin(mark(tx, refund, *count, by))
    });
    record.await
}

async fn mark(tx: &mut PgConnection, refund: &RefundRow, count: i32, by: &By) -> Result<(), Error> {
    let status = order_status(tx, refund.order()).await?;
    let external = refund.status()? == RefundStatus::External;
    sqlx::query!(
        "UPDATE refunds
         SET tickets_voided_at = CASE WHEN voids <> 'none' THEN clock_timestamp() END,
             voided_tickets = $2, step_failures = 0,
             next_step_at = CASE WHEN $3 THEN NULL ELSE next_step_at END
         WHERE id = $1 AND tickets_voided_at IS NULL",
        refund.id,
        count,
        external,
    )
    .execute(&mut *tx)
    .await?;
    if external {
        follow_money(tx, refund.order(), status, by).await?;
        store::refresh_attention(tx, refund.order()).await?;
    }
    Ok(())
}
