//! The order goes to another address. Its link of before is dead, what was on its way to the old address is withdrawn,
//! and whoever reads the new one gets what they need of the order as it is now: the receipt, or how to pay.

use std::sync::Arc;

use base::{EmailAddress, MessageId, OrderId};
use kit::{CallContext, FieldProblem};
use proto::event::{AddressCorrected, envelope::Payload};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    ask_for_transfer::TransferNotice, send_back::order_status, send_receipt::ReceiptAgain,
};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, timeline::ADDRESS_CORRECTED},
    error::Error,
    store::{self, AttemptRow, Audit, By, OrderRow},
};

/// What an order's guest is told, and nobody else.
const TO_THE_GUEST: [&str; 7] = [
    "order_paid",
    "order_unfulfillable",
    "order_refunded",
    "order_cancelled",
    "order_postponed",
    "order_reminder",
    "order_awaiting_transfer",
];

/// An address to be, as somebody asked for it.
pub(crate) struct NewAddress {
    /// Of the request's key: the same key is the same correction.
    pub id: Uuid,
    pub hash: [u8; 32],
    pub email: EmailAddress,
    pub by: By,
    /// None where it was the guest: the order's story says it.
    pub audit: Option<Audit>,
}

/// A correction that was made before.
pub(crate) struct Corrected {
    pub body_hash: Vec<u8>,
    /// Of the order's secret, before.
    pub generation: i32,
}

pub(crate) async fn find_correction(app: &App, id: Uuid) -> Result<Option<Corrected>, Error> {
    let read = app.db.read(id, |conn, id| {
        Box::pin(async move {
            let found = sqlx::query_as!(
                Corrected,
                "SELECT body_hash, generation FROM address_corrections WHERE id = $1",
                id,
            );
            Ok::<_, Error>(found.fetch_optional(conn).await?)
        })
    });
    read.await
}

struct Correction {
    new: Arc<NewAddress>,
    order: OrderId,
    /// Before.
    generation: i32,
    /// What the messages to the new address were made of.
    read: Moment,
    /// None where there is nothing to send.
    receipt: Option<ReceiptAgain>,
    /// None where no bank transfer is waited for.
    transfer: Option<(Uuid, TransferNotice)>,
    /// But for what was written to the guest before.
    told: AddressCorrected,
    message: MessageId,
    at: OffsetDateTime,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

/// What decides which messages an order's guest needs now.
#[derive(PartialEq)]
struct Moment {
    status: OrderStatus,
    /// The newest attempt, and where its money is to go.
    attempt: Option<(Uuid, Option<String>)>,
}

impl Moment {
    fn of(status: OrderStatus, newest: Option<&AttemptRow>) -> Self {
        let attempt = newest.map(|attempt| (attempt.id, attempt.provider_ref.clone()));
        Self { status, attempt }
    }
}

enum Written {
    Moved,
    /// By another correction, or its guest was erased.
    Overtaken,
    /// It is not what the messages were made of any more.
    Outdated,
}

/// False where another correction was faster, or the guest was erased. Error::Fields where it is the address already.
pub(crate) async fn correct_address(
    app: &App,
    order: &OrderRow,
    new: NewAddress,
) -> Result<bool, Error> {
    if new.email.as_str() == order.email {
        let problem = FieldProblem::new("email", "must be another one than before");
        return Err(Error::Fields(vec![problem]));
    }
    let new = Arc::new(new);
    // Ends: whatever makes it outdated is a step of the order.
    loop {
        let (now, newest) = store::load(app, order.order_id()).await?;
        if now.secret_generation != order.secret_generation || now.erased {
            return Ok(false);
        }
        let correction = Correction::compose(app, &now, newest.as_ref(), new.clone()).await?;
        let write = app
            .db
            .run(correction, |tx, correction| Box::pin(write(tx, correction)));
        match write.await? {
            Written::Moved => break,
            Written::Overtaken => return Ok(false),
            Written::Outdated => {}
        }
    }
    app.nudges.outbox.notify_one();
    Ok(true)
}

impl Correction {
    async fn compose(
        app: &App,
        order: &OrderRow,
        newest: Option<&AttemptRow>,
        new: Arc<NewAddress>,
    ) -> Result<Self, Error> {
        let corrected = OrderRow {
            email: new.email.as_str().to_owned(),
            secret_generation: order.secret_generation + 1,
            ..order.clone()
        };
        let message = MessageId::new(&app.sources);
        let receipt = match ReceiptAgain::of(app, &corrected, message, new.by.clone()).await {
            Ok(receipt) => Some(receipt),
            Err(Error::TicketsNotReady) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            order: order.order_id(),
            generation: order.secret_generation,
            read: Moment::of(order.status()?, newest),
            receipt,
            transfer: newest.and_then(|attempt| transfer(app, &corrected, attempt)),
            told: AddressCorrected {
                order_id: order.id.to_string(),
                generation: corrected.secret_generation.unsigned_abs(),
                sealed_order_link: app.sealed_link(&corrected),
                sealed_unsubscribe_link: app.sealed_unsubscribe_link(&corrected),
                email: corrected.email,
                message_ids: Vec::new(),
            },
            new,
            message: MessageId::new(&app.sources),
            at: app.sources.now(),
            context: kit::current(),
        })
    }
}

