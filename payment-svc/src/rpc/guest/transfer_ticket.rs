//! A ticket goes to somebody else. Recording it is the guest's call; the step at ticket-svc is taken at
//! once where that is there, and by a job otherwise.

use std::sync::Arc;

use base::{EmailAddress, IdempotencyKey, OrderId, TicketId, body_hash, bounded, derived_id};
use db::DbError;
use kit::FieldProblem;
use proto::{
    payment::{TransferTicketRequest, TransferTicketResponse},
    ticket::TicketStatus,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::place_order::{LOCALE_MAX_CHARS, NAME_MAX_CHARS};
use crate::{
    app::App,
    domain::timeline::TICKET_LEAVES,
    error::Error,
    limits::{self, TRANSFERS},
    saga,
    store::{self, By, OrderRow},
    transfers::{self, TransferRow},
    view,
};

const ONE_OPEN: &str = "ticket_transfers_one_open";
/// The request takes the step itself; the job is there for the crash.
const FIRST_LOOK_SECS: f64 = 10.0;

pub(in crate::rpc) async fn transfer_ticket(
    app: &Arc<App>,
    request: TransferTicketRequest,
) -> Result<TransferTicketResponse, Error> {
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    let wish = Wish::read(&request, &order)?;
    let id = derived_id(&format!("orders/{}/transfers", order.id), &key);
    match find(app, id).await? {
        Some(before) if before.body_hash != wish.hash => return Err(Error::KeyReused),
        Some(_) => {}
        None => {
            must_be_valid(app, &order, wish.ticket).await?;
            limits::take(app, TRANSFERS, &order.id.to_string()).await?;
            record(app, &order, id, wish).await?;
        }
    }
    let shared = app.clone();
    let step = async move { saga::hand_on(&shared, id, By::now("guest")).await };
    if let Err(error) = app.tasks.complete(step).await {
        tracing::warn!(transfer = %id, %error, "the ticket could not be handed on yet");
    }
    if find(app, id).await?.is_some_and(|one| one.is_refused()) {
        return Err(Error::TicketNotValid);
    }
    Ok(TransferTicketResponse {
        order: Some(view::order(app, order.order_id()).await?),
    })
}

struct Wish {
    ticket: TicketId,
    email: EmailAddress,
    name: String,
    locale: String,
    hash: [u8; 32],
}

impl Wish {
    fn read(request: &TransferTicketRequest, order: &OrderRow) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let mut problem = |field: &str, rule: String| problems.push(FieldProblem::new(field, rule));
        let ticket = request
            .ticket_id
            .parse::<TicketId>()
            .map_err(|e: base::InvalidId| problem("ticket_id", e.to_string()));
        let email = request.email.parse::<EmailAddress>();
        let email = email.map_err(|e| problem("email", format!("is not valid: {e}")));
        let name = bounded("name", &request.name, 1, NAME_MAX_CHARS);
        let name = name.map_err(|e| problem("name", e.problem.to_string()));
        let locale = bounded("locale", &request.locale, 0, LOCALE_MAX_CHARS);
        let locale = locale.map_err(|e| problem("locale", e.problem.to_string()));
        match (ticket, email, name, locale) {
            (Ok(ticket), Ok(email), Ok(name), Ok(locale)) if problems.is_empty() => Ok(Self {
                hash: body_hash(&[
                    ticket.uuid().as_bytes(),
                    email.as_str().as_bytes(),
                    name.as_bytes(),
                    locale.as_bytes(),
                ]),
                locale: if locale.is_empty() {
                    order.locale.clone()
                } else {
                    locale
                },
                ticket,
                email,
                name,
            }),
            _ => Err(Error::Fields(problems)),
        }
    }
}

async fn find(app: &App, id: Uuid) -> Result<Option<TransferRow>, Error> {
    let find = app.db.read(id, |conn, id| {
        Box::pin(async move { Ok::<_, Error>(transfers::find(conn, *id).await?) })
    });
    find.await
}

/// A valid ticket of this order, whoever has it now: its guest may ask for it back by handing it on anew.
async fn must_be_valid(app: &App, order: &OrderRow, ticket: TicketId) -> Result<(), Error> {
    if !order.status()?.has_tickets() || order.event_cancelled {
        return Err(Error::TicketNotValid);
    }
    let tickets = view::tickets(app, order.order_id()).await?;
    let id = ticket.to_string();
    let valid = |one: &proto::ticket::Ticket| one.status() == TicketStatus::Valid;
    if tickets.iter().any(|one| one.id == id && valid(one)) {
        Ok(())
    } else {
        Err(Error::TicketNotValid)
    }
}

struct NewTransfer {
    id: Uuid,
    order: OrderId,
    wish: Wish,
    key_id: String,
    by: By,
}

async fn record(app: &App, order: &OrderRow, id: Uuid, wish: Wish) -> Result<(), Error> {
    let new = NewTransfer {
        id,
        order: order.order_id(),
        wish,
        key_id: app.keys.current_id().to_owned(),
        by: By::now("guest"),
    };
    let insert = app.db.run(new, |tx, new| Box::pin(insert(tx, new)));
    match insert.await {
        // It is on its way to somebody already.
        Err(Error::Db(error)) if error.constraint() == Some(ONE_OPEN) => Err(Error::TicketNotValid),
        outcome => outcome,
    }
}

async fn insert(tx: &mut PgConnection, new: &NewTransfer) -> Result<(), Error> {
    let status = saga::order_status(tx, new.order).await?;
    // Its guest may have cancelled it meanwhile.
    let erased = sqlx::query_scalar!(
        r#"SELECT erased_at IS NOT NULL AS "erased!" FROM orders WHERE id = $1"#,
        new.order.uuid(),
    );
    let erased = erased.fetch_one(&mut *tx).await?;
    if erased || !status.has_tickets() || saga::was_cancelled_by_guest(tx, new.order).await? {
        return Err(Error::TicketNotValid);
    }
    let inserted = sqlx::query!(
        "INSERT INTO ticket_transfers (id, order_id, ticket_id, body_hash, secret_key_id, email, name,
             locale, next_step_at, trace_id, traceparent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9), $10, $11)
         ON CONFLICT (id) DO NOTHING",
        new.id,
        new.order.uuid(),
        new.wish.ticket.uuid(),
        &new.wish.hash[..],
        new.key_id,
        new.wish.email.as_str(),
        new.wish.name,
        new.wish.locale,
        FIRST_LOOK_SECS,
        new.by.trace_id(),
        new.by.traceparent(),
    );
    let inserted = inserted.execute(&mut *tx).await.map_err(DbError::from)?;
    if inserted.rows_affected() == 1 {
        store::note(tx, new.order, status, &new.by, TICKET_LEAVES).await?;
    }
    Ok(())
}
