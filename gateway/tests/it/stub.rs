//! All services of the contracts that the gateway calls, each answering a fact, or the failure that
//! a test asks for. What was asked is written down.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::stream::{self, BoxStream, StreamExt as _};
use kit::{Code, ErrorReason, Failure};
use prost::Message;
use proto::{notify, payment, ticket, user};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    facts,
    frank::frank,
    office::{Office, Told},
};

pub type Export = BoxStream<'static, Result<payment::ExportOrdersResponse, Status>>;
pub type Reply<T> = Result<Response<T>, Status>;

pub struct Stub {
    failure: Mutex<Option<fn() -> Status>>,
    asked: Mutex<Vec<String>>,
    /// The names of what came along with the last call.
    pub last_metadata: Mutex<Vec<String>>,
    /// How often it came to an answer after the gate.
    pub answered: AtomicUsize,
    /// So many calls fail like this, then it works.
    failures: Mutex<Vec<fn() -> Status>>,
    pub event: Mutex<ticket::Event>,
    /// As its admins see it.
    pub own: Mutex<ticket::Event>,
    pub programme: Mutex<Vec<ticket::Event>>,
    pub ticket_types: Mutex<Vec<ticket::TicketType>>,
    pub hold: Mutex<ticket::Hold>,
    pub order: Mutex<payment::Order>,
    pub session: Mutex<payment::SandboxSession>,
    pub preparing: Mutex<bool>,
    /// Version and text.
    pub terms: Mutex<(String, String)>,
    pub providers: Mutex<Vec<payment::PaymentProvider>>,
    /// How receipts fare.
    pub delivery: Mutex<notify::DeliveryState>,
    /// What an export sends. While it is open it goes on.
    pub export: Mutex<Option<Export>>,
    /// The parts of the record, as the services answer them in turn.
    pub record: Mutex<VecDeque<Vec<proto::audit::AuditEntry>>>,
    /// What a copy of the programme is made from.
    pub office: Office,
    /// Requests wait here for as long as a test holds it.
    pub gate: tokio::sync::Mutex<()>,
}

impl Default for Stub {
    fn default() -> Self {
        Self {
            failure: Mutex::default(),
            asked: Mutex::default(),
            last_metadata: Mutex::default(),
            answered: AtomicUsize::default(),
            failures: Mutex::default(),
            delivery: Mutex::new(notify::DeliveryState::Sent),
            event: Mutex::new(facts::event()),
            own: Mutex::new(facts::event()),
            programme: Mutex::new(vec![facts::event()]),
            ticket_types: Mutex::new(facts::ticket_types()),
            hold: Mutex::new(facts::hold()),
            order: Mutex::new(facts::order()),
            session: Mutex::new(facts::session()),
            preparing: Mutex::default(),
            terms: Mutex::default(),
            providers: Mutex::new(facts::providers()),
            export: Mutex::default(),
            record: Mutex::default(),
            office: Office::default(),
            gate: tokio::sync::Mutex::default(),
        }
    }
}

impl Stub {
    /// Every call fails like this from now on.
    pub fn fail(&self, failure: fn() -> Status) {
        *self.failure.lock().unwrap() = Some(failure);
    }

    /// The next calls fail like this.
    pub fn fail_times(&self, times: usize, failure: fn() -> Status) {
        *self.failures.lock().unwrap() = vec![failure; times];
    }

    pub fn work_again(&self) {
        *self.failure.lock().unwrap() = None;
    }

    /// What was asked last, with the metadata that matters.
    pub fn last_asked(&self) -> String {
        self.asked
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }

    /// How often it was asked so.
    pub fn times_asked_for(&self, what: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|one| one.contains(what)).count()
    }

    pub fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn next_failure(&self) -> Option<fn() -> Status> {
        self.failures.lock().unwrap().pop()
    }

    pub async fn answer<Q: Message, A>(
        &self,
        request: Request<Q>,
        answer: impl FnOnce(Q) -> A,
    ) -> Reply<A> {
        let metadata = request.metadata();
        let text = |name: &str| {
            metadata
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or("none")
        };
        let asked = format!(
            "authorization={} traceparent={} timeout={} client={} {}",
            text("authorization"),
            text("traceparent"),
            text("grpc-timeout"),
            text("x-boxoffice-client"),
            frank(request.get_ref())
        );
        let names = metadata.keys().map(|key| format!("{key:?}")).collect();
        *self.last_metadata.lock().unwrap() = names;
        self.asked.lock().unwrap().push(asked);
        drop(self.gate.lock().await);
        self.answered.fetch_add(1, Ordering::SeqCst);
        let failure = self.next_failure().or(*self.failure.lock().unwrap());
        match failure {
            Some(failure) => Err(failure()),
            None => Ok(Response::new(answer(request.into_inner()))),
        }
    }
}

