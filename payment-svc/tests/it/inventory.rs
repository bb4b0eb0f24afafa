//! A stand-in for ticket-svc: holds, one final answer per order, tickets. It can be slow, away, or fail
//! after it has done its work.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base::{Sources, TicketId};
use kit::{Bind, Code, ErrorReason, Failure, MeshKey, ServerBuilder, Shutdown, Tasks};
use proto::{
    Peer,
    common::{Grant, Money, Seller},
    ticket::{change_service_server::*, grant_service_server::*, inventory_service_server::*, *},
};
use time::OffsetDateTime;
use tonic::{Request, Response, Status, async_trait};

/// The event that every hold is for.
pub const EVENT: &str = "0190b6a2-7c1e-7000-8000-0123456789ab";
pub const TICKET_TYPE: &str = "0190b6a2-7c1e-7000-8000-00000000000a";

#[derive(Clone, Default)]
pub struct Inventory(Arc<Mutex<Books>>);

#[derive(Default)]
pub struct Books {
    holds: HashMap<String, HoldBook>,
    pub orders: HashMap<String, OrderBook>,
    /// How it behaves from now on.
    pub mood: Mood,
    pub commits: u32,
    /// Calls for a final answer, also those that wait for it yet.
    pub commits_begun: u32,
    /// What each refund made void, by its id.
    pub voids: HashMap<String, Vec<Ticket>>,
    /// What each handing on of a ticket made of it, by its id.
    pub transfers: HashMap<String, Ticket>,
    /// Transfers whose holders were to be forgotten, by themselves.
    pub forgotten: HashSet<String>,
    /// What changed in the programme.
    pub changes: Vec<EventChange>,
    /// The event as it is now, where that is not as it was made.
    pub event: Option<EventFacts>,
    /// Which user may see which event.
    pub grants: HashSet<(String, String)>,
    /// The last request to bind a hold.
    pub asked: Option<BeginPaymentRequest>,
}

struct HoldBook {
    secret: String,
    terms: Terms,
    order: Option<String>,
    /// Bound for this kind of provider.
    kind: String,
    expired: bool,
}

/// What a hold is for: so many tickets of one type.
#[derive(Clone, Debug)]
pub struct Terms {
    pub quantity: u32,
    /// What a guest pays for one, with tax and fee.
    pub price_minor: i64,
    pub fee_minor: i64,
    pub tax_rate_ppm: u32,
    pub currency: &'static str,
}

impl Terms {
    fn money(&self, amount_minor: i64) -> Option<Money> {
        let currency = self.currency.to_owned();
        Some(Money {
            amount_minor,
            currency,
        })
    }

    fn line(&self) -> HoldLine {
        HoldLine {
            ticket_type_id: TICKET_TYPE.to_owned(),
            category: "Standing".to_owned(),
            quantity: self.quantity,
            unit_price: self.money(self.price_minor),
            line_total: self.money(self.total_minor()),
            unit_fee: self.money(self.fee_minor),
            tax_rate_ppm: self.tax_rate_ppm,
        }
    }

    fn total_minor(&self) -> i64 {
        i64::from(self.quantity) * self.price_minor
    }
}

#[derive(Default)]
pub struct OrderBook {
    pub released: bool,
    pub answer: Option<OrderAnswer>,
    refusal: &'static str,
    pub tickets: Vec<Ticket>,
}

pub struct Mood {
    /// Binds, and the answer is lost.
    pub begin_answer_lost: bool,
    pub begin_delay: Duration,
    pub begin_refusal: Option<ErrorReason>,
    pub commit_delay: Duration,
    pub commit_away: bool,
    pub commit_answer_lost: bool,
    pub sold_out: bool,
    pub release_away: bool,
    pub void_away: bool,
    pub void_answer_lost: bool,
    pub transfer_away: bool,
    pub transfer_answer_lost: bool,
    pub event_cancelled: bool,
    /// What the event takes, the preferred one first; empty means any.
    pub event_providers: Vec<String>,
    pub seller: Option<Seller>,
    /// How guests may cancel what they have paid.
    pub cancellation: Option<CancellationRule>,
    pub pay_secs: i64,
}

