//! A stand-in for ticket-svc: holds, one final answer per order, tickets. It can be slow, away, or fail
//! after it has done its work.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base::{Sources, TicketId};
use kit::{Bind, Code, ErrorReason, Failure, MeshKey, ServerBuilder, Shutdown, Tasks};
use proto::{
    Peer,
    common::Money,
    ticket::{inventory_service_server::*, *},
};
use tonic::{Request, Response, Status, async_trait};

#[derive(Clone, Default)]
pub struct Inventory(Arc<Mutex<Books>>);

#[derive(Default)]
pub struct Books {
    holds: HashMap<String, HoldBook>,
    pub orders: HashMap<String, OrderBook>,
    /// How it behaves from now on.
    pub mood: Mood,
    pub commits: u32,
}

struct HoldBook {
    secret: String,
    quantity: u32,
    price_minor: i64,
    order: Option<String>,
    expired: bool,
}

#[derive(Default)]
pub struct OrderBook {
    pub released: bool,
    pub answer: Option<OrderAnswer>,
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
            pay_secs: 900,
        }
    }
}

impl Inventory {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    /// A hold as the guest has it: id and secret.
    pub fn hold(&self, quantity: u32, price_minor: i64) -> (String, String) {
        let (id, secret) = (
            TicketId::new(&Sources::system()).to_string(),
            Sources::system().token(),
        );
        let (order, expired) = (None, false);
        let hold = HoldBook {
            secret: secret.clone(),
            quantity,
            price_minor,
            order,
            expired,
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
        let service = InventoryServiceServer::new(self.clone());
        let server = builder.add_service(service).build().await.unwrap();
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

fn euros(amount_minor: i64) -> Option<Money> {
    Some(Money {
        amount_minor,
        currency: "EUR".to_owned(),
    })
}

fn facts() -> EventFacts {
    EventFacts {
        id: "0190b6a2-7c1e-7000-8000-0123456789ab".to_owned(),
        slug: "late-show".to_owned(),
        title: "Late Show".to_owned(),
        location: "Lido".to_owned(),
        date_time: Some(proto::timestamp(
            time::macros::datetime!(2031-06-12 18:00 UTC),
        )),
        timezone: "Europe/Berlin".to_owned(),
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
        let total = i64::from(hold.quantity) * hold.price_minor;
        if request.expected_total != euros(total) {
            return Err(refused(ErrorReason::TotalChanged));
        }
        assert_eq!(
            (request.provider_kind.as_str(), request.guest_key.len()),
            ("sandbox", 32)
        );
        hold.order = Some(request.order_id.clone());
        self.orders.entry(request.order_id.clone()).or_default();
        let now = Sources::system().now();
        let pay_by = now + time::Duration::seconds(self.mood.pay_secs);
        Ok(BeginPaymentResponse {
            event: Some(facts()),
            lines: vec![HoldLine {
                ticket_type_id: "0190b6a2-7c1e-7000-8000-00000000000a".to_owned(),
                category: "Standing".to_owned(),
                quantity: hold.quantity,
                unit_price: euros(hold.price_minor),
                line_total: euros(total),
            }],
            total: euros(total),
            pay_by: Some(proto::timestamp(pay_by)),
            paying_until: Some(proto::timestamp(pay_by + time::Duration::minutes(5))),
        })
    }

    fn commit(&mut self, id: &str) -> CommitOrderResponse {
        self.commits += 1;
        let quantity = self
            .holds
            .values()
            .find(|hold| hold.order.as_deref() == Some(id));
        let quantity = quantity.map_or(0, |hold| hold.quantity);
        let order = self.orders.entry(id.to_owned()).or_default();
        if order.answer.is_none() {
            let refuse = self.mood.sold_out || quantity == 0;
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
        let sold_out = answer == OrderAnswer::Refused;
        CommitOrderResponse {
            answer: answer.into(),
            tickets: order.tickets.clone(),
            refusal_reason: if sold_out {
                "SOLD_OUT".to_owned()
            } else {
                String::new()
            },
            event: Some(facts()),
        }
    }
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::new(&Sources::system()).to_string(),
        ticket_type_id: "0190b6a2-7c1e-7000-8000-00000000000a".to_owned(),
        category: "Standing".to_owned(),
        code: Sources::system().token(),
        status: TicketStatus::Valid.into(),
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
        let delay = self.books().mood.commit_delay;
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