pub fn secret_fits(secret: &str, expected: &str) -> Result<(), Status> {
    if secret == expected {
        Ok(())
    } else {
        Err(Failure::not_found("resource").into())
    }
}

#[async_trait]
impl ticket::catalog_service_server::CatalogService for Stub {
    async fn list_events(
        &self,
        request: Request<ticket::ListEventsRequest>,
    ) -> Reply<ticket::ListEventsResponse> {
        self.answer(request, |_| ticket::ListEventsResponse {
            events: self.programme.lock().unwrap().clone(),
            next_page_token: String::new(),
        })
        .await
    }

    async fn get_event(
        &self,
        request: Request<ticket::GetEventRequest>,
    ) -> Reply<ticket::GetEventResponse> {
        let known = [facts::EVENT, "moonlight-sessions"];
        if !known.contains(&request.get_ref().id_or_slug.as_str()) {
            return Err(Failure::not_found("concert").into());
        }
        self.answer(request, |_| ticket::GetEventResponse {
            event: Some(self.event.lock().unwrap().clone()),
            ticket_types: self.ticket_types.lock().unwrap().clone(),
        })
        .await
    }

    async fn read_programme(
        &self,
        request: Request<ticket::ReadProgrammeRequest>,
    ) -> Reply<ticket::ReadProgrammeResponse> {
        self.office.read(&request.into_inner())
    }

    type WatchAvailabilityStream = Told;

    async fn watch_availability(
        &self,
        _: Request<ticket::WatchAvailabilityRequest>,
    ) -> Reply<Told> {
        self.office.watch()
    }
}

#[async_trait]
impl ticket::change_service_server::ChangeService for Stub {
    async fn list_event_changes(
        &self,
        request: Request<ticket::ListEventChangesRequest>,
    ) -> Reply<ticket::ListEventChangesResponse> {
        self.office.changes(&request.into_inner())
    }
}

#[async_trait]
impl ticket::hold_batch_service_server::HoldBatchService for Stub {
    /// Each by itself, so that a test sees what was asked for one request.
    async fn hold_tickets_batch(
        &self,
        request: Request<ticket::HoldTicketsBatchRequest>,
    ) -> Reply<ticket::HoldTicketsBatchResponse> {
        use ticket::{hold_service_server::HoldService as _, hold_tickets_batch_answer::Outcome};
        let metadata = request.metadata().clone();
        let items = request.into_inner().items;
        let sole = items.len() == 1;
        let mut answers = Vec::new();
        for item in items {
            let mut request = Request::new(item.request.unwrap_or_default());
            *request.metadata_mut() = metadata.clone();
            let outcome = match self.hold_tickets(request).await {
                Ok(held) => Outcome::Held(held.into_inner()),
                // The call itself fails where the whole service is away.
                Err(status) if sole && status.code() == Code::Unavailable => return Err(status),
                Err(status) => Outcome::Refused(Failure::from_status(&status).into_message()),
            };
            let outcome = Some(outcome);
            answers.push(ticket::HoldTicketsBatchAnswer { outcome });
        }
        Ok(Response::new(ticket::HoldTicketsBatchResponse { answers }))
    }
}

#[async_trait]
impl ticket::hold_service_server::HoldService for Stub {
    async fn hold_tickets(
        &self,
        request: Request<ticket::HoldTicketsRequest>,
    ) -> Reply<ticket::HoldTicketsResponse> {
        if request
            .get_ref()
            .lines
            .iter()
            .any(|line| line.quantity > 10)
        {
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::LimitExceeded);
            return Err(Failure::refused(code, reason, "At most 10 per order.").into());
        }
        self.answer(request, |_| ticket::HoldTicketsResponse {
            hold: Some(self.hold.lock().unwrap().clone()),
            secret: facts::HOLD_SECRET.to_owned(),
        })
        .await
    }

    async fn get_hold(
        &self,
        request: Request<ticket::GetHoldRequest>,
    ) -> Reply<ticket::GetHoldResponse> {
        secret_fits(&request.get_ref().secret, facts::HOLD_SECRET)?;
        self.answer(request, |_| ticket::GetHoldResponse {
            hold: Some(self.hold.lock().unwrap().clone()),
        })
        .await
    }

    async fn release_hold(
        &self,
        request: Request<ticket::ReleaseHoldRequest>,
    ) -> Reply<ticket::ReleaseHoldResponse> {
        secret_fits(&request.get_ref().secret, facts::HOLD_SECRET)?;
        self.answer(request, |_| ticket::ReleaseHoldResponse {
            hold: Some(self.hold.lock().unwrap().clone()),
        })
        .await
    }
}