impl Default for Mood {
    fn default() -> Self {
        Self {
            begin_answer_lost: false,
            begin_delay: Duration::ZERO,
            begin_refusal: None,
            commit_delay: Duration::ZERO,
            commit_away: false,
            commit_answer_lost: false,
            sold_out: false,
            release_away: false,
            void_away: false,
            void_answer_lost: false,
            transfer_away: false,
            transfer_answer_lost: false,
            event_cancelled: false,
            event_providers: Vec::new(),
            seller: None,
            cancellation: None,
            pay_secs: 900,
        }
    }
}

impl Inventory {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    /// A hold as the guest has it: id and secret.
    pub fn hold_on(&self, terms: Terms) -> (String, String) {
        let id = TicketId::new(&Sources::system()).to_string();
        let secret = Sources::system().token();
        let hold = HoldBook {
            secret: secret.clone(),
            terms,
            order: None,
            kind: String::new(),
            expired: false,
        };
        self.books().holds.insert(id.clone(), hold);
        (id, secret)
    }

    pub fn expire(&self, hold: &str) {
        self.books().holds.get_mut(hold).unwrap().expired = true;
    }

    /// Serves until the test's runtime ends. Answers its URL.
    pub async fn serve(&self, mesh: MeshKey) -> String {
        let (bind, addr) = Bind::loopback().await.unwrap();
        let builder = ServerBuilder::new(Peer::Ticket, bind, mesh, Tasks::new())
            .await
            .unwrap();
        let builder = builder
            .add_service(InventoryServiceServer::new(self.clone()))
            .add_service(ChangeServiceServer::new(self.clone()))
            .add_service(GrantServiceServer::new(self.clone()));
        let server = builder.build().await.unwrap();
        tokio::spawn(server.serve(Shutdown::new()));
        format!("http://{addr}")
    }
}

fn refused(reason: ErrorReason) -> Status {
    Failure::refused(Code::FailedPrecondition, reason, "The stand-in refuses.").into_status()
}

fn away() -> Status {
    Failure::unavailable("The stand-in is away.", Duration::from_secs(1)).into_status()
}

fn facts() -> EventFacts {
    EventFacts {
        id: EVENT.to_owned(),
        slug: "late-show".to_owned(),
        title: "Late Show".to_owned(),
        location: "Lido".to_owned(),
        date_time: Some(proto::timestamp(
            time::macros::datetime!(2031-06-12 18:00 UTC),
        )),
        timezone: "Europe/Berlin".to_owned(),
        version: 1,
    }
}

impl Books {
    fn begin(&mut self, request: &BeginPaymentRequest) -> Result<BeginPaymentResponse, Status> {
        if self
            .orders
            .get(&request.order_id)
            .is_some_and(|order| order.released)
        {
            return Err(refused(ErrorReason::OrderNotOpen));
        }
        let not_found = || Failure::not_found("hold").into_status();
        let hold = self.holds.get_mut(&request.hold_id).ok_or_else(not_found)?;
        if hold.order.as_ref() != Some(&request.order_id) {
            if hold.secret != request.secret {
                return Err(not_found());
            }
            if hold.order.is_some() {
                return Err(refused(ErrorReason::PaymentInProgress));
            }
            if hold.expired {
                return Err(refused(ErrorReason::HoldExpired));
            }
        }
        let bound = hold.order.is_some();
        if self.mood.event_cancelled {
            return Err(refused(ErrorReason::EventNotActive));
        }
        let terms = hold.terms.clone();
        let total = terms.money(terms.total_minor());
        if request.expected_total != total {
            return Err(Failure::refused(
                Code::FailedPrecondition,
                ErrorReason::TotalChanged,
                "The stand-in has another total.",
            )
            .with_fact("total_minor", terms.total_minor())
            .with_fact("currency", terms.currency)
            .into_status());
        }
        assert_eq!(request.guest_key.len(), 32);
        if !bound {
            let event = &self.mood.event_providers;
            let mut kinds = request.provider_kinds.iter();
            let takes = |kind: &&String| event.is_empty() || event.contains(kind);
            let chosen = kinds.find(takes);
            hold.kind = chosen
                .ok_or_else(|| refused(ErrorReason::ProviderNotEnabled))?
                .clone();
        }
        hold.order = Some(request.order_id.clone());
        let kind = hold.kind.clone();
        self.orders.entry(request.order_id.clone()).or_default();
        let pay_by = Sources::system().now() + time::Duration::seconds(self.mood.pay_secs);
        Ok(BeginPaymentResponse {
            event: self.event(),
            lines: vec![terms.line()],
            total,
            pay_by: Some(proto::timestamp(pay_by)),
            paying_until: Some(proto::timestamp(pay_by + time::Duration::minutes(5))),
            provider_kind: kind,
            event_provider_kinds: self.mood.event_providers.clone(),
            seller: self.mood.seller.clone(),
            cancellation: self.mood.cancellation,
        })
    }

