//! The guest is told that money goes back, once per refund: the message is a row of the transaction
//! that moves the refund. What a whole order is told goes with the first of its refunds. A guest who has
//! unsubscribed hears nothing of it; the story of the order says what was kept from them.

use base::{MessageId, OrderId};
use kit::CallContext;
use proto::{
    common::Seller,
    event::{
        OrderCancelled, OrderFacts, OrderRefunded, OrderUnfulfillable, RefundCause,
        envelope::Payload,
    },
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    facts::snapshot,
    holder_news::{HolderNews, note_for_holders},
    news::{self, News},
    send_back::order_status,
};
use crate::{
    app::App,
    domain::refund_state::RefundReason,
    error::Error,
    refunds::RefundRow,
    store::{self, By, OrderRow},
    view::minor,
};

const ACTOR: &str = "saga";
/// The kind of the message follows.
const WITHHELD: &str = "withheld:";

/// What a message about an order needs and a transaction cannot make.
#[derive(Clone)]
pub(crate) struct Announcement {
    message: MessageId,
    /// Of what its holders are to be told, where tickets of it were handed on.
    holders: MessageId,
    at: OffsetDateTime,
    id: OrderId,
    order: OrderFacts,
    by: By,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

/// When a refund is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// It is on its way.
    Leaves,
    /// It has left.
    PaidOut,
}

impl Announcement {
    pub async fn of(app: &App, order: OrderId) -> Result<Self, Error> {
        let (order, _) = store::load(app, order).await?;
        Ok(Self::about(app, &order))
    }

    pub fn about(app: &App, order: &OrderRow) -> Self {
        Self {
            message: MessageId::new(&app.sources),
            holders: MessageId::new(&app.sources),
            at: app.sources.now(),
            id: order.order_id(),
            order: order_facts(app, order),
            by: By::now(ACTOR),
            context: kit::current(),
        }
    }

    /// Tells what an order may hear several times, with its number. The order is locked.
    pub(super) async fn of_news(
        &self,
        tx: &mut PgConnection,
        news: News,
        payload: impl FnOnce(OrderFacts, u32) -> Payload + Send,
    ) -> Result<(), Error> {
        if !self.is_wanted(tx).await? {
            return Ok(());
        }
        match news::number(tx, self.message, self.id, news).await? {
            Some(number) => self.write(tx, payload(self.order.clone(), number)).await,
            None => Ok(()),
        }
    }

    /// Whoever has tickets of the order hears it, too, whether or not its guest wants to. The order is locked.
    pub(super) async fn to_holders(
        &self,
        tx: &mut PgConnection,
        news: HolderNews<'_>,
    ) -> Result<(), Error> {
        let trace = self.context.trace.as_ref().map(|trace| trace.traceparent());
        note_for_holders(tx, self.holders, self.id, news, trace.as_deref()).await
    }

    /// Tells the guest of a refund, if this is the moment for its reason. The order is locked.
    pub(super) async fn of_refund(
        &self,
        tx: &mut PgConnection,
        refund: &RefundRow,
        moment: Moment,
    ) -> Result<(), Error> {
        let (due, cause) = match refund.reason()? {
            RefundReason::Requested | RefundReason::GuestCancelled => {
                (Moment::PaidOut, RefundCause::Requested)
            }
            RefundReason::SecondPayment => (Moment::Leaves, RefundCause::SecondPayment),
            RefundReason::Overpaid => (Moment::Leaves, RefundCause::Overpaid),
            RefundReason::OrderEnded => (Moment::Leaves, RefundCause::OrderEnded),
            RefundReason::Mismatch => (Moment::Leaves, RefundCause::Mismatch),
            RefundReason::Unfulfillable | RefundReason::EventCancelled => {
                return self.of_the_order_s_end(tx, refund, moment).await;
            }
            RefundReason::External => return Ok(()),
        };
        if due != moment {
            return Ok(());
        }
        let payload = Payload::OrderRefunded(OrderRefunded {
            order: Some(self.order.clone()),
            refund_id: refund.id.to_string(),
            number: refund.number.unsigned_abs(),
            amount: minor(refund.amount_minor, &refund.currency),
            cause: cause.into(),
            note: refund.note.clone(),
            voided_tickets: refund.voided_tickets.unsigned_abs(),
            complete: nothing_is_left(tx, refund).await?,
        });
        self.enqueue(tx, payload).await
    }

    /// Tells the guest of a cancelled event that had cost nothing.
    pub async fn of_a_free_order(
        &self,
        tx: &mut PgConnection,
        explanation: &str,
    ) -> Result<(), Error> {
        self.to_holders(tx, HolderNews::Cancelled { explanation })
            .await?;
        let payload = Payload::OrderCancelled(OrderCancelled {
            order: Some(self.order.clone()),
            explanation: explanation.to_owned(),
            refund: None,
        });
        self.enqueue(tx, payload).await
    }