#[async_trait]
impl ticket::catalog_admin_service_server::CatalogAdminService for Stub {
    async fn create_event(
        &self,
        request: Request<ticket::CreateEventRequest>,
    ) -> Reply<ticket::CreateEventResponse> {
        self.answer(request, |new| ticket::CreateEventResponse {
            event: Some(ticket::Event {
                title: new.title,
                status: ticket::EventStatus::Inactive.into(),
                price_from: None,
                version: 1,
                ..facts::event()
            }),
        })
        .await
    }

    async fn update_event(
        &self,
        request: Request<ticket::UpdateEventRequest>,
    ) -> Reply<ticket::UpdateEventResponse> {
        self.answer(request, |_| ticket::UpdateEventResponse {
            event: Some(ticket::Event {
                version: 4,
                ..facts::event()
            }),
        })
        .await
    }

    async fn set_event_image(
        &self,
        request: Request<ticket::SetEventImageRequest>,
    ) -> Reply<ticket::SetEventImageResponse> {
        self.answer(request, |wish| ticket::SetEventImageResponse {
            event: Some(ticket::Event {
                version: 4,
                image: wish.image,
                ..facts::event()
            }),
        })
        .await
    }

    async fn cancel_event(
        &self,
        request: Request<ticket::CancelEventRequest>,
    ) -> Reply<ticket::CancelEventResponse> {
        self.answer(request, |cancel| ticket::CancelEventResponse {
            event: Some(ticket::Event {
                version: 4,
                status: ticket::EventStatus::Cancelled.into(),
                cancel_reason: cancel.reason,
                ..facts::event()
            }),
        })
        .await
    }

    async fn list_own_events(
        &self,
        request: Request<ticket::ListOwnEventsRequest>,
    ) -> Reply<ticket::ListOwnEventsResponse> {
        self.answer(request, |_| ticket::ListOwnEventsResponse {
            events: vec![facts::event()],
            next_page_token: "next".to_owned(),
        })
        .await
    }

    async fn get_own_event(
        &self,
        request: Request<ticket::GetOwnEventRequest>,
    ) -> Reply<ticket::GetOwnEventResponse> {
        self.answer(request, |_| ticket::GetOwnEventResponse {
            event: Some(self.own.lock().unwrap().clone()),
            ticket_types: facts::ticket_types(),
        })
        .await
    }

    async fn create_ticket_type(
        &self,
        request: Request<ticket::CreateTicketTypeRequest>,
    ) -> Reply<ticket::CreateTicketTypeResponse> {
        self.answer(request, |_| ticket::CreateTicketTypeResponse {
            ticket_type: facts::ticket_types().pop(),
        })
        .await
    }

    async fn update_ticket_type(
        &self,
        request: Request<ticket::UpdateTicketTypeRequest>,
    ) -> Reply<ticket::UpdateTicketTypeResponse> {
        self.answer(request, |_| ticket::UpdateTicketTypeResponse {
            ticket_type: facts::ticket_types().pop(),
        })
        .await
    }

    async fn postpone_event(
        &self,
        request: Request<ticket::PostponeEventRequest>,
    ) -> Reply<ticket::PostponeEventResponse> {
        self.answer(request, |_| ticket::PostponeEventResponse {
            event: Some(facts::postponed()),
        })
        .await
    }

    async fn archive_event(
        &self,
        request: Request<ticket::ArchiveEventRequest>,
    ) -> Reply<ticket::ArchiveEventResponse> {
        self.answer(request, |_| ticket::ArchiveEventResponse {
            event: Some(facts::archived()),
        })
        .await
    }

    async fn clone_event(
        &self,
        request: Request<ticket::CloneEventRequest>,
    ) -> Reply<ticket::CloneEventResponse> {
        self.answer(request, |_| ticket::CloneEventResponse {
            event: Some(facts::event()),
            ticket_types: facts::ticket_types(),
        })
        .await
    }

    async fn delete_event(
        &self,
        request: Request<ticket::DeleteEventRequest>,
    ) -> Reply<ticket::DeleteEventResponse> {
        self.answer(request, |_| ticket::DeleteEventResponse {})
            .await
    }

    async fn delete_ticket_type(
        &self,
        request: Request<ticket::DeleteTicketTypeRequest>,
    ) -> Reply<ticket::DeleteTicketTypeResponse> {
        self.answer(request, |_| ticket::DeleteTicketTypeResponse {})
            .await
    }