    fn transfer(
        &mut self,
        request: &TransferTicketRequest,
    ) -> Result<TransferTicketResponse, Status> {
        let not_found = || Failure::not_found("ticket").into_status();
        let order = self.orders.get_mut(&request.order_id);
        let order = order.ok_or_else(not_found)?;
        let mut tickets = order.tickets.iter_mut();
        let ticket = tickets.find(|ticket| ticket.id == request.ticket_id);
        let ticket = ticket.ok_or_else(not_found)?;
        if let Some(made) = self.transfers.get(&request.transfer_id) {
            return Ok(TransferTicketResponse {
                superseded: made.generation != ticket.generation
                    || ticket.status() == TicketStatus::Void,
                ticket: Some(made.clone()),
            });
        }
        if self.mood.event_cancelled || ticket.status() == TicketStatus::Void {
            return Err(refused(ErrorReason::TicketNotValid));
        }
        ticket.generation += 1;
        ticket.code = Sources::system().token();
        ticket.holder_name.clone_from(&request.holder_name);
        let made = ticket.clone();
        self.transfers
            .insert(request.transfer_id.clone(), made.clone());
        Ok(TransferTicketResponse {
            ticket: Some(made),
            superseded: false,
        })
    }

    fn commit(&mut self, id: &str) -> CommitOrderResponse {
        self.commits += 1;
        let quantity = self
            .holds
            .values()
            .find(|hold| hold.order.as_deref() == Some(id));
        let quantity = quantity.map_or(0, |hold| hold.terms.quantity);
        let cancelled = self.mood.event_cancelled;
        let event = self.event();
        let order = self.orders.entry(id.to_owned()).or_default();
        if order.answer.is_none() {
            let refuse = self.mood.sold_out || cancelled || quantity == 0;
            order.refusal = match cancelled {
                true => "EVENT_NOT_ACTIVE",
                false => "SOLD_OUT",
            };
            order.answer = Some(if refuse {
                OrderAnswer::Refused
            } else {
                OrderAnswer::Committed
            });
            order.tickets = (0..if refuse { 0 } else { quantity })
                .map(|_| ticket())
                .collect();
        }
        let answer = order.answer.unwrap();
        let refused = answer == OrderAnswer::Refused;
        CommitOrderResponse {
            answer: answer.into(),
            tickets: order.tickets.clone(),
            refusal_reason: if refused {
                order.refusal.to_owned()
            } else {
                String::new()
            },
            event,
        }
    }

    fn event(&self) -> Option<EventFacts> {
        Some(self.event.clone().unwrap_or_else(facts))
    }
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::new(&Sources::system()).to_string(),
        ticket_type_id: TICKET_TYPE.to_owned(),
        category: "Standing".to_owned(),
        code: Sources::system().token(),
        status: TicketStatus::Valid.into(),
        generation: 1,
        holder_name: String::new(),
        voided_by: String::new(),
    }
}

#[async_trait]
impl InventoryService for Inventory {
    async fn begin_payment(
        &self,
        request: Request<BeginPaymentRequest>,
    ) -> Result<Response<BeginPaymentResponse>, Status> {
        let delay = self.books().mood.begin_delay;
        // Sleeps: a neighbour as slow as the test wants.
        tokio::time::sleep(delay).await;
        let mut books = self.books();
        if let Some(reason) = books.mood.begin_refusal {
            return Err(refused(reason));
        }
        books.asked = Some(request.get_ref().clone());
        let answer = books.begin(request.get_ref())?;
        if books.mood.begin_answer_lost {
            Err(away())
        } else {
            Ok(Response::new(answer))
        }
    }

