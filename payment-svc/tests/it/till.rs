//! What tests of refunds say again and again.

use std::time::Duration;

use base::OrderId;
use prost::Message as _;
use proto::{
    common::Money,
    event::{Envelope, envelope::Payload},
    payment::*,
};
use testkit::{eventually, keys};
use tonic::Status;

use crate::{
    desk::Clerk,
    world::{Placed, World, reference},
};

pub const CARD: &str = "4242424242424242";
pub const REFUNDS_LATE: &str = "4000000000007726";
pub const NEVER_REFUNDS: &str = "4000000000005126";
const PATIENCE: Duration = Duration::from_secs(60);

impl World {
    /// An order with its tickets, two at 45.00 EUR.
    pub async fn sold(&self) -> Placed {
        self.sold_to(CARD).await
    }

    pub async fn sold_to(&self, card: &str) -> Placed {
        let placed = self.placed().await;
        self.submit(&reference(&placed.order), card).await.unwrap();
        self.until(&placed, OrderStatus::Fulfilled).await;
        placed
    }

    /// As a superadmin.
    pub async fn refund(&self, request: RefundOrderRequest) -> Result<RefundDetail, Status> {
        self.refund_as(Clerk::superadmin(), request).await
    }

    pub async fn refund_as(
        &self,
        clerk: Clerk,
        request: RefundOrderRequest,
    ) -> Result<RefundDetail, Status> {
        let request = clerk.asks(request);
        let answer = self.refunds.clone().refund_order(request).await?;
        Ok(answer.into_inner().refund.unwrap())
    }

    pub async fn settle(&self, refund: &RefundDetail) -> Result<RefundDetail, Status> {
        let request = Clerk::superadmin().asks(SettleRefundRequest {
            refund_id: id(refund),
            note: "Cash, at the desk.".to_owned(),
        });
        let answer = self.refunds.clone().settle_refund(request).await?;
        Ok(answer.into_inner().refund.unwrap())
    }

    pub async fn retry(&self, refund: &RefundDetail) -> Result<RefundDetail, Status> {
        let request = Clerk::superadmin().asks(RetryRefundRequest {
            refund_id: id(refund),
        });
        let answer = self.refunds.clone().retry_refund(request).await?;
        Ok(answer.into_inner().refund.unwrap())
    }

    pub async fn list(&self, clerk: Clerk, request: ListRefundsRequest) -> ListRefundsResponse {
        let answer = self.refunds.clone().list_refunds(clerk.asks(request)).await;
        answer.unwrap().into_inner()
    }

    /// The refund as it is listed, once it has come so far. Nobody waits for pauses.
    pub async fn until_refund(&self, refund: &RefundDetail, status: RefundStatus) -> RefundDetail {
        let what = format!("refund {status:?}");
        eventually(&what, PATIENCE, || async {
            self.hurry().await;
            let all = self
                .list(Clerk::superadmin(), ListRefundsRequest::default())
                .await;
            let mut all = all.refunds.into_iter().filter_map(|listed| listed.refund);
            all.find(|listed| id(listed) == id(refund) && self::status(listed) == status)
        })
        .await
    }

    /// The order's sentence for a person.
    pub async fn attention(&self, placed: &Placed) -> Option<String> {
        let id: OrderId = placed.order.id.parse().unwrap();
        sqlx::query_scalar("SELECT needs_attention FROM orders WHERE id = $1")
            .bind(id.uuid())
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Every message about this order but its receipt, in the order of writing.
    pub async fn told(&self, placed: &Placed) -> Vec<Payload> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT envelope FROM outbox WHERE kind <> 'order_paid' ORDER BY created_at, id",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        rows.iter()
            .map(|row| Envelope::decode(row.as_slice()).unwrap().payload.unwrap())
            .filter(|payload| order_of(payload) == placed.order.id)
            .collect()
    }

    /// What the sandbox's own books say went back.
    pub async fn sent_back(&self, placed: &Placed) -> i64 {
        let sum: Option<i64> = sqlx::query_scalar(
            "SELECT sum(amount_minor)::bigint FROM sandbox.refunds
             WHERE session = $1 AND status = 'succeeded'",
        )
        .bind(reference(&placed.order))
        .fetch_one(&self.pool)
        .await
        .unwrap();
        sum.unwrap_or(0)
    }

    /// Somebody sends money back in the provider's own dashboard.
    pub async fn send_back_at_the_provider(&self, placed: &Placed, amount_minor: i64) {
        sqlx::query(
            "INSERT INTO sandbox.refunds (reference, session, amount_minor, currency)
             VALUES ($1, $2, $3, 'EUR')",
        )
        .bind(format!("sbr_{}", keys::idempotency_key()))
        .bind(reference(&placed.order))
        .bind(amount_minor)
        .execute(&self.pool)
        .await
        .unwrap();
    }
}

fn order_of(payload: &Payload) -> &str {
    let order = match payload {
        Payload::OrderPaid(facts) => return &facts.order_id,
        Payload::OrderUnfulfillable(told) => &told.order,
        Payload::OrderRefunded(told) => &told.order,
        Payload::OrderCancelled(told) => &told.order,
        Payload::OrderPostponed(told) => &told.order,
        Payload::OrderReminder(told) => &told.order,
        Payload::OrderAwaitingTransfer(told) => &told.order,
        Payload::TicketTransferred(told) => &told.order,
        Payload::TicketNews(told) => &told.order,
        Payload::OrderErased(told) => return &told.order_id,
        Payload::HolderErased(told) => return &told.order_id,
        Payload::AddressCorrected(told) => return &told.order_id,
        Payload::LookupCodeRequested(_)
        | Payload::AdminInvited(_)
        | Payload::PasswordResetRequested(_) => return "",
    };
    &order.as_ref().unwrap().order_id
}

pub fn everything(placed: &Placed) -> RefundOrderRequest {
    RefundOrderRequest {
        order_id: placed.order.id.clone(),
        reason: "We are sorry.".to_owned(),
        idempotency_key: keys::idempotency_key(),
        ..Default::default()
    }
}

pub fn an_amount(placed: &Placed, amount_minor: i64) -> RefundOrderRequest {
    RefundOrderRequest {
        amount: Some(Money {
            amount_minor,
            currency: "EUR".to_owned(),
        }),
        ..everything(placed)
    }
}

pub fn tickets(placed: &Placed, quantity: u32) -> RefundOrderRequest {
    RefundOrderRequest {
        lines: vec![RefundLine {
            ticket_type_id: placed.order.lines[0].ticket_type_id.clone(),
            quantity,
            ticket_ids: Vec::new(),
        }],
        ..everything(placed)
    }
}

pub fn id(refund: &RefundDetail) -> String {
    refund.refund.as_ref().unwrap().id.clone()
}

pub fn status(refund: &RefundDetail) -> RefundStatus {
    refund.refund.as_ref().unwrap().status()
}

pub fn minor(refund: &RefundDetail) -> i64 {
    let amount = refund.refund.as_ref().unwrap().amount.as_ref();
    amount.unwrap().amount_minor
}