    async fn list_pools(
        &self,
        request: Request<ticket::ListPoolsRequest>,
    ) -> Reply<ticket::ListPoolsResponse> {
        self.answer(request, |_| ticket::ListPoolsResponse {
            pools: vec![facts::pool()],
        })
        .await
    }

    async fn create_pool(
        &self,
        request: Request<ticket::CreatePoolRequest>,
    ) -> Reply<ticket::CreatePoolResponse> {
        self.answer(request, |_| ticket::CreatePoolResponse {
            pool: Some(facts::pool()),
        })
        .await
    }

    async fn update_pool(
        &self,
        request: Request<ticket::UpdatePoolRequest>,
    ) -> Reply<ticket::UpdatePoolResponse> {
        self.answer(request, |_| ticket::UpdatePoolResponse {
            pool: Some(facts::pool()),
        })
        .await
    }
}

#[async_trait]
impl payment::order_service_server::OrderService for Stub {
    async fn place_order(
        &self,
        request: Request<payment::PlaceOrderRequest>,
    ) -> Reply<payment::PlaceOrderResponse> {
        if !request.get_ref().email.contains('@') {
            let problem = kit::FieldProblem::new("email", "must have exactly one @");
            return Err(kit::fields(vec![problem]).into());
        }
        self.answer(request, |_| payment::PlaceOrderResponse {
            order: Some(self.order.lock().unwrap().clone()),
            secret: facts::ORDER_SECRET.to_owned(),
            preparing: *self.preparing.lock().unwrap(),
            purchase_proof: facts::PURCHASE_PROOF.to_owned(),
        })
        .await
    }

    async fn get_order(
        &self,
        request: Request<payment::GetOrderRequest>,
    ) -> Reply<payment::GetOrderResponse> {
        secret_fits(&request.get_ref().secret, facts::ORDER_SECRET)?;
        self.answer(request, |_| payment::GetOrderResponse {
            order: Some(self.order.lock().unwrap().clone()),
        })
        .await
    }

    async fn start_payment(
        &self,
        request: Request<payment::StartPaymentRequest>,
    ) -> Reply<payment::StartPaymentResponse> {
        secret_fits(&request.get_ref().secret, facts::ORDER_SECRET)?;
        self.answer(request, |_| payment::StartPaymentResponse {
            order: Some(self.order.lock().unwrap().clone()),
            preparing: *self.preparing.lock().unwrap(),
        })
        .await
    }

    async fn cancel_order(
        &self,
        request: Request<payment::CancelOrderRequest>,
    ) -> Reply<payment::CancelOrderResponse> {
        secret_fits(&request.get_ref().secret, facts::ORDER_SECRET)?;
        self.answer(request, |_| payment::CancelOrderResponse {
            order: Some(payment::Order {
                status: payment::OrderStatus::Cancelled.into(),
                ..facts::order()
            }),
        })
        .await
    }

    async fn list_providers(
        &self,
        request: Request<payment::ListProvidersRequest>,
    ) -> Reply<payment::ListProvidersResponse> {
        self.answer(request, |_| payment::ListProvidersResponse {
            providers: self.providers.lock().unwrap().clone(),
        })
        .await
    }

    async fn get_receipt(
        &self,
        request: Request<payment::GetReceiptRequest>,
    ) -> Reply<payment::GetReceiptResponse> {
        secret_fits(&request.get_ref().secret, facts::ORDER_SECRET)?;
        self.answer(request, |request| payment::GetReceiptResponse {
            facts: Some(proto::event::OrderPaid {
                order_id: request.order_id,
                number: "BX-7K3M9Q".to_owned(),
                ..Default::default()
            }),
        })
        .await
    }
}

#[async_trait]
impl payment::order_admin_service_server::OrderAdminService for Stub {
    async fn list_orders(
        &self,
        request: Request<payment::ListOrdersRequest>,
    ) -> Reply<payment::ListOrdersResponse> {
        self.answer(request, |_| payment::ListOrdersResponse {
            orders: vec![facts::summary()],
            next_page_token: "next".to_owned(),
        })
        .await
    }

    async fn inspect_order(
        &self,
        request: Request<payment::InspectOrderRequest>,
    ) -> Reply<payment::InspectOrderResponse> {
        self.answer(request, |_| facts::story()).await
    }

    type ExportOrdersStream = Export;

    async fn export_orders(&self, request: Request<payment::ExportOrdersRequest>) -> Reply<Export> {
        let one = || {
            let orders = vec![facts::summary()];
            stream::iter([Ok(payment::ExportOrdersResponse { orders })]).boxed()
        };
        let export = self.export.lock().unwrap().take();
        self.answer(request, |_| export.unwrap_or_else(one)).await
    }