    async fn commit_order(
        &self,
        request: Request<CommitOrderRequest>,
    ) -> Result<Response<CommitOrderResponse>, Status> {
        let delay = {
            let mut books = self.books();
            books.commits_begun += 1;
            books.mood.commit_delay
        };
        // Sleeps: a neighbour as slow as the test wants.
        tokio::time::sleep(delay).await;
        let mut books = self.books();
        if books.mood.commit_away {
            return Err(away());
        }
        let answer = books.commit(&request.get_ref().order_id);
        if books.mood.commit_answer_lost {
            Err(away())
        } else {
            Ok(Response::new(answer))
        }
    }

    async fn release_order(
        &self,
        request: Request<ReleaseOrderRequest>,
    ) -> Result<Response<ReleaseOrderResponse>, Status> {
        let mut books = self.books();
        if books.mood.release_away {
            return Err(away());
        }
        books
            .orders
            .entry(request.into_inner().order_id)
            .or_default()
            .released = true;
        Ok(Response::new(ReleaseOrderResponse {}))
    }

    async fn void_tickets(
        &self,
        request: Request<VoidTicketsRequest>,
    ) -> Result<Response<VoidTicketsResponse>, Status> {
        let mut books = self.books();
        if books.mood.void_away {
            return Err(away());
        }
        let tickets = books.void(request.get_ref())?;
        if books.mood.void_answer_lost {
            Err(away())
        } else {
            Ok(Response::new(VoidTicketsResponse { tickets }))
        }
    }

    async fn transfer_ticket(
        &self,
        request: Request<TransferTicketRequest>,
    ) -> Result<Response<TransferTicketResponse>, Status> {
        let mut books = self.books();
        if books.mood.transfer_away {
            return Err(away());
        }
        let answer = books.transfer(request.get_ref())?;
        if books.mood.transfer_answer_lost {
            Err(away())
        } else {
            Ok(Response::new(answer))
        }
    }

    async fn erase_holders(
        &self,
        request: Request<EraseHoldersRequest>,
    ) -> Result<Response<EraseHoldersResponse>, Status> {
        let mut books = self.books();
        let request = request.into_inner();
        if let Some(order) = books.orders.get_mut(&request.order_id) {
            let tickets = order.tickets.iter_mut();
            tickets.for_each(|ticket| ticket.holder_name.clear());
        }
        books.forgotten.extend(request.transfer_ids);
        Ok(Response::new(EraseHoldersResponse {}))
    }

    async fn list_order_tickets(
        &self,
        request: Request<ListOrderTicketsRequest>,
    ) -> Result<Response<ListOrderTicketsResponse>, Status> {
        let books = self.books();
        let order = books.orders.get(&request.get_ref().order_id);
        let tickets = order.map(|order| order.tickets.clone()).unwrap_or_default();
        Ok(Response::new(ListOrderTicketsResponse { tickets }))
    }
}

impl Inventory {
    /// The event of every order is cancelled.
    pub fn cancel_event(&self, reason: &str) {
        let mut books = self.books();
        books.mood.event_cancelled = true;
        books.mood.begin_refusal = Some(ErrorReason::EventNotActive);
        let seq = i64::try_from(books.changes.len()).unwrap() + 1;
        books.changes.push(EventChange {
            seq,
            event_id: facts().id,
            change: "event.cancelled".to_owned(),
            changed_at: Some(proto::timestamp(Sources::system().now())),
            cancel_reason: reason.to_owned(),
            ..Default::default()
        });
    }

    /// The event of every order has another date.
    pub fn postpone_event(&self, to: OffsetDateTime, reason: &str) {
        self.change_event("event.postponed", reason, |event| {
            event.date_time = Some(proto::timestamp(to));
        });
    }

    /// What is sold from now on is for another event than what was cancelled.
    pub fn have_another_event(&self) {
        let mut books = self.books();
        books.mood = Mood::default();
        books.event = Some(EventFacts {
            id: "0190b6a2-7c1e-7000-8000-0123456789ac".to_owned(),
            ..facts()
        });
    }

