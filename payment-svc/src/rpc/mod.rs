//! The index of the service: one line per RPC.

mod admin;
mod guest;
mod internal;

use std::sync::Arc;

use proto::payment::{
    desk_service_server::DeskService, insight_admin_service_server::InsightAdminService,
    order_admin_service_server::OrderAdminService, order_service_server::OrderService,
    provider_event_service_server::ProviderEventService,
    refund_admin_service_server::RefundAdminService, sandbox_service_server::SandboxService, *,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{app::App, provider::sandbox::Sandbox};

pub(crate) use admin::OwnEvents;
pub(crate) use internal::receive_event::{NewEvent, store_events};

pub(crate) struct Orders(pub Arc<App>);
pub(crate) struct Desk(pub Arc<App>);
pub(crate) struct OrdersAdmin(pub Arc<App>);
pub(crate) struct RefundsAdmin(pub Arc<App>);
pub(crate) struct Insights(pub Arc<App>);
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

    async fn list_providers(
        &self,
        r: Request<ListProvidersRequest>,
    ) -> Result<Response<ListProvidersResponse>, Status> {
        Ok(Response::new(
            guest::list_providers::list_providers(&self.0, r.into_inner()).await?,
        ))
    }
}

#[async_trait]
impl DeskService for Desk {
    async fn resend_receipt(
        &self,
        r: Request<ResendReceiptRequest>,
    ) -> Result<Response<ResendReceiptResponse>, Status> {
        Ok(Response::new(
            guest::resend_receipt::resend_receipt(&self.0, r.into_inner()).await?,
        ))
    }

    async fn request_lookup_code(
        &self,
        r: Request<RequestLookupCodeRequest>,
    ) -> Result<Response<RequestLookupCodeResponse>, Status> {
        Ok(Response::new(
            guest::request_lookup_code::request_lookup_code(&self.0, r.into_inner()).await?,
        ))
    }

    async fn redeem_lookup_code(
        &self,
        r: Request<RedeemLookupCodeRequest>,
    ) -> Result<Response<RedeemLookupCodeResponse>, Status> {
        Ok(Response::new(
            guest::redeem_lookup_code::redeem_lookup_code(&self.0, r.into_inner()).await?,
        ))
    }

    async fn update_preferences(
        &self,
        r: Request<UpdatePreferencesRequest>,
    ) -> Result<Response<UpdatePreferencesResponse>, Status> {
        Ok(Response::new(
            guest::update_preferences::update_preferences(&self.0, r.into_inner()).await?,
        ))
    }

    async fn unsubscribe(
        &self,
        r: Request<UnsubscribeRequest>,
    ) -> Result<Response<UnsubscribeResponse>, Status> {
        Ok(Response::new(
            guest::unsubscribe::unsubscribe(&self.0, r.into_inner()).await?,
        ))
    }

    async fn correct_address(
        &self,
        r: Request<CorrectAddressRequest>,
    ) -> Result<Response<CorrectAddressResponse>, Status> {
        Ok(Response::new(
            guest::correct_address::correct_address(&self.0, r.into_inner()).await?,
        ))
    }

    async fn transfer_ticket(
        &self,
        r: Request<TransferTicketRequest>,
    ) -> Result<Response<TransferTicketResponse>, Status> {
        Ok(Response::new(
            guest::transfer_ticket::transfer_ticket(&self.0, r.into_inner()).await?,
        ))
    }

    async fn get_transferred_ticket(
        &self,
        r: Request<GetTransferredTicketRequest>,
    ) -> Result<Response<GetTransferredTicketResponse>, Status> {
        Ok(Response::new(
            guest::get_transferred_ticket::get_transferred_ticket(&self.0, r.into_inner()).await?,
        ))
    }

    async fn get_order_mark(
        &self,
        r: Request<GetOrderMarkRequest>,
    ) -> Result<Response<GetOrderMarkResponse>, Status> {
        Ok(Response::new(
            guest::get_order_mark::get_order_mark(&self.0, r.into_inner()).await?,
        ))
    }