    async fn erase_guest(
        &self,
        request: Request<payment::EraseGuestRequest>,
    ) -> Reply<payment::EraseGuestResponse> {
        self.answer(request, |asked| payment::EraseGuestResponse {
            order_ids: vec![asked.order_id],
        })
        .await
    }

    async fn verify_payment(
        &self,
        request: Request<payment::VerifyPaymentRequest>,
    ) -> Reply<payment::VerifyPaymentResponse> {
        self.answer(request, |_| payment::VerifyPaymentResponse {
            order: Some(self.order.lock().unwrap().clone()),
        })
        .await
    }

    async fn send_receipt(
        &self,
        request: Request<payment::SendReceiptRequest>,
    ) -> Reply<payment::SendReceiptResponse> {
        self.answer(request, |_| payment::SendReceiptResponse {
            email: "ada@example.org".to_owned(),
        })
        .await
    }

    async fn change_address(
        &self,
        request: Request<payment::ChangeAddressRequest>,
    ) -> Reply<payment::ChangeAddressResponse> {
        self.answer(request, |request| payment::ChangeAddressResponse {
            email: request.email,
        })
        .await
    }

    async fn confirm_payment(
        &self,
        request: Request<payment::ConfirmPaymentRequest>,
    ) -> Reply<payment::ConfirmPaymentResponse> {
        self.answer(request, |_| payment::ConfirmPaymentResponse {
            order: Some(self.order.lock().unwrap().clone()),
        })
        .await
    }

    async fn reject_payment(
        &self,
        request: Request<payment::RejectPaymentRequest>,
    ) -> Reply<payment::RejectPaymentResponse> {
        self.answer(request, |_| payment::RejectPaymentResponse {
            order: Some(self.order.lock().unwrap().clone()),
        })
        .await
    }

    async fn resolve_mismatch(
        &self,
        request: Request<payment::ResolveMismatchRequest>,
    ) -> Reply<payment::ResolveMismatchResponse> {
        self.answer(request, |_| payment::ResolveMismatchResponse {
            order: Some(self.order.lock().unwrap().clone()),
        })
        .await
    }
}

#[async_trait]
impl payment::refund_admin_service_server::RefundAdminService for Stub {
    async fn refund_order(
        &self,
        request: Request<payment::RefundOrderRequest>,
    ) -> Reply<payment::RefundOrderResponse> {
        self.answer(request, |_| payment::RefundOrderResponse {
            refund: Some(facts::refund_detail()),
        })
        .await
    }

    async fn retry_refund(
        &self,
        request: Request<payment::RetryRefundRequest>,
    ) -> Reply<payment::RetryRefundResponse> {
        self.answer(request, |_| payment::RetryRefundResponse {
            refund: Some(facts::refund_detail()),
        })
        .await
    }

    async fn settle_refund(
        &self,
        request: Request<payment::SettleRefundRequest>,
    ) -> Reply<payment::SettleRefundResponse> {
        self.answer(request, |_| payment::SettleRefundResponse {
            refund: Some(facts::refund_detail()),
        })
        .await
    }

    async fn list_refunds(
        &self,
        request: Request<payment::ListRefundsRequest>,
    ) -> Reply<payment::ListRefundsResponse> {
        self.answer(request, |_| payment::ListRefundsResponse {
            refunds: vec![payment::ListedRefund {
                order_id: facts::ORDER.to_owned(),
                order_number: "BX-7K3M9Q".to_owned(),
                refund: Some(facts::refund_detail()),
            }],
            next_page_token: "next".to_owned(),
        })
        .await
    }

    async fn get_event_refund(
        &self,
        request: Request<payment::GetEventRefundRequest>,
    ) -> Reply<payment::GetEventRefundResponse> {
        self.answer(request, |_| facts::event_refund()).await
    }

    async fn get_event_accounts(
        &self,
        request: Request<payment::GetEventAccountsRequest>,
    ) -> Reply<payment::GetEventAccountsResponse> {
        let balance = |account: &str, amount_minor| payment::AccountBalance {
            account: account.to_owned(),
            balance: facts::eur(amount_minor),
        };
        self.answer(request, |_| payment::GetEventAccountsResponse {
            balances: vec![balance("provider:sandbox", 5000), balance("sales", -5000)],
        })
        .await
    }
}

#[async_trait]
impl payment::provider_event_service_server::ProviderEventService for Stub {
    async fn receive_event(
        &self,
        request: Request<payment::ReceiveEventRequest>,
    ) -> Reply<payment::ReceiveEventResponse> {
        self.answer(request, |_| payment::ReceiveEventResponse {
            duplicate: false,
        })
        .await
    }
}