    /// Something about the event of every order is another now.
    pub fn change_event(&self, change: &str, reason: &str, edit: impl FnOnce(&mut EventFacts)) {
        let mut books = self.books();
        let mut event = books.event.clone().unwrap_or_else(facts);
        event.version += 1;
        edit(&mut event);
        books.event = Some(event.clone());
        let seq = i64::try_from(books.changes.len()).unwrap() + 1;
        books.changes.push(EventChange {
            seq,
            event_id: event.id.clone(),
            change: change.to_owned(),
            changed_at: Some(proto::timestamp(Sources::system().now())),
            event: Some(event),
            postpone_reason: reason.to_owned(),
            ..Default::default()
        });
    }

    pub fn grant(&self, user: &str) {
        let grant = (user.to_owned(), facts().id);
        self.books().grants.insert(grant);
    }

    /// The tickets of an order that still let somebody in.
    pub fn valid_tickets(&self, order: &str) -> usize {
        let books = self.books();
        let tickets = books.orders.get(order).map(|order| &order.tickets);
        let valid = |ticket: &&Ticket| ticket.status() == TicketStatus::Valid;
        tickets.map_or(0, |tickets| tickets.iter().filter(valid).count())
    }
}

impl Books {
    fn void(&mut self, request: &VoidTicketsRequest) -> Result<Vec<Ticket>, Status> {
        if let Some(done) = self.voids.get(&request.refund_id) {
            return Ok(done.clone());
        }
        let order = self.orders.entry(request.order_id.clone()).or_default();
        let named: HashSet<&String> = request
            .lines
            .iter()
            .flat_map(|line| &line.ticket_ids)
            .collect();
        let wanted: u32 = request.lines.iter().map(|line| line.quantity).sum();
        let mut void: Vec<&mut Ticket> = order
            .tickets
            .iter_mut()
            .rev()
            .filter(|ticket| ticket.status() == TicketStatus::Valid)
            .filter(|ticket| named.is_empty() || named.contains(&ticket.id))
            .collect();
        if !request.all {
            if void.len() < wanted as usize {
                return Err(refused(ErrorReason::RefundTooLarge));
            }
            void.truncate(wanted as usize);
        }
        for ticket in &mut void {
            ticket.status = TicketStatus::Void.into();
            ticket.voided_by.clone_from(&request.refund_id);
        }
        let void: Vec<Ticket> = void.into_iter().map(|ticket| ticket.clone()).collect();
        self.voids.insert(request.refund_id.clone(), void.clone());
        Ok(void)
    }
}

#[async_trait]
impl ChangeService for Inventory {
    async fn list_event_changes(
        &self,
        request: Request<ListEventChangesRequest>,
    ) -> Result<Response<ListEventChangesResponse>, Status> {
        let request = request.into_inner();
        let books = self.books();
        let after = |change: &&EventChange| change.seq > request.after_seq;
        let changes = books.changes.iter().filter(after).cloned();
        Ok(Response::new(ListEventChangesResponse {
            changes: changes.take(request.limit as usize).collect(),
        }))
    }
}

#[async_trait]
impl GrantService for Inventory {
    async fn check_grant(
        &self,
        request: Request<CheckGrantRequest>,
    ) -> Result<Response<CheckGrantResponse>, Status> {
        let CheckGrantRequest { user_id, event_id } = request.into_inner();
        let granted = self.books().grants.contains(&(user_id, event_id));
        Ok(Response::new(whole(granted)))
    }

    async fn list_grants(
        &self,
        request: Request<ListGrantsRequest>,
    ) -> Result<Response<ListGrantsResponse>, Status> {
        let user = request.into_inner().user_id;
        let books = self.books();
        let own = books.grants.iter().filter(|(id, _)| *id == user);
        let event_ids = own.map(|(_, event)| event.clone()).collect();
        Ok(Response::new(ListGrantsResponse { event_ids }))
    }
}

/// All or nothing.
pub fn whole(granted: bool) -> CheckGrantResponse {
    let grant = if granted {
        Grant::Owner
    } else {
        Grant::Unspecified
    };
    CheckGrantResponse {
        granted,
        grant: grant.into(),
    }
}
