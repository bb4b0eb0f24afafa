//! A HoldService, and what the gateway calls in its place, that says yes and keeps nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use proto::{
    common::Money,
    ticket::{
        GetHoldRequest, GetHoldResponse, Hold, HoldLine, HoldStatus, HoldTicketsBatchAnswer,
        HoldTicketsBatchRequest, HoldTicketsBatchResponse, HoldTicketsRequest, HoldTicketsResponse,
        ReleaseHoldRequest, ReleaseHoldResponse, hold_batch_service_server::HoldBatchService,
        hold_service_server::HoldService, hold_tickets_batch_answer::Outcome,
    },
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// As long as a real one.
const SECRET: &str = "k1.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEf";

#[derive(Debug, Default)]
pub struct Stub(AtomicU64);

impl Stub {
    fn hold(&self, request: HoldTicketsRequest) -> HoldTicketsResponse {
        let id = Uuid::from_u128(self.0.fetch_add(1, Ordering::Relaxed).into());
        held(id, request)
    }
}

#[tonic::async_trait]
impl HoldBatchService for Stub {
    async fn hold_tickets_batch(
        &self,
        request: Request<HoldTicketsBatchRequest>,
    ) -> Result<Response<HoldTicketsBatchResponse>, Status> {
        let items = request.into_inner().items.into_iter();
        let answers = items.map(|item| {
            let held = self.hold(item.request.unwrap_or_default());
            let outcome = Some(Outcome::Held(held));
            HoldTicketsBatchAnswer { outcome }
        });
        let answers = answers.collect();
        Ok(Response::new(HoldTicketsBatchResponse { answers }))
    }
}

#[tonic::async_trait]
impl HoldService for Stub {
    async fn hold_tickets(
        &self,
        request: Request<HoldTicketsRequest>,
    ) -> Result<Response<HoldTicketsResponse>, Status> {
        Ok(Response::new(self.hold(request.into_inner())))
    }

    async fn get_hold(
        &self,
        _: Request<GetHoldRequest>,
    ) -> Result<Response<GetHoldResponse>, Status> {
        let held = held(Uuid::nil(), HoldTicketsRequest::default());
        Ok(Response::new(GetHoldResponse { hold: held.hold }))
    }

    async fn release_hold(
        &self,
        _: Request<ReleaseHoldRequest>,
    ) -> Result<Response<ReleaseHoldResponse>, Status> {
        Ok(Response::new(ReleaseHoldResponse::default()))
    }
}

/// The answer to a hold of this id.
pub fn held(id: Uuid, request: HoldTicketsRequest) -> HoldTicketsResponse {
    let price = || {
        Some(Money {
            amount_minor: 4500,
            currency: "EUR".to_owned(),
        })
    };
    let lines = request.lines.into_iter().map(|line| HoldLine {
        ticket_type_id: line.ticket_type_id,
        category: "Standing".to_owned(),
        quantity: line.quantity,
        unit_price: price(),
        line_total: price(),
        unit_fee: price(),
        tax_rate_ppm: 0,
    });
    HoldTicketsResponse {
        hold: Some(Hold {
            id: id.to_string(),
            event_id: request.event_id,
            status: HoldStatus::Active.into(),
            expires_at: Some(proto::timestamp(time::OffsetDateTime::UNIX_EPOCH)),
            lines: lines.collect(),
            total: price(),
        }),
        secret: SECRET.to_owned(),
    }
}