#[async_trait]
impl payment::sandbox_service_server::SandboxService for Stub {
    async fn get_sandbox_session(
        &self,
        request: Request<payment::GetSandboxSessionRequest>,
    ) -> Reply<payment::GetSandboxSessionResponse> {
        self.answer(request, |_| payment::GetSandboxSessionResponse {
            session: Some(self.session.lock().unwrap().clone()),
        })
        .await
    }

    async fn submit_sandbox_card(
        &self,
        request: Request<payment::SubmitSandboxCardRequest>,
    ) -> Reply<payment::SubmitSandboxCardResponse> {
        use payment::SandboxSessionStatus as Outcome;
        let card = request.get_ref();
        if card.cvc.len() != 3 {
            let problem = kit::FieldProblem::new("cvc", "must have three digits");
            return Err(kit::fields(vec![problem]).into());
        }
        let outcome = match card.card_number.as_str() {
            "4242424242424242" => Outcome::Succeeded,
            "4000002500003155" => Outcome::Approval,
            "4000000000000119" => Outcome::Pending,
            _ => Outcome::Declined,
        };
        self.answer(request, |_| payment::SubmitSandboxCardResponse {
            session: Some(payment::SandboxSession {
                status: outcome.into(),
                ..facts::session()
            }),
        })
        .await
    }

    async fn approve_sandbox_step(
        &self,
        request: Request<payment::ApproveSandboxStepRequest>,
    ) -> Reply<payment::ApproveSandboxStepResponse> {
        use payment::SandboxSessionStatus as Outcome;
        let outcome = if request.get_ref().approve {
            Outcome::Succeeded
        } else {
            Outcome::Declined
        };
        self.answer(request, |_| payment::ApproveSandboxStepResponse {
            session: Some(payment::SandboxSession {
                status: outcome.into(),
                ..facts::session()
            }),
        })
        .await
    }

    async fn settle_sandbox_session(
        &self,
        request: Request<payment::SettleSandboxSessionRequest>,
    ) -> Reply<payment::SettleSandboxSessionResponse> {
        self.answer(request, |_| payment::SettleSandboxSessionResponse {
            session: Some(facts::session()),
        })
        .await
    }
}

#[async_trait]
impl notify::document_service_server::DocumentService for Stub {
    async fn render_document(
        &self,
        request: Request<notify::RenderDocumentRequest>,
    ) -> Reply<notify::RenderDocumentResponse> {
        self.answer(request, |request| {
            let number = request.facts.as_ref().map(|facts| facts.number.clone());
            let (media_type, name) = match request.kind() {
                notify::DocumentKind::TicketsPdf => ("application/pdf", "tickets.pdf"),
                notify::DocumentKind::ReceiptPdf => ("application/pdf", "receipt.pdf"),
                notify::DocumentKind::Calendar => ("text/calendar; charset=utf-8", "concert.ics"),
                _ => ("text/html; charset=utf-8", "receipt.html"),
            };
            notify::RenderDocumentResponse {
                content: format!("rendered {}", number.unwrap_or_default()).into_bytes(),
                media_type: media_type.to_owned(),
                file_name: name.to_owned(),
            }
        })
        .await
    }
}

#[async_trait]
impl user::setup_service_server::SetupService for Stub {
    async fn setup_first_admin(
        &self,
        request: Request<user::SetupFirstAdminRequest>,
    ) -> Reply<user::SetupFirstAdminResponse> {
        self.answer(request, |new| user::SetupFirstAdminResponse {
            user: Some(root(new.email)),
        })
        .await
    }
}

#[async_trait]
impl user::session_service_server::SessionService for Stub {
    async fn login(&self, request: Request<user::LoginRequest>) -> Reply<user::LoginResponse> {
        self.answer(request, |login| user::LoginResponse {
            access_token: "good".to_owned(),
            expires_in: 600,
            refresh_token: "again".to_owned(),
            user: Some(root(login.email)),
        })
        .await
    }

    /// A session lasts for one refresh.
    async fn refresh(
        &self,
        request: Request<user::RefreshRequest>,
    ) -> Reply<user::RefreshResponse> {
        if request.get_ref().refresh_token != "again" {
            let (code, reason) = (Code::Unauthenticated, ErrorReason::Unauthenticated);
            return Err(Failure::refused(code, reason, "The session has ended.").into());
        }
        self.answer(request, |_| user::RefreshResponse {
            access_token: "good".to_owned(),
            expires_in: 600,
            refresh_token: "last".to_owned(),
            user: Some(root("root@example.org".to_owned())),
        })
        .await
    }