fn transfer(app: &App, order: &OrderRow, attempt: &AttemptRow) -> Option<(Uuid, TransferNotice)> {
    let reference = attempt.provider_ref.as_deref()?;
    let notice = TransferNotice::of(app, order, attempt, reference)?;
    Some((attempt.id, notice))
}

/// Address, link, messages and story, all or none. An order that another correction was faster with is not this
/// caller's any more.
async fn write(tx: &mut PgConnection, correction: &Correction) -> Result<Written, Error> {
    let (order, new) = (correction.order, &correction.new);
    let status = order_status(tx, order).await?;
    let newest = store::newest_attempt(tx, order).await?;
    if Moment::of(status, newest.as_ref()) != correction.read {
        return Ok(Written::Outdated);
    }
    let moved = sqlx::query!(
        "UPDATE orders SET email = $3, secret_generation = $2 + 1, updated_at = clock_timestamp()
         WHERE id = $1 AND secret_generation = $2 AND erased_at IS NULL",
        order.uuid(),
        correction.generation,
        new.email.as_str(),
    );
    if moved.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(Written::Overtaken);
    }
    sqlx::query!(
        "INSERT INTO address_corrections (id, order_id, body_hash, generation)
         VALUES ($1, $2, $3, $4)",
        new.id,
        order.uuid(),
        &new.hash[..],
        correction.generation,
    )
    .execute(&mut *tx)
    .await?;
    // Without the addresses: the story is never rewritten, and a guest may be erased.
    store::note(tx, order, status, &new.by, ADDRESS_CORRECTED).await?;
    if let Some(audit) = &new.audit {
        store::audit(tx, audit).await?;
    }
    // Before anything is written to the new address.
    withdraw(tx, correction).await?;
    if let Some(receipt) = &correction.receipt {
        receipt.enqueue(tx).await?;
    }
    if let Some((attempt, notice)) = &correction.transfer {
        let attempt = store::find_attempt(tx, *attempt).await?;
        if let Some(attempt) = attempt.filter(AttemptRow::is_open) {
            let due_minor = attempt.amount_minor - attempt.left_minor();
            notice.tell(tx, due_minor).await?;
        }
    }
    Ok(Written::Moved)
}

/// notify-svc knows which of it was sent.
async fn withdraw(tx: &mut PgConnection, correction: &Correction) -> Result<(), Error> {
    let kinds = TO_THE_GUEST.map(str::to_owned);
    let written = sqlx::query_scalar!(
        "SELECT id FROM outbox WHERE order_id = $1 AND kind = ANY($2) ORDER BY created_at, id",
        correction.order.uuid(),
        &kinds,
    );
    let written = written.fetch_all(&mut *tx).await?;
    if written.is_empty() {
        return Ok(());
    }
    let told = AddressCorrected {
        message_ids: written.iter().map(Uuid::to_string).collect(),
        ..correction.told.clone()
    };
    let payload = Payload::AddressCorrected(told);
    let enqueue = events::enqueue(tx, correction.message, correction.at, payload);
    kit::with_context(correction.context.clone(), enqueue).await?;
    Ok(())
}