    /// Tells the guest of an order that had cost nothing, and could not be served.
    pub(super) async fn of_a_free_refusal(
        &self,
        tx: &mut PgConnection,
        reason: &str,
    ) -> Result<(), Error> {
        let payload = Payload::OrderUnfulfillable(OrderUnfulfillable {
            order: Some(self.order.clone()),
            refund: None,
            reason: reason.to_owned(),
        });
        self.enqueue(tx, payload).await
    }

    async fn of_the_order_s_end(
        &self,
        tx: &mut PgConnection,
        refund: &RefundRow,
        moment: Moment,
    ) -> Result<(), Error> {
        if moment != Moment::Leaves || another_was_told(tx, refund).await? {
            return Ok(());
        }
        let amount = minor(sum(tx, refund).await?, &refund.currency);
        let order = Some(self.order.clone());
        let payload = if refund.reason()? == RefundReason::Unfulfillable {
            Payload::OrderUnfulfillable(OrderUnfulfillable {
                order,
                refund: amount,
                reason: why_unfulfillable(tx, refund).await?,
            })
        } else {
            let explanation = &refund.note;
            self.to_holders(tx, HolderNews::Cancelled { explanation })
                .await?;
            Payload::OrderCancelled(OrderCancelled {
                order,
                explanation: refund.note.clone(),
                refund: amount,
            })
        };
        self.enqueue(tx, payload).await
    }

    async fn enqueue(&self, tx: &mut PgConnection, payload: Payload) -> Result<(), Error> {
        if self.is_wanted(tx).await? {
            return self.write(tx, payload).await;
        }
        let status = order_status(tx, self.id).await?;
        let reason = format!("{WITHHELD}{}", events::kind_of(&payload));
        store::note(tx, self.id, status, &self.by, &reason).await?;
        Ok(())
    }

    /// Fails where the order has gone to another address since this was made: whoever tells tries again.
    async fn is_wanted(&self, tx: &mut PgConnection) -> Result<bool, Error> {
        let order = sqlx::query!(
            "SELECT notices, email FROM orders WHERE id = $1",
            self.id.uuid()
        );
        let order = order.fetch_one(tx).await?;
        if order.notices && order.email != self.order.email {
            return Err(Error::Broken(
                "an order went to another address while its guest was being told",
            ));
        }
        Ok(order.notices)
    }

    async fn write(&self, tx: &mut PgConnection, payload: Payload) -> Result<(), Error> {
        let enqueue = events::enqueue(tx, self.message, self.at, payload);
        kit::with_context(self.context.clone(), enqueue).await?;
        Ok(())
    }
}

pub(super) fn order_facts(app: &App, order: &OrderRow) -> OrderFacts {
    OrderFacts {
        order_id: order.id.to_string(),
        number: order.number.clone(),
        email: order.email.clone(),
        name: order.name.clone(),
        locale: order.locale.clone(),
        sealed_order_link: app.sealed_link(order),
        sealed_unsubscribe_link: app.sealed_unsubscribe_link(order),
        event: Some(snapshot(order)),
        total: minor(order.total_amount_minor, &order.currency),
        seller: Some(Seller {
            name: order.seller_name.clone(),
            address: order.seller_address.clone(),
            tax_id: order.seller_tax_id.clone(),
            contact: order.seller_contact.clone(),
        }),
    }
}

async fn nothing_is_left(tx: &mut PgConnection, refund: &RefundRow) -> Result<bool, Error> {
    let left = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(captured_minor - refunded_minor), 0)::bigint AS "left!"
           FROM payment_attempts WHERE order_id = $1"#,
        refund.order_id,
    );
    Ok(left.fetch_one(tx).await? == 0)
}

/// Another payment of the order went back for the same reason, and its guest knows.
async fn another_was_told(tx: &mut PgConnection, refund: &RefundRow) -> Result<bool, Error> {
    let told = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM refunds WHERE order_id = $1 AND reason = $2 AND id <> $3
               AND submitted_at IS NOT NULL) AS "told!""#,
        refund.order_id,
        refund.reason,
        refund.id,
    );
    Ok(told.fetch_one(tx).await?)
}

/// What goes back for the reason of this refund, of every payment of the order.
async fn sum(tx: &mut PgConnection, refund: &RefundRow) -> Result<i64, Error> {
    let sum = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(amount_minor), 0)::bigint AS "sum!" FROM refunds
           WHERE order_id = $1 AND reason = $2 AND currency = $3"#,
        refund.order_id,
        refund.reason,
        refund.currency,
    );
    Ok(sum.fetch_one(tx).await?)
}

async fn why_unfulfillable(tx: &mut PgConnection, refund: &RefundRow) -> Result<String, Error> {
    let why = sqlx::query_scalar!(
        "SELECT reason FROM order_events
         WHERE order_id = $1 AND to_status = 'unfulfillable' AND from_status <> 'unfulfillable'
         ORDER BY id DESC LIMIT 1",
        refund.order_id,
    );
    Ok(why.fetch_optional(tx).await?.unwrap_or_default())
}
