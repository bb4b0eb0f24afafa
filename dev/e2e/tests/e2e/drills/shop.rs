//! Guests in front of one or several gateways. Who gets no answer, or is told to come back, asks the next gateway the
//! same with the same key, as docs/api.md says.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use testkit::{eventually, keys::idempotency_key};
use tokio::{task::JoinSet, time::sleep};
use url::Url;

use crate::{
    drills::{LONG, address},
    guest::CARD_OK,
    harness::OnSale,
};

const PAUSE: Duration = Duration::from_millis(250);
/// For the page to pay on, and for the tickets.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Shop {
    client: Client,
    gateways: Vec<String>,
    /// Of one request, at different gateways.
    tries: usize,
    on_sale: OnSale,
    /// Of an admin who looks at something for every purchase: work for user-svc.
    token: String,
    turn: AtomicUsize,
    closed: AtomicBool,
    guests: AtomicUsize,
    served: AtomicUsize,
    again: AtomicUsize,
    promised: Mutex<Vec<String>>,
    failed: Mutex<Vec<String>>,
}

/// What became of everybody.
#[derive(Debug)]
pub struct Sales {
    pub served: usize,
    /// Requests that were made once more.
    pub again: usize,
    /// Ids of the orders that guests heard of.
    pub promised: Vec<String>,
    pub failed: Vec<String>,
}

impl Shop {
    pub fn new(gateways: Vec<String>, tries: usize, on_sale: OnSale, token: String) -> Arc<Self> {
        Arc::new(Self {
            client: Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(Duration::from_secs(15))
                .build()
                .unwrap(),
            gateways,
            tries,
            on_sale,
            token,
            turn: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            guests: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
            again: AtomicUsize::new(0),
            promised: Mutex::default(),
            failed: Mutex::default(),
        })
    }

    /// So many buy at the same time, one after the other, until it is closed or sold out.
    pub fn open(self: &Arc<Self>, at_once: usize) -> JoinSet<()> {
        let mut queues = JoinSet::new();
        for _ in 0..at_once {
            let shop = self.clone();
            queues.spawn(async move {
                while !shop.closed.load(Ordering::SeqCst) {
                    let number = shop.guests.fetch_add(1, Ordering::SeqCst);
                    match shop.buy(number).await {
                        Ok(true) => drop(shop.served.fetch_add(1, Ordering::SeqCst)),
                        Ok(false) => shop.closed.store(true, Ordering::SeqCst),
                        Err(why) => shop.failed.lock().unwrap().push(why),
                    }
                }
            });
        }
        queues
    }

    /// How many orders guests have heard of.
    pub fn promised(&self) -> usize {
        self.promised.lock().unwrap().len()
    }

    /// Waits until everything is sold and everybody has their tickets.
    pub async fn sell_out(&self, queues: JoinSet<()>) -> Sales {
        queues.join_all().await;
        self.sales()
    }

    /// Waits until so many more have their tickets, who began after this was called.
    pub async fn serves(&self, more: usize) {
        // Those who are at it now may have been before.
        let until = self.guests.load(Ordering::SeqCst) + more;
        eventually("more guests to be served", LONG, async || {
            let served = self.served.load(Ordering::SeqCst);
            let gone = served + self.failed.lock().unwrap().len();
            (gone >= until).then_some(())
        })
        .await;
    }

    /// Waits for those who are in it.
    pub async fn close(&self, queues: JoinSet<()>) -> Sales {
        self.closed.store(true, Ordering::SeqCst);
        queues.join_all().await;
        self.sales()
    }

    fn sales(&self) -> Sales {
        Sales {
            served: self.served.load(Ordering::SeqCst),
            again: self.again.load(Ordering::SeqCst),
            promised: self.promised.lock().unwrap().clone(),
            failed: self.failed.lock().unwrap().clone(),
        }
    }

    /// From the hold to the tickets; false if there are none any more.
    async fn buy(&self, number: usize) -> Result<bool, String> {
        let look = |base: &str| self.client.get(format!("{base}/api/v1/auth/sessions"));
        let looked = self.ask("look", |base| look(base).bearer_auth(&self.token));
        looked.await?;
        let Some(hold) = self.hold().await? else {
            return Ok(false);
        };
        let order = json!({
            "hold_id": hold["id"],
            "hold_secret": hold["secret"],
            "email": address(number),
            "phone_number": "+420 123 456 789",
            "name": "Anežka Nováková",
            "expected_total": hold["total"],
        });
        let (status, order) = self.post("/api/v1/orders", &order).await?;
        let Some(id) = order["id"].as_str() else {
            return Err(format!("no order: {status} {order}"));
        };
        self.promised.lock().unwrap().push(id.to_owned());
        self.pay(&order).await?;
        let has_tickets = |now: &Value| (now["status"] == "fulfilled").then_some(());
        self.until(&order, "tickets", has_tickets).await?;
        Ok(true)
    }