    async fn logout(&self, request: Request<user::LogoutRequest>) -> Reply<user::LogoutResponse> {
        self.answer(request, |_| user::LogoutResponse {}).await
    }

    async fn list_sessions(
        &self,
        request: Request<user::ListSessionsRequest>,
    ) -> Reply<user::ListSessionsResponse> {
        self.answer(request, |_| user::ListSessionsResponse {
            sessions: vec![facts::session_of_an_admin()],
        })
        .await
    }

    async fn revoke_session(
        &self,
        request: Request<user::RevokeSessionRequest>,
    ) -> Reply<user::RevokeSessionResponse> {
        self.answer(request, |_| user::RevokeSessionResponse {})
            .await
    }

    async fn change_password(
        &self,
        request: Request<user::ChangePasswordRequest>,
    ) -> Reply<user::ChangePasswordResponse> {
        self.answer(request, |_| user::ChangePasswordResponse {})
            .await
    }

    async fn get_me(&self, request: Request<user::GetMeRequest>) -> Reply<user::GetMeResponse> {
        let email = "root@example.org".to_owned();
        self.answer(request, |_| user::GetMeResponse {
            user: Some(root(email)),
            second_factor: false,
        })
        .await
    }
}

#[async_trait]
impl user::key_service_server::KeyService for Stub {
    async fn list_keys(
        &self,
        request: Request<user::ListKeysRequest>,
    ) -> Reply<user::ListKeysResponse> {
        self.answer(request, |_| user::ListKeysResponse {
            keys: vec![user::VerificationKey {
                key_id: "key-1".to_owned(),
                public_key: vec![7; 32],
            }],
            revocations: None,
        })
        .await
    }

    type WatchKeysStream = BoxStream<'static, Result<user::WatchKeysResponse, Status>>;

    /// Nothing is ever told.
    async fn watch_keys(&self, _: Request<user::WatchKeysRequest>) -> Reply<Self::WatchKeysStream> {
        Ok(Response::new(stream::pending().boxed()))
    }
}

pub fn root(email: String) -> user::User {
    let id = "0190b6a2-7c1e-7000-8000-000000000009".to_owned();
    user::User {
        id,
        email,
        role: user::Role::Superadmin.into(),
    }
}

#[async_trait]
impl ticket::pool_audit_service_server::PoolAuditService for Stub {
    async fn list_halted_pools(
        &self,
        request: Request<ticket::ListHaltedPoolsRequest>,
    ) -> Reply<ticket::ListHaltedPoolsResponse> {
        self.answer(request, |_| ticket::ListHaltedPoolsResponse {
            pools: vec![facts::halted_pool()],
        })
        .await
    }

    async fn resume_pool(
        &self,
        request: Request<ticket::ResumePoolRequest>,
    ) -> Reply<ticket::ResumePoolResponse> {
        self.answer(request, |asked| ticket::ResumePoolResponse {
            pool_id: asked.pool_id,
            counters: facts::halted_pool().ledger,
            capacity: None,
        })
        .await
    }
}

#[async_trait]
impl ticket::ticket_code_service_server::TicketCodeService for Stub {
    async fn read_door_list(
        &self,
        request: Request<ticket::ReadDoorListRequest>,
    ) -> Reply<ticket::ReadDoorListResponse> {
        self.answer(request, |_| crate::ticket_codes::door_list())
            .await
    }

    async fn list_ticket_keys(
        &self,
        request: Request<ticket::ListTicketKeysRequest>,
    ) -> Reply<ticket::ListTicketKeysResponse> {
        self.answer(request, |_| ticket::ListTicketKeysResponse {
            keys: crate::ticket_codes::ticket_keys(),
        })
        .await
    }

    async fn rotate_ticket_keys(
        &self,
        request: Request<ticket::RotateTicketKeysRequest>,
    ) -> Reply<ticket::RotateTicketKeysResponse> {
        self.answer(request, |_| ticket::RotateTicketKeysResponse {
            keys: crate::ticket_codes::ticket_keys(),
        })
        .await
    }

    async fn verify_ticket(
        &self,
        request: Request<ticket::VerifyTicketRequest>,
    ) -> Reply<ticket::VerifyTicketResponse> {
        self.answer(request, |asked| {
            crate::ticket_codes::verification(&asked.code)
        })
        .await
    }
}

#[async_trait]
impl notify::delivery_service_server::DeliveryService for Stub {
    async fn get_delivery(
        &self,
        request: Request<notify::GetDeliveryRequest>,
    ) -> Reply<notify::GetDeliveryResponse> {
        let state = *self.delivery.lock().unwrap();
        self.answer(request, |_| notify::GetDeliveryResponse {
            state: state.into(),
            at: None,
        })
        .await
    }
}

