//! The index of the service: one line per RPC.

mod guest;
mod internal;

use std::sync::Arc;

use proto::payment::{
    order_service_server::OrderService, provider_event_service_server::ProviderEventService,
    sandbox_service_server::SandboxService, *,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{app::App, provider::sandbox::Sandbox};

pub(crate) struct Orders(pub Arc<App>);
pub(crate) struct SandboxPage(pub Arc<Sandbox>);
pub(crate) struct ProviderEvents(pub Arc<App>);

#[async_trait]
impl OrderService for Orders {
    async fn place_order(
        &self,
        r: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        Ok(Response::new(
            guest::place_order::place_order(&self.0, r.into_inner()).await?,
        ))
    }

    async fn get_order(
        &self,
        r: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        Ok(Response::new(
            guest::get_order::get_order(&self.0, r.into_inner()).await?,
        ))
    }

    async fn start_payment(
        &self,
        r: Request<StartPaymentRequest>,
    ) -> Result<Response<StartPaymentResponse>, Status> {
        Ok(Response::new(
            guest::start_payment::start_payment(&self.0, r.into_inner()).await?,
        ))
    }

    async fn cancel_order(
        &self,
        r: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        Ok(Response::new(
            guest::cancel_order::cancel_order(&self.0, r.into_inner()).await?,
        ))
    }

    async fn get_receipt(
        &self,
        r: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        Ok(Response::new(
            guest::get_receipt::get_receipt(&self.0, r.into_inner()).await?,
        ))
    }
}

#[async_trait]
impl SandboxService for SandboxPage {
    async fn get_sandbox_session(
        &self,
        r: Request<GetSandboxSessionRequest>,
    ) -> Result<Response<GetSandboxSessionResponse>, Status> {
        Ok(Response::new(
            guest::get_sandbox_session::get_sandbox_session(&self.0, r.into_inner()).await?,
        ))
    }

    async fn submit_sandbox_card(
        &self,
        r: Request<SubmitSandboxCardRequest>,
    ) -> Result<Response<SubmitSandboxCardResponse>, Status> {
        Ok(Response::new(
            guest::submit_sandbox_card::submit_sandbox_card(&self.0, r.into_inner()).await?,
        ))
    }
}

#[async_trait]
impl ProviderEventService for ProviderEvents {
    async fn receive_event(
        &self,
        r: Request<ReceiveEventRequest>,
    ) -> Result<Response<ReceiveEventResponse>, Status> {
        Ok(Response::new(
            internal::receive_event::receive_event(&self.0, r.into_inner()).await?,
        ))
    }
}