    /// None if everything is sold.
    async fn hold(&self) -> Result<Option<Value>, String> {
        let wish = json!({
            "event_id": self.on_sale.event_id,
            "lines": [{"ticket_type_id": self.on_sale.ticket_type_id, "quantity": 1}],
        });
        loop {
            let (status, hold) = self.post("/api/v1/holds", &wish).await?;
            match (status, hold["reason"].as_str()) {
                (StatusCode::CREATED, _) => return Ok(Some(hold)),
                (_, Some("SOLD_OUT")) => return Ok(None),
                // Sleeps: somebody may change their mind.
                (_, Some("HELD_BY_OTHERS")) => sleep(PAUSE).await,
                _ => return Err(format!("no hold: {status} {hold}")),
            }
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(StatusCode, Value), String> {
        let key = idempotency_key();
        let request = |base: &str| {
            let post = self.client.post(format!("{base}{path}"));
            post.header("idempotency-key", &key).json(body)
        };
        self.ask(path, request).await
    }

    /// Sends the card until the page has taken it, or the order has the money of a try whose answer was lost.
    async fn pay(&self, order: &Value) -> Result<(), String> {
        let page = |now: &Value| now["payment"]["checkout_url"].as_str().map(str::to_owned);
        let page = self.until(order, "a page to pay on", page).await?;
        let page = Url::parse(&page).map_err(|error| error.to_string())?;
        let path = &page[url::Position::BeforePath..];
        let form = [("card_number", CARD_OK), ("exp", "12/39"), ("cvc", "123")];
        let sent = self.ask("pay", |base| {
            self.client.post(format!("{base}{path}")).form(&form)
        });
        let (status, _) = sent.await?;
        if status == StatusCode::SEE_OTHER {
            return Ok(());
        }
        let is_paid = |now: &Value| {
            let paid = now["status"] == "paid" || now["status"] == "fulfilled";
            paid.then_some(())
        };
        let paid = self.until(order, "the money", is_paid).await;
        paid.map_err(|why| format!("the page answered {status}; {why}"))
    }

    /// Looks at the order again and again.
    async fn until<T>(
        &self,
        order: &Value,
        what: &str,
        seen: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, String> {
        let (id, secret) = (order["id"].as_str(), order["secret"].as_str());
        let (Some(id), Some(secret)) = (id, secret) else {
            return Err(format!("no order: {order}"));
        };
        let begun = Instant::now();
        loop {
            let (_, now) = self
                .ask("order", |base| {
                    let get = self.client.get(format!("{base}/api/v1/orders/{id}"));
                    get.bearer_auth(secret)
                })
                .await?;
            if let Some(value) = seen(&now) {
                return Ok(value);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("no {what} in time: {}", now["status"]));
            }
            // Sleeps: as the page of an order does between two looks.
            sleep(PAUSE).await;
        }
    }

    async fn ask(
        &self,
        what: &str,
        request: impl Fn(&str) -> RequestBuilder,
    ) -> Result<(StatusCode, Value), String> {
        let mut why = String::new();
        for attempt in 0..self.tries {
            if attempt > 0 {
                self.again.fetch_add(1, Ordering::SeqCst);
                // Sleeps: as a client does before the next try.
                sleep(PAUSE).await;
            }
            let turn = self.turn.fetch_add(1, Ordering::SeqCst);
            let base = &self.gateways[turn % self.gateways.len()];
            match answer(request(base)).await {
                Ok((status, body)) if may_be_repeated(status) => why = format!("{status} {body}"),
                Ok(answer) => return Ok(answer),
                Err(error) => why = format!("{error:?}"),
            }
        }
        Err(format!("{what} was refused {} times: {why}", self.tries))
    }
}

fn may_be_repeated(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

async fn answer(request: RequestBuilder) -> reqwest::Result<(StatusCode, Value)> {
    let answer = request.send().await?;
    let status = answer.status();
    let bytes = answer.bytes().await?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok((status, body))
}
