//! Hands a valid ticket on: a new generation with a new code, and the code before is dead when this
//! commits. The step is named by its caller: what it made once is its answer for ever, also when the
//! ticket was handed on again, so that no repeat tells the code of a later holder.

use base::{OrderId, TicketId};
use proto::ticket::{TransferTicketRequest, TransferTicketResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{event_status::EventStatus, limits::HOLDER_NAME_MAX_CHARS},
    error::Error,
    rpc::{fields::Fields, view},
    signers::Signers,
    store::{
        catalog, keys,
        orders::{self, Answer, Ticket},
    },
};

#[derive(Debug)]
struct Transfer {
    id: Uuid,
    order_id: OrderId,
    ticket_id: TicketId,
    holder_name: String,
    signers: Signers,
}

/// The ticket as the step left it.
struct Transferred {
    ticket: Ticket,
    superseded: bool,
}

pub async fn transfer_ticket(
    app: &App,
    request: &TransferTicketRequest,
) -> Result<TransferTicketResponse, Error> {
    let transfer = read(app, request)?;
    let done = app
        .db
        .run(transfer, |conn, transfer| {
            Box::pin(find_or_transfer(conn, transfer))
        })
        .await?;
    kit::failpoint!("ticket.ticket_transferred");
    Ok(TransferTicketResponse {
        ticket: Some(view::ticket(&app.signers, &done.ticket)?),
        superseded: done.superseded,
    })
}

fn read(app: &App, request: &TransferTicketRequest) -> Result<Transfer, Error> {
    let mut fields = Fields::default();
    let order_id = fields.parse("order_id", &request.order_id);
    let ticket_id = fields.parse("ticket_id", &request.ticket_id);
    // Any of our ids will do; they all have this one form.
    let id: Option<OrderId> = fields.parse("transfer_id", &request.transfer_id);
    let name = base::bounded(
        "holder_name",
        &request.holder_name,
        0,
        HOLDER_NAME_MAX_CHARS,
    );
    let name = fields.text("holder_name", name);
    let (Some(order_id), Some(ticket_id), Some(id), Some(holder_name)) =
        (order_id, ticket_id, id, name)
    else {
        return Err(fields.into_error());
    };
    Ok(Transfer {
        id: id.uuid(),
        order_id,
        ticket_id,
        holder_name,
        signers: app.signers.clone(),
    })
}

async fn find_or_transfer(
    conn: &mut PgConnection,
    transfer: &Transfer,
) -> Result<Transferred, Error> {
    // Refunds and other steps of the order wait, so what is read here stays true.
    let order = orders::lock(conn, transfer.order_id).await?;
    let ticket = find(conn, transfer)
        .await?
        .ok_or(Error::NotFound("ticket"))?;
    if let Some(done) = already(conn, transfer, &ticket).await? {
        return Ok(done);
    }
    let Some(Answer::Committed { event_id }) = order.answer else {
        return Err(Error::Fault("a ticket of an order that was not committed"));
    };
    let event = catalog::event_to_the_end(conn, event_id).await?;
    let event = event.ok_or(Error::Fault("a ticket's event is gone"))?;
    if ticket.is_void() || event.status() == EventStatus::Cancelled {
        return Err(Error::TicketNotValid);
    }
    // For a ticket of before the first key.
    keys::make(conn, &transfer.signers, event_id, keys::FIRST).await?;
    hand_on(conn, transfer, &ticket).await?;
    let ticket = find(conn, transfer).await?;
    Ok(Transferred {
        ticket: ticket.ok_or(Error::Fault("a locked ticket is gone"))?,
        superseded: false,
    })
}

async fn find(conn: &mut PgConnection, transfer: &Transfer) -> Result<Option<Ticket>, Error> {
    let tickets = orders::tickets(conn, transfer.order_id).await?;
    let mut tickets = tickets.into_iter();
    Ok(tickets.find(|ticket| ticket.id == transfer.ticket_id))
}

/// What the step has done before.
async fn already(
    conn: &mut PgConnection,
    transfer: &Transfer,
    now: &Ticket,
) -> Result<Option<Transferred>, Error> {
    let made = sqlx::query!(
        "SELECT ticket_id, generation, holder_name FROM ticket_transfers WHERE id = $1",
        transfer.id,
    )
    .fetch_optional(conn)
    .await?;
    let Some(made) = made else {
        return Ok(None);
    };
    if made.ticket_id != transfer.ticket_id.uuid() {
        return Err(Error::field(
            "transfer_id",
            "must be a transfer of this ticket",
        ));
    }
    let generation = made.generation.cast_unsigned();
    Ok(Some(Transferred {
        superseded: now.is_void() || now.generation != generation,
        ticket: Ticket {
            generation,
            holder_name: made.holder_name,
            ..now.clone()
        },
    }))
}

async fn hand_on(
    conn: &mut PgConnection,
    transfer: &Transfer,
    ticket: &Ticket,
) -> Result<(), Error> {
    let generation = ticket.generation.cast_signed();
    let handed_on = sqlx::query!(
        r#"
        UPDATE tickets t SET generation = $2 + 1, key_number = k.number, type_number = y.position
        FROM event_keys k, ticket_types y
        WHERE t.id = $1 AND t.status = 'valid' AND t.generation = $2
          AND k.event_id = t.event_id AND k.state = 'active' AND y.id = t.ticket_type_id
        "#,
        ticket.id.uuid(),
        generation,
    )
    .execute(&mut *conn)
    .await?;
    if handed_on.rows_affected() != 1 {
        return Err(Error::Fault("a ticket of a locked order changed"));
    }
    sqlx::query!(
        r#"
        INSERT INTO ticket_transfers (id, ticket_id, generation, holder_name) VALUES ($1, $2, $3 + 1, $4)
        "#,
        transfer.id,
        ticket.id.uuid(),
        generation,
        transfer.holder_name,
    )
    .execute(conn)
    .await?;
    Ok(())
}
