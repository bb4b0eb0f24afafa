//! One network cannot ask as often as it likes, nor keep all tickets, nor fill a mailbox.

use std::time::{Duration, Instant};

use kit::{Code, ErrorReason, Failure};
use proto::payment;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    facts::{
        EVENT, HOLD, HOLD_SECRET, ORDER, ORDER_SECRET, STANDING, TICKET, order, transfer_order,
    },
    guest::new_order,
    harness::{Edge, KEY, edge_with, header, logged, problem},
};

/// Another address each time: what comes from a proxy that is trusted.
fn behind_a_proxy(config: &mut gateway::Config) {
    config.trusted_proxies = "127.0.0.0/8".parse().unwrap();
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn each_class_has_a_pace_of_its_own() {
    let slow = |config: &mut gateway::Config| {
        let paces = "read=2/1,hold=2/1,order=2/1,lookup=2/1,login=2/1,webhook=2/1,admin=2/1";
        config.rate_limits = paces.parse().unwrap();
    };
    edge_with(slow, async |edge| {
        let routes = [
            (Method::GET, "/api/v1/events"),
            (Method::POST, "/api/v1/holds"),
            (Method::POST, "/api/v1/orders"),
            (Method::POST, "/api/v1/orders/lookup"),
            (Method::POST, "/api/v1/auth/login"),
            (Method::POST, "/api/v1/webhooks/sandbox"),
            (Method::GET, "/api/v1/admin/events"),
        ];
        for (method, path) in &routes {
            for _ in 0..2 {
                let asked = edge.request(method.clone(), path);
                assert_ne!(status(asked).await, 429, "{path}");
            }
            let refused = edge.request(method.clone(), path).send().await.unwrap();
            assert_eq!(refused.status(), 429, "{path}");
            let wait: u32 = header(&refused, "retry-after").parse().unwrap();
            assert!((30..=61).contains(&wait), "{path}: {wait}");
            let refused = problem(edge.request(method.clone(), path)).await;
            assert_eq!(refused["reason"], "TOO_MANY_REQUESTS", "{path}");
            assert_eq!(refused["certainty"], "NOT_DONE", "{path}");
        }
        // Those of one class share its pace, whatever the path.
        assert_eq!(status(edge.get("/")).await, 429);
        assert_eq!(status(edge.get("/nowhere")).await, 429);
        for _ in 0..5 {
            assert_eq!(status(edge.get("/healthz")).await, 200);
            assert_eq!(status(edge.get("/readyz")).await, 200);
        }
        // People read a page.
        let page = edge.get("/").header("accept", "text/html").send().await;
        let page = page.unwrap();
        assert!(header(&page, "content-type").starts_with("text/html"));
        assert!(!header(&page, "retry-after").is_empty());
    })
    .await;
}

#[tokio::test]
async fn networks_are_counted_apart_and_nobody_makes_one_up() {
    let slow = |config: &mut gateway::Config| {
        behind_a_proxy(config);
        config.rate_limits = "read=3/1".parse().unwrap();
    };
    edge_with(slow, async |edge| {
        let from = async |told: &str| {
            let request = edge.get("/api/v1/events").header("x-forwarded-for", told);
            status(request).await
        };
        for _ in 0..3 {
            assert_eq!(from("203.0.113.1").await, 200);
        }
        assert_eq!(from("203.0.113.1").await, 429);
        // What it says of itself stands left of what the proxy saw.
        assert_eq!(from("198.51.100.7, 203.0.113.1").await, 429);
        assert_eq!(from("198.51.100.7").await, 200);
        // A household has as many addresses as it likes.
        for host in [
            "2001:db8:1:200::1",
            "2001:db8:1:201::2",
            "2001:db8:1:2ff::3",
        ] {
            assert_eq!(from(host).await, 200, "{host}");
        }
        assert_eq!(from("2001:db8:1:2aa::4").await, 429);
        assert_eq!(from("2001:db8:1:300::1").await, 200);
    })
    .await;
}

#[tokio::test]
async fn off_is_off() {
    let off = |config: &mut gateway::Config| {
        config.rate_limits = "off".parse().unwrap();
        config.mails_per_address_max = 1;
    };
    edge_with(off, async |edge| {
        for _ in 0..100 {
            let login = edge.request(Method::POST, "/api/v1/auth/login");
            assert_eq!(status(login).await, 415);
        }
        for number in 0..3 {
            assert_eq!(place(edge, "ada@example.org", number).await, 201);
        }
    })
    .await;
}

#[tokio::test]
async fn a_network_sets_so_many_tickets_aside() {
    let few = |config: &mut gateway::Config| {
        behind_a_proxy(config);
        config.held_tickets_per_network_max = 10;
    };
    edge_with(few, async |edge| {
        let hold =
            async |from: &str, key: u32, quantity: u32| hold(edge, (from, key), quantity).await;
        assert_eq!(hold("203.0.113.1", 1, 6).await, 201);
        // A repeat sets no more aside.
        for _ in 0..3 {
            assert_eq!(hold("203.0.113.1", 1, 6).await, 201);
        }
        assert_eq!(hold("203.0.113.1", 2, 6).await, 429);
        assert_eq!(hold("203.0.113.1", 2, 4).await, 201);
        assert_eq!(hold("203.0.113.1", 3, 1).await, 429);
        assert_eq!(hold("203.0.113.2", 1, 4).await, 201);
        // What nobody got counts for nobody: the stub sells at most ten at once.
        for key in 0..5 {
            assert_eq!(hold("203.0.113.3", key, u32::MAX).await, 409);
        }
        assert_eq!(hold("203.0.113.3", 6, 10).await, 201);
        // The page says the same.
        let form = [
            ("event_id", EVENT),
            ("key", KEY),
            (&format!("q_{STANDING}"), "2"),
        ];
        let page = edge.request(Method::POST, "/events/moonlight-sessions");
        let page = page.header("x-forwarded-for", "203.0.113.1").form(&form);
        let page = page.header("accept", "text/html").send().await.unwrap();
        assert_eq!(page.status(), 429);
        let text = page.text().await.unwrap();
        assert!(text.contains("From your network too many"), "{text}");
    })
    .await;
}

/// Another order each time, which waits for a bank transfer; 50 EUR for two tickets.
async fn place_for_later(edge: &Edge, (from, number): (&str, u32), order: Value) -> u16 {
    *edge.stub.order.lock().unwrap() = payment::Order {
        id: ORDER.replace("0190", &format!("{number:04}")),
        ..transfer_order()
    };
    let request = edge.request(Method::POST, "/api/v1/orders").json(&order);
    let request = request.header("x-forwarded-for", from);
    status(request.header("idempotency-key", format!("{KEY}{number}"))).await
}

#[tokio::test]
async fn a_network_leaves_so_many_tickets_unpaid() {
    let few = |config: &mut gateway::Config| {
        behind_a_proxy(config);
        config.unpaid_tickets_per_network_max = 4;
    };
    edge_with(few, async |edge| {
        let place = async |from: &str, number: u32, change: Value| {
            let mut order = new_order();
            let fields = change.as_object().unwrap().clone();
            order.as_object_mut().unwrap().extend(fields);
            place_for_later(edge, (from, number), order).await
        };
        let (ann, bob) = ("203.0.113.1", "203.0.113.2");
        let manual = || json!({"provider": "manual"});
        // However often one is placed, it is one.
        for _ in 0..3 {
            assert_eq!(place(ann, 1, manual()).await, 201);
        }
        assert_eq!(place(ann, 2, json!({})).await, 201, "the concert chooses");
        assert_eq!(place(ann, 3, manual()).await, 429);
        // The answer may have been lost: a repeat of what was done is told, and takes nothing more.
        assert_eq!(place(ann, 2, json!({})).await, 201);
        assert_eq!(place(ann, 3, json!({})).await, 429);
        assert_eq!(place(bob, 3, manual()).await, 201);
        // Another try to pay may be by transfer, too.
        let path = format!("/api/v1/orders/{ORDER}/payments");
        let pay = async |from: &str, provider: &str| {
            let request = edge.request(Method::POST, &path).bearer_auth(ORDER_SECRET);
            let request = request.header("x-forwarded-for", from);
            let request = request.header("idempotency-key", format!("{KEY}pay"));
            status(request.json(&json!({"provider": provider}))).await
        };
        assert_eq!(pay(ann, "manual").await, 429);
        assert_eq!(pay(bob, "manual").await, 201);
        // Who pays at once, or nothing, is not kept from it.
        assert_eq!(pay(ann, "sandbox").await, 201);
        assert_eq!(place(ann, 4, json!({"provider": "sandbox"})).await, 201);
        let free = json!({"expected_total": {"amount_minor": 0, "currency": "EUR"}});
        assert_eq!(place(ann, 5, free).await, 201);
        *edge.stub.order.lock().unwrap() = order();
        for number in 6..9 {
            let placed = edge.request(Method::POST, "/api/v1/orders");
            let placed = placed.header("x-forwarded-for", "203.0.113.3");
            let placed = placed.header("idempotency-key", format!("{KEY}{number}"));
            assert_eq!(status(placed.json(&new_order())).await, 201, "by card");
        }
        assert_eq!(place("203.0.113.3", 9, manual()).await, 201);
    })
    .await;
}

async fn hold(edge: &Edge, (from, key): (&str, u32), quantity: u32) -> u16 {
    let lines = json!([{"ticket_type_id": STANDING, "quantity": quantity}]);
    let request = edge.request(Method::POST, "/api/v1/holds");
    let request = request.header("x-forwarded-for", from);
    let request = request.header("idempotency-key", format!("{KEY}{key}"));
    status(request.json(&json!({"event_id": EVENT, "lines": lines}))).await
}

#[tokio::test]
async fn what_is_released_may_be_set_aside_again() {
    let few = |config: &mut gateway::Config| {
        behind_a_proxy(config);
        config.held_tickets_per_network_max = 4;
    };
    edge_with(few, async |edge| {
        let hold = async |key| hold(edge, ("203.0.113.1", key), 2).await;
        let path = format!("/api/v1/holds/{HOLD}");
        let release = async |from: &str| {
            let request = edge.request(Method::DELETE, &path);
            let request = request.header("x-forwarded-for", from);
            status(request.bearer_auth(HOLD_SECRET)).await
        };
        assert_eq!(hold(1).await, 201);
        assert_eq!(hold(2).await, 201);
        assert_eq!(hold(3).await, 429);
        // Who has not set them aside was not counted for them.
        assert_eq!(release("203.0.113.2").await, 204);
        assert_eq!(hold(3).await, 429);
        // Repeating it gives nothing more.
        for _ in 0..3 {
            assert_eq!(release("203.0.113.1").await, 204);
        }
        assert_eq!(hold(4).await, 201);
        assert_eq!(hold(5).await, 429);
        // A page releases as well.
        let form = edge.request(Method::POST, &format!("/checkout/{HOLD}/release"));
        let form = form.header("x-forwarded-for", "203.0.113.1");
        let form = form.header("cookie", format!("hold_{HOLD}={HOLD_SECRET}"));
        assert_eq!(status(form).await, 303);
        assert_eq!(hold(6).await, 201);
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_was_forgotten_is_in_the_log() {
    let few = |config: &mut gateway::Config| config.held_tickets_per_network_max = 2;
    edge_with(few, async |edge| {
        let warned = || logged().contains("a network sets too many tickets aside");
        assert_eq!(hold(edge, ("203.0.113.1", 1), 2).await, 201);
        assert!(!warned());
        // Another guest, and the same network for who believes no proxy.
        assert_eq!(hold(edge, ("198.51.100.7", 2), 2).await, 429);
        assert!(warned());
    })
    .await;
}

#[tokio::test]
async fn who_was_just_told_to_wait_with_signing_in_hears_it_again_from_the_edge() {
    let off = |config: &mut gateway::Config| config.rate_limits = "off".parse().unwrap();
    edge_with(off, async |edge| {
        edge.stub.fail(|| {
            let (code, reason) = (Code::ResourceExhausted, ErrorReason::TooManyRequests);
            let mut failure = Failure::refused(code, reason, "This was tried too often.");
            failure.retry_after = Some(Duration::from_secs(60));
            failure.into()
        });
        let login = async |email: &str| {
            let request = edge.request(Method::POST, "/api/v1/auth/login");
            let request = request.json(&json!({"email": email, "password": "a guess"}));
            request.send().await.unwrap()
        };
        let (ann, bob) = ("ann@example.org", "bob@example.org");
        let began = Instant::now();
        for _ in 0..20 {
            let refused = login(ann).await;
            assert_eq!(refused.status(), 429);
            assert!(header(&refused, "retry-after").parse::<u32>().unwrap() > 1);
            let refused: Value = refused.json().await.unwrap();
            assert_eq!(refused["detail"], "This was tried too often.");
        }
        // Once in a second.
        let most = 1 + began.elapsed().as_secs();
        let asked = edge.stub.times_asked_for(ann);
        assert!(u64::try_from(asked).unwrap() <= most, "{asked} of 20");
        assert_eq!(login(bob).await.status(), 429);
        assert_eq!(edge.stub.times_asked_for(bob), 1);
        // Who has another password does not wait.
        edge.stub.work_again();
        let reset = edge.request(Method::POST, "/api/v1/auth/password-resets/redeem");
        let reset = reset.json(&json!({"token": "of a mail", "password": "another long password"}));
        assert_eq!(status(reset).await, 204);
        assert_eq!(login(ann).await.status(), 200);
    })
    .await;
}

async fn place(edge: &Edge, email: &str, number: u32) -> u16 {
    let mut order = new_order();
    order["email"] = json!(email);
    let request = edge.request(Method::POST, "/api/v1/orders").json(&order);
    status(request.header("idempotency-key", format!("{KEY}{number}"))).await
}

#[tokio::test]
async fn strangers_cannot_fill_a_mailbox() {
    let few = |config: &mut gateway::Config| config.mails_per_address_max = 2;
    edge_with(few, async |edge| {
        // What was refused has sent nothing, so nobody is kept from buying by another's made-up orders.
        edge.stub.fail(|| Failure::not_found("hold").into());
        for number in 0..5 {
            assert_eq!(place(edge, "ada@example.org", number).await, 404);
        }
        edge.stub.work_again();
        assert_eq!(place(edge, "ada@example.org", 1).await, 201);
        // A repeat makes no second mail.
        assert_eq!(place(edge, "ada@example.org", 1).await, 201);
        assert_eq!(place(edge, "Ada@Example.org", 2).await, 201);
        assert_eq!(place(edge, "ada@example.org", 3).await, 429);
        assert_eq!(place(edge, "ada@example.org", 3).await, 429);
        assert_eq!(place(edge, "ada@example.org", 2).await, 201);
        assert_eq!(place(edge, "bob@example.org", 3).await, 201);
        // The other forms that send a mail somewhere count with them.
        let path = format!("/api/v1/orders/{ORDER}/tickets/{TICKET}/transfer");
        let transfer = |email: &str| {
            let body = json!({"email": email, "name": "Eve"});
            edge.post(&path).bearer_auth(ORDER_SECRET).json(&body)
        };
        assert_eq!(status(transfer("ada@example.org")).await, 429);
        assert_eq!(status(transfer("eve@example.org")).await, 200);
        // One key for many tickets or orders is many mails.
        let same_key = async |ticket: &str| {
            let path = format!("/api/v1/orders/{ORDER}/tickets/{ticket}/transfer");
            let body = json!({"email": "mallory@example.org", "name": "Mallory"});
            let request = edge.request(Method::POST, &path).bearer_auth(ORDER_SECRET);
            status(request.header("idempotency-key", KEY).json(&body)).await
        };
        assert_eq!(same_key(TICKET).await, 200);
        assert_eq!(same_key(TICKET).await, 200);
        assert_eq!(same_key(HOLD).await, 200);
        assert_eq!(same_key(ORDER).await, 429);
        let path = format!("/api/v1/orders/{ORDER}/correct-address");
        let body = json!({"email": "ada@example.org", "purchase_proof": "proof"});
        let correct = edge.post(&path).bearer_auth(ORDER_SECRET).json(&body);
        assert_eq!(status(correct).await, 429);
        assert_eq!(
            status(edge.get(&format!("/api/v1/holds/{HOLD}"))).await,
            401
        );
    })
    .await;
}
