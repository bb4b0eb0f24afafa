//! The guest of an order that waits for a bank transfer is told where to, how much and by when: once it
//! waits, and again after each part that arrived.

use base::OrderId;
use proto::event::{OrderAwaitingTransfer, envelope::Payload};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{announce::Announcement, news::News, send_back::order_status};
use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    store::{AttemptRow, OrderRow},
    view::minor,
};

/// What the message needs beside the amount.
pub(super) struct TransferNotice {
    order: OrderId,
    announcement: Announcement,
    instructions: String,
    reference: String,
    pay_by: OffsetDateTime,
    currency: String,
}

impl TransferNotice {
    /// None where the payment has a page, or its provider was switched off.
    pub fn of(app: &App, order: &OrderRow, attempt: &AttemptRow, reference: &str) -> Option<Self> {
        let payee = app.providers.get(&attempt.provider)?.payee();
        let instructions = Some(payee.to_owned()).filter(|payee| !payee.is_empty())?;
        Some(Self {
            order: order.order_id(),
            announcement: Announcement::about(app, order),
            instructions,
            reference: reference.to_owned(),
            pay_by: order.pay_by.unwrap_or(attempt.deadline),
            currency: attempt.currency.clone(),
        })
    }

    /// Tells what is missing, if the order still waits for it.
    pub async fn tell(&self, tx: &mut PgConnection, due_minor: i64) -> Result<(), Error> {
        if order_status(tx, self.order).await? != OrderStatus::AwaitingPayment {
            return Ok(());
        }
        let told = self
            .announcement
            .of_news(tx, News::AwaitingTransfer, |order, number| {
                Payload::OrderAwaitingTransfer(OrderAwaitingTransfer {
                    order: Some(order),
                    due: minor(due_minor, &self.currency),
                    pay_by: Some(proto::timestamp(self.pay_by)),
                    instructions: self.instructions.clone(),
                    reference: self.reference.clone(),
                    number,
                })
            });
        told.await
    }
}
