//! Makes tickets of a committed order void and gives their stock back, before the money of a refund
//! leaves. The refund names the step: what it made void once is its answer for ever.

use std::collections::HashSet;

use base::{OrderId, RefundId, TicketId, TicketTypeId};
use proto::ticket::{VoidLine, VoidTicketsRequest, VoidTicketsResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    domain::limits::LINES_MAX,
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        guests,
        orders::{self, Ticket},
        stock,
    },
};

#[derive(Debug)]
struct Void {
    order_id: OrderId,
    refund_id: RefundId,
    which: Which,
}

#[derive(Debug)]
enum Which {
    /// Whatever is still valid.
    All,
    Lines(Vec<Line>),
}

#[derive(Debug)]
struct Line {
    ticket_type_id: TicketTypeId,
    quantity: usize,
    /// Empty means any.
    ticket_ids: Vec<TicketId>,
}

pub async fn void_tickets(
    app: &App,
    request: &VoidTicketsRequest,
) -> Result<VoidTicketsResponse, Error> {
    let void = read(request)?;
    let voided = app
        .db
        .run(void, |conn, void| Box::pin(find_or_void(conn, void)))
        .await?;
    kit::failpoint!("ticket.tickets_voided");
    Ok(VoidTicketsResponse {
        tickets: view::tickets(&app.signers, &voided).await?,
    })
}

fn read(request: &VoidTicketsRequest) -> Result<Void, Error> {
    let mut fields = Fields::default();
    let order_id = fields.parse("order_id", &request.order_id);
    let refund_id = fields.parse("refund_id", &request.refund_id);
    if request.all != request.lines.is_empty() || request.lines.len() > LINES_MAX {
        fields.refuse(
            "lines",
            format!("must have 1 to {LINES_MAX} entries, or none with `all`"),
        );
    }
    let lines = request.lines.iter().take(LINES_MAX).enumerate();
    let lines: Vec<Line> = lines
        .filter_map(|(index, line)| read_line(&mut fields, index, line))
        .collect();
    let mut seen = HashSet::new();
    if !lines.iter().all(|line| seen.insert(line.ticket_type_id)) {
        fields.refuse("lines", "must name another ticket type on each line");
    }
    let (Some(order_id), Some(refund_id)) = (order_id, refund_id) else {
        return Err(fields.into_error());
    };
    fields.done()?;
    let which = if request.all {
        Which::All
    } else {
        Which::Lines(lines)
    };
    Ok(Void {
        order_id,
        refund_id,
        which,
    })
}

fn read_line(fields: &mut Fields, index: usize, line: &VoidLine) -> Option<Line> {
    let id = format!("lines[{index}].ticket_type_id");
    let ticket_type_id = fields.parse(&id, &line.ticket_type_id);
    let quantity = line.quantity as usize;
    if quantity == 0 {
        fields.refuse(&format!("lines[{index}].quantity"), "must be at least 1");
    }
    let field = format!("lines[{index}].ticket_ids");
    // Longer than any line of an order, it is refused before it is read.
    let named = line.ticket_ids.iter().take(quantity + 1);
    let ids: Vec<TicketId> = named.filter_map(|id| fields.parse(&field, id)).collect();
    let different: HashSet<_> = ids.iter().collect();
    if !line.ticket_ids.is_empty() && different.len() != quantity {
        fields.refuse(&field, "must be empty, or one per ticket");
    }
    Some(Line {
        ticket_type_id: ticket_type_id?,
        quantity,
        ticket_ids: ids,
    })
}

async fn find_or_void(conn: &mut PgConnection, void: &Void) -> Result<Vec<Ticket>, Error> {
    let order = orders::lock(conn, void.order_id).await?;
    let tickets = orders::tickets(conn, void.order_id).await?;
    let voided_by_it = |ticket: &Ticket| ticket.voided_by == Some(void.refund_id);
    if tickets.iter().any(voided_by_it) {
        return Ok(tickets.into_iter().filter(voided_by_it).collect());
    }
    // Before its final answer, tickets could still be issued behind our back.
    if order.answer.is_none() {
        return Err(Error::NotFound("committed order"));
    }
    not_of_another_order(conn, void).await?;
    let picked = pick(&void.which, &tickets)?;
    if picked.is_empty() {
        return Ok(Vec::new());
    }
    mark(conn, void.refund_id, &picked).await?;
    guests::give_back_tickets(conn, void.refund_id).await?;
    // Last, because everybody waits for the pools until this transaction commits.
    stock::give_back(conn, void.refund_id, void.order_id, &lines_of(&picked)).await?;
    let tickets = orders::tickets(conn, void.order_id).await?;
    Ok(tickets.into_iter().filter(voided_by_it).collect())
}

async fn not_of_another_order(conn: &mut PgConnection, void: &Void) -> Result<(), Error> {
    let of_another = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM tickets WHERE voided_by = $1) AS "of_another!""#,
        void.refund_id.uuid(),
    );
    if of_another.fetch_one(conn).await? {
        return Err(Error::field("refund_id", "must be a refund of this order"));
    }
    Ok(())
}

/// The valid tickets that are meant; the last issued first where any will do.
fn pick<'a>(which: &Which, tickets: &'a [Ticket]) -> Result<Vec<&'a Ticket>, Error> {
    let valid = || tickets.iter().rev().filter(|ticket| !ticket.is_void());
    let Which::Lines(lines) = which else {
        return Ok(valid().collect());
    };
    let mut picked = Vec::new();
    for line in lines {
        let meant = |ticket: &&Ticket| {
            ticket.ticket_type_id == line.ticket_type_id
                && (line.ticket_ids.is_empty() || line.ticket_ids.contains(&ticket.id))
        };
        let before = picked.len();
        picked.extend(valid().filter(meant).take(line.quantity));
        if picked.len() - before < line.quantity {
            return Err(Error::RefundTooLarge);
        }
    }
    Ok(picked)
}

async fn mark(
    conn: &mut PgConnection,
    refund_id: RefundId,
    picked: &[&Ticket],
) -> Result<(), Error> {
    let ids: Vec<Uuid> = picked.iter().map(|ticket| ticket.id.uuid()).collect();
    let marked = sqlx::query!(
        r#"
        UPDATE tickets SET status = 'void', voided_by = $2, voided_at = clock_timestamp()
        WHERE id = ANY($1) AND status = 'valid'
        "#,
        &ids,
        refund_id.uuid(),
    )
    .execute(conn)
    .await?;
    if marked.rows_affected() == ids.len() as u64 {
        Ok(())
    } else {
        Err(Error::Fault("tickets of a locked order changed"))
    }
}

/// How many of them are on each line.
fn lines_of(picked: &[&Ticket]) -> Vec<(i32, i64)> {
    let mut lines: Vec<(i32, i64)> = Vec::new();
    for ticket in picked {
        match lines.iter_mut().find(|(line, _)| *line == ticket.line) {
            Some((_, tickets)) => *tickets += 1,
            None => lines.push((ticket.line, 1)),
        }
    }
    lines
}