#[async_trait]
impl notify::notification_admin_service_server::NotificationAdminService for Stub {
    async fn list_notifications(
        &self,
        request: Request<notify::ListNotificationsRequest>,
    ) -> Reply<notify::ListNotificationsResponse> {
        self.answer(request, |_| notify::ListNotificationsResponse {
            notifications: vec![crate::notifications::failed()],
            next_page_token: "more".to_owned(),
        })
        .await
    }

    async fn get_notification(
        &self,
        request: Request<notify::GetNotificationRequest>,
    ) -> Reply<notify::GetNotificationResponse> {
        self.answer(request, |_| notify::GetNotificationResponse {
            notification: Some(crate::notifications::failed()),
        })
        .await
    }

    async fn read_notification(
        &self,
        request: Request<notify::ReadNotificationRequest>,
    ) -> Reply<notify::ReadNotificationResponse> {
        self.answer(request, |_| notify::ReadNotificationResponse {
            subject: "Your tickets".to_owned(),
            html: "<p>•••</p>".to_owned(),
            text: "•••".to_owned(),
        })
        .await
    }

    async fn retry_notification(
        &self,
        request: Request<notify::RetryNotificationRequest>,
    ) -> Reply<notify::RetryNotificationResponse> {
        self.answer(request, |_| notify::RetryNotificationResponse {
            notification: Some(crate::notifications::failed()),
        })
        .await
    }

    async fn resend_notification(
        &self,
        request: Request<notify::ResendNotificationRequest>,
    ) -> Reply<notify::ResendNotificationResponse> {
        self.answer(request, |_| notify::ResendNotificationResponse {
            notification: Some(crate::notifications::failed()),
        })
        .await
    }

    async fn dismiss_notification(
        &self,
        request: Request<notify::DismissNotificationRequest>,
    ) -> Reply<notify::DismissNotificationResponse> {
        self.answer(request, |_| notify::DismissNotificationResponse {
            notification: Some(crate::notifications::failed()),
        })
        .await
    }

    async fn report_bounce(
        &self,
        request: Request<notify::ReportBounceRequest>,
    ) -> Reply<notify::ReportBounceResponse> {
        self.answer(request, |_| notify::ReportBounceResponse {
            notification: Some(crate::notifications::failed()),
        })
        .await
    }

    async fn list_poison_messages(
        &self,
        request: Request<notify::ListPoisonMessagesRequest>,
    ) -> Reply<notify::ListPoisonMessagesResponse> {
        self.answer(request, |_| notify::ListPoisonMessagesResponse {
            messages: vec![crate::notifications::poison()],
            next_page_token: String::new(),
        })
        .await
    }

    async fn dismiss_poison_message(
        &self,
        request: Request<notify::DismissPoisonMessageRequest>,
    ) -> Reply<notify::DismissPoisonMessageResponse> {
        self.answer(request, |_| notify::DismissPoisonMessageResponse {})
            .await
    }
}

#[async_trait]
impl notify::template_admin_service_server::TemplateAdminService for Stub {
    async fn list_templates(
        &self,
        request: Request<notify::ListTemplatesRequest>,
    ) -> Reply<notify::ListTemplatesResponse> {
        self.answer(request, |_| crate::templates::list()).await
    }

    async fn get_template(
        &self,
        request: Request<notify::GetTemplateRequest>,
    ) -> Reply<notify::GetTemplateResponse> {
        self.answer(request, |_| notify::GetTemplateResponse {
            template: Some(crate::templates::template()),
        })
        .await
    }

    async fn preview_template(
        &self,
        request: Request<notify::PreviewTemplateRequest>,
    ) -> Reply<notify::PreviewTemplateResponse> {
        self.answer(request, |_| notify::PreviewTemplateResponse {
            sample: "plain".to_owned(),
            subject: "Ihre Tickets".to_owned(),
            html: "<!doctype html>".to_owned(),
            text: "Guten Tag".to_owned(),
        })
        .await
    }

    async fn publish_template(
        &self,
        request: Request<notify::PublishTemplateRequest>,
    ) -> Reply<notify::PublishTemplateResponse> {
        self.answer(request, |_| notify::PublishTemplateResponse {
            template: Some(crate::templates::template()),
        })
        .await
    }

    async fn revert_template(
        &self,
        request: Request<notify::RevertTemplateRequest>,
    ) -> Reply<notify::RevertTemplateResponse> {
        self.answer(request, |_| notify::RevertTemplateResponse {
            template: Some(crate::templates::template()),
        })
        .await
    }
}