    async fn get_terms(
        &self,
        r: Request<GetTermsRequest>,
    ) -> Result<Response<GetTermsResponse>, Status> {
        Ok(Response::new(
            guest::get_terms::get_terms(&self.0, r.into_inner()).await?,
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

    async fn approve_sandbox_step(
        &self,
        r: Request<ApproveSandboxStepRequest>,
    ) -> Result<Response<ApproveSandboxStepResponse>, Status> {
        Ok(Response::new(
            guest::approve_sandbox_step::approve_sandbox_step(&self.0, r.into_inner()).await?,
        ))
    }

    async fn settle_sandbox_session(
        &self,
        r: Request<SettleSandboxSessionRequest>,
    ) -> Result<Response<SettleSandboxSessionResponse>, Status> {
        Ok(Response::new(
            guest::settle_sandbox_session::settle_sandbox_session(&self.0, r.into_inner()).await?,
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

#[async_trait]
impl OrderAdminService for OrdersAdmin {
    async fn list_orders(
        &self,
        r: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        Ok(Response::new(
            admin::list_orders::list_orders(&self.0, r).await?,
        ))
    }

    async fn inspect_order(
        &self,
        r: Request<InspectOrderRequest>,
    ) -> Result<Response<InspectOrderResponse>, Status> {
        Ok(Response::new(
            admin::inspect_order::inspect_order(&self.0, r).await?,
        ))
    }

    async fn verify_payment(
        &self,
        r: Request<VerifyPaymentRequest>,
    ) -> Result<Response<VerifyPaymentResponse>, Status> {
        Ok(Response::new(
            admin::verify_payment::verify_payment(&self.0, r).await?,
        ))
    }

    async fn confirm_payment(
        &self,
        r: Request<ConfirmPaymentRequest>,
    ) -> Result<Response<ConfirmPaymentResponse>, Status> {
        Ok(Response::new(
            admin::confirm_payment::confirm_payment(&self.0, r).await?,
        ))
    }

    async fn reject_payment(
        &self,
        r: Request<RejectPaymentRequest>,
    ) -> Result<Response<RejectPaymentResponse>, Status> {
        Ok(Response::new(
            admin::reject_payment::reject_payment(&self.0, r).await?,
        ))
    }

    async fn send_receipt(
        &self,
        r: Request<SendReceiptRequest>,
    ) -> Result<Response<SendReceiptResponse>, Status> {
        Ok(Response::new(
            admin::send_receipt::send_receipt(&self.0, r).await?,
        ))
    }

    async fn change_address(
        &self,
        r: Request<ChangeAddressRequest>,
    ) -> Result<Response<ChangeAddressResponse>, Status> {
        Ok(Response::new(
            admin::change_address::change_address(&self.0, r).await?,
        ))
    }

    async fn resolve_mismatch(
        &self,
        r: Request<ResolveMismatchRequest>,
    ) -> Result<Response<ResolveMismatchResponse>, Status> {
        Ok(Response::new(
            admin::resolve_mismatch::resolve_mismatch(&self.0, r).await?,
        ))
    }

    async fn erase_guest(
        &self,
        r: Request<EraseGuestRequest>,
    ) -> Result<Response<EraseGuestResponse>, Status> {
        Ok(Response::new(
            admin::erase_guest::erase_guest(&self.0, r).await?,
        ))
    }

    type ExportOrdersStream = admin::export_orders::Rows;

    async fn export_orders(
        &self,
        r: Request<ExportOrdersRequest>,
    ) -> Result<Response<Self::ExportOrdersStream>, Status> {
        Ok(Response::new(
            admin::export_orders::export_orders(&self.0, r).await?,
        ))
    }
}

#[async_trait]
impl RefundAdminService for RefundsAdmin {
    async fn refund_order(
        &self,
        r: Request<RefundOrderRequest>,
    ) -> Result<Response<RefundOrderResponse>, Status> {
        Ok(Response::new(
            admin::refund_order::refund_order(&self.0, r).await?,
        ))
    }

    async fn retry_refund(
        &self,
        r: Request<RetryRefundRequest>,
    ) -> Result<Response<RetryRefundResponse>, Status> {
        Ok(Response::new(
            admin::retry_refund::retry_refund(&self.0, r).await?,
        ))
    }

    async fn settle_refund(
        &self,
        r: Request<SettleRefundRequest>,
    ) -> Result<Response<SettleRefundResponse>, Status> {
        Ok(Response::new(
            admin::settle_refund::settle_refund(&self.0, r).await?,
        ))
    }

    async fn list_refunds(
        &self,
        r: Request<ListRefundsRequest>,
    ) -> Result<Response<ListRefundsResponse>, Status> {
        Ok(Response::new(
            admin::list_refunds::list_refunds(&self.0, r).await?,
        ))
    }

    async fn get_event_refund(
        &self,
        r: Request<GetEventRefundRequest>,
    ) -> Result<Response<GetEventRefundResponse>, Status> {
        Ok(Response::new(
            admin::get_event_refund::get_event_refund(&self.0, r).await?,
        ))
    }

    async fn get_event_accounts(
        &self,
        r: Request<GetEventAccountsRequest>,
    ) -> Result<Response<GetEventAccountsResponse>, Status> {
        Ok(Response::new(
            admin::get_event_accounts::get_event_accounts(&self.0, r).await?,
        ))
    }
}

#[async_trait]
impl InsightAdminService for Insights {
    async fn read_sales(
        &self,
        r: Request<ReadSalesRequest>,
    ) -> Result<Response<ReadSalesResponse>, Status> {
        Ok(Response::new(
            admin::read_sales::read_sales(&self.0, r).await?,
        ))
    }
}
