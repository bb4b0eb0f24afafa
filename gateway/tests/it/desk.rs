//! What guests do for themselves, over REST.

use std::io::Write as _;

use kit::{Code, ErrorReason, Failure};
use proto::{event, payment, ticket};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tonic::{Request, async_trait};

use crate::{
    facts::{self, ORDER, ORDER_SECRET, PURCHASE_PROOF, TICKET, TICKET_SECRET, TRANSFER},
    harness::{Edge, edge, header, refusal},
    stub::{Reply, Stub, secret_fits},
};

pub const LOOKUP: &str = "0190b6a2-7c1e-8000-8000-00000000000c";
pub const LOOKUP_CODE: &str = "12345678";

#[async_trait]
impl payment::desk_service_server::DeskService for Stub {
    async fn resend_receipt(
        &self,
        request: Request<payment::ResendReceiptRequest>,
    ) -> Reply<payment::ResendReceiptResponse> {
        secret_fits(&request.get_ref().secret, ORDER_SECRET)?;
        self.answer(request, |_| payment::ResendReceiptResponse {
            email: "ada@example.org".to_owned(),
        })
        .await
    }

    async fn request_lookup_code(
        &self,
        request: Request<payment::RequestLookupCodeRequest>,
    ) -> Reply<payment::RequestLookupCodeResponse> {
        if !request.get_ref().email.contains('@') {
            let problem = kit::FieldProblem::new("email", "must have exactly one @");
            return Err(kit::fields(vec![problem]).into());
        }
        self.answer(request, |_| payment::RequestLookupCodeResponse {
            lookup_id: LOOKUP.to_owned(),
            expires_at: facts::order().created_at,
        })
        .await
    }

    async fn redeem_lookup_code(
        &self,
        request: Request<payment::RedeemLookupCodeRequest>,
    ) -> Reply<payment::RedeemLookupCodeResponse> {
        let presented = request.get_ref();
        let theirs = presented.lookup_id == LOOKUP || presented.email == "ada@example.org";
        if !theirs || presented.code != LOOKUP_CODE {
            let (code, reason) = (Code::InvalidArgument, ErrorReason::CodeInvalid);
            return Err(Failure::refused(code, reason, "The code is not right.").into());
        }
        let order = facts::fulfilled_order();
        self.answer(request, |_| payment::RedeemLookupCodeResponse {
            orders: vec![payment::FoundOrder {
                id: order.id,
                number: order.number,
                status: order.status,
                event_title: order.event_title,
                event_location: order.event_location,
                event_date_time: order.event_date_time,
                event_timezone: order.event_timezone,
                created_at: order.created_at,
                secret: ORDER_SECRET.to_owned(),
            }],
        })
        .await
    }

    async fn update_preferences(
        &self,
        request: Request<payment::UpdatePreferencesRequest>,
    ) -> Reply<payment::UpdatePreferencesResponse> {
        secret_fits(&request.get_ref().secret, ORDER_SECRET)?;
        self.answer(request, |_| payment::UpdatePreferencesResponse {
            order: Some(self.order.lock().unwrap().clone()),
        })
        .await
    }

    async fn unsubscribe(
        &self,
        request: Request<payment::UnsubscribeRequest>,
    ) -> Reply<payment::UnsubscribeResponse> {
        secret_fits(&request.get_ref().token, "a-good-token")?;
        self.answer(request, |_| payment::UnsubscribeResponse {})
            .await
    }

    async fn correct_address(
        &self,
        request: Request<payment::CorrectAddressRequest>,
    ) -> Reply<payment::CorrectAddressResponse> {
        secret_fits(&request.get_ref().secret, ORDER_SECRET)?;
        secret_fits(&request.get_ref().purchase_proof, PURCHASE_PROOF)?;
        if !request.get_ref().email.contains('@') {
            let problem = kit::FieldProblem::new("email", "must have exactly one @");
            return Err(kit::fields(vec![problem]).into());
        }
        self.answer(request, |asked| payment::CorrectAddressResponse {
            order: Some(payment::Order {
                email: asked.email,
                ..facts::fulfilled_order()
            }),
            secret: "a-new-secret".to_owned(),
        })
        .await
    }

    async fn transfer_ticket(
        &self,
        request: Request<payment::TransferTicketRequest>,
    ) -> Reply<payment::TransferTicketResponse> {
        secret_fits(&request.get_ref().secret, ORDER_SECRET)?;
        if request.get_ref().name.is_empty() {
            let problem = kit::FieldProblem::new("name", "must have 1 character or more");
            return Err(kit::fields(vec![problem]).into());
        }
        self.answer(request, |_| payment::TransferTicketResponse {
            order: Some(handed_on()),
        })
        .await
    }

    async fn get_transferred_ticket(
        &self,
        request: Request<payment::GetTransferredTicketRequest>,
    ) -> Reply<payment::GetTransferredTicketResponse> {
        secret_fits(&request.get_ref().secret, TICKET_SECRET)?;
        self.answer(request, |_| payment::GetTransferredTicketResponse {
            facts: Some(ticket_facts()),
        })
        .await
    }

    async fn get_order_mark(
        &self,
        request: Request<payment::GetOrderMarkRequest>,
    ) -> Reply<payment::GetOrderMarkResponse> {
        secret_fits(&request.get_ref().secret, ORDER_SECRET)?;
        let status = self.order.lock().unwrap().status;
        self.answer(request, |_| payment::GetOrderMarkResponse {
            mark: format!("0123abcd{status}"),
        })
        .await
    }

    async fn get_terms(
        &self,
        request: Request<payment::GetTermsRequest>,
    ) -> Reply<payment::GetTermsResponse> {
        let (version, text) = self.terms.lock().unwrap().clone();
        self.answer(request, |_| payment::GetTermsResponse { version, text })
            .await
    }
}

/// The first of two tickets belongs to Grace.
pub fn handed_on() -> payment::Order {
    let mut order = facts::fulfilled_order();
    order.tickets[0].code.clear();
    order.transferred_tickets = vec![payment::TransferredTicket {
        ticket_id: TICKET.to_owned(),
        name: "Grace".to_owned(),
        email: "grace@example.org".to_owned(),
        at: order.created_at,
        pending: false,
    }];
    order
}

/// May be cancelled for 45.00 of 50.00.
pub fn cancellable() -> payment::Order {
    payment::Order {
        cancellation: Some(payment::Cancellation {
            refund: facts::eur(4500),
            fee: facts::eur(500),
            until: facts::order().event_date_time,
        }),
        preferences: Some(payment::Preferences {
            locale: "de-AT".to_owned(),
            reminder: true,
            notices: false,
        }),
        ..facts::fulfilled_order()
    }
}

fn ticket_facts() -> event::OrderPaid {
    let order = facts::fulfilled_order();
    event::OrderPaid {
        order_id: order.id,
        number: order.number,
        name: "Grace".to_owned(),
        event: Some(event::EventSnapshot {
            id: order.event_id,
            slug: order.event_slug,
            title: order.event_title,
            location: order.event_location,
            date_time: order.event_date_time,
            timezone: order.event_timezone,
            ..Default::default()
        }),
        tickets: vec![event::PaidTicket {
            id: TICKET.to_owned(),
            code: facts::CODE.to_owned(),
            category: "Standing".to_owned(),
        }],
        seller: order.seller,
        ..Default::default()
    }
}

fn of_order(edge: &Edge, method: Method, path: &str) -> RequestBuilder {
    edge.request(method, &format!("/api/v1/orders/{ORDER}{path}"))
        .header("idempotency-key", crate::harness::KEY)
        .bearer_auth(ORDER_SECRET)
}

async fn json_of(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_receipt_is_sent_again() {
    edge(async |edge| {
        let (status, sent) = json_of(of_order(edge, Method::POST, "/receipt")).await;
        assert_eq!((status, &sent), (202, &json!({"email": "ada@example.org"})));
        let no_key = edge.request(Method::POST, &format!("/api/v1/orders/{ORDER}/receipt"));
        assert_eq!(
            refusal(no_key.bearer_auth(ORDER_SECRET)).await,
            (400, "IDEMPOTENCY_KEY_INVALID".into(), None)
        );
        edge.stub.fail(|| {
            let (code, reason) = (Code::ResourceExhausted, ErrorReason::TooManyRequests);
            let mut often = Failure::refused(code, reason, "Too often.");
            often.retry_after = Some(std::time::Duration::from_secs(1800));
            often.into()
        });
        let often = of_order(edge, Method::POST, "/receipt");
        let often = often.send().await.unwrap();
        assert_eq!(
            (often.status().as_u16(), header(&often, "retry-after")),
            (429, "1800".into())
        );
    })
    .await;
}

#[tokio::test]
async fn orders_are_found_by_a_code() {
    edge(async |edge| {
        let asked = edge
            .post("/api/v1/orders/lookup")
            .json(&json!({"email": "ada@example.org"}));
        let (status, asked) = json_of(asked).await;
        assert_eq!((status, asked["id"].as_str()), (202, Some(LOOKUP)));
        assert!(
            edge.stub.last_asked().contains("network: \"127.0.0.1\""),
            "{}",
            edge.stub.last_asked()
        );
        let confirm = |email: &str, code: &str| {
            let body = json!({"email": email, "code": code});
            edge.post("/api/v1/orders/lookup/confirm").json(&body)
        };
        let found = confirm("ada@example.org", LOOKUP_CODE);
        let (status, found) = json_of(found).await;
        assert_eq!(status, 200);
        assert_eq!(
            found["orders"][0]["link"],
            format!("{}/o/{ORDER}/{ORDER_SECRET}", edge.url)
        );
        let body = json!({"email": "nobody@example.org", "id": LOOKUP, "code": LOOKUP_CODE});
        let with_id = edge.post("/api/v1/orders/lookup/confirm").json(&body);
        assert_eq!(json_of(with_id).await.0, 200);
        for (email, code) in [
            ("ada@example.org", "00000000"),
            ("nobody@example.org", LOOKUP_CODE),
        ] {
            let wrong = confirm(email, code);
            assert_eq!(refusal(wrong).await, (422, "CODE_INVALID".into(), None));
        }
        let bad = edge
            .post("/api/v1/orders/lookup")
            .json(&json!({"email": "ada"}));
        assert_eq!(
            refusal(bad).await,
            (422, "INVALID_REQUEST".into(), Some("email".into()))
        );
    })
    .await;
}

#[tokio::test]
async fn preferences_and_the_end_of_mails() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = cancellable();
        let change = json!({"reminder": false});
        let request = of_order(edge, Method::PATCH, "/preferences").json(&change);
        let (status, order) = json_of(request).await;
        assert_eq!(
            (status, &order["preferences"]["locale"]),
            (200, &json!("de-AT"))
        );
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("locale: None, reminder: Some(false), notices: None"),
            "{asked}"
        );
        let path = format!("/api/v1/orders/{ORDER}/unsubscribe");
        let good = edge.post(&path).json(&json!({"token": "a-good-token"}));
        assert_eq!(good.send().await.unwrap().status(), 204);
        let bad = edge.post(&path).json(&json!({"token": "x"}));
        assert_eq!(refusal(bad).await, (404, "NOT_FOUND".into(), None));
    })
    .await;
}

#[tokio::test]
async fn a_paid_order_is_cancelled_at_what_was_shown() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = cancellable();
        let (_, order) = json_of(of_order(edge, Method::GET, "")).await;
        assert_eq!(order["cancellation"]["refund"]["amount_minor"], 4500);
        let wish = json!({"expected_refund": order["cancellation"]["refund"]});
        let cancel = of_order(edge, Method::POST, "/cancel").json(&wish);
        assert_eq!(json_of(cancel).await.0, 200);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("expected_refund: Some(Money { amount_minor: 4500"),
            "{asked}"
        );
        edge.stub.fail(|| {
            let reason = ErrorReason::CancellationClosed;
            Failure::refused(Code::FailedPrecondition, reason, "Too late.").into()
        });
        let late = of_order(edge, Method::POST, "/cancel").json(&wish);
        assert_eq!(
            refusal(late).await,
            (409, "CANCELLATION_CLOSED".into(), None)
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_is_corrected_with_the_proof_of_who_ordered() {
    edge(async |edge| {
        let body = |proof: &str| json!({"email": "ada@example.com", "purchase_proof": proof});
        let right = of_order(edge, Method::POST, "/correct-address").json(&body(PURCHASE_PROOF));
        let (status, corrected) = json_of(right).await;
        assert_eq!(
            (status, &corrected["email"]),
            (200, &json!("ada@example.com"))
        );
        assert_eq!(corrected["secret"], "a-new-secret");
        assert_eq!(
            corrected["link"],
            format!("{}/o/{ORDER}/a-new-secret", edge.url)
        );
        let wrong = of_order(edge, Method::POST, "/correct-address").json(&body(ORDER_SECRET));
        assert_eq!(refusal(wrong).await, (404, "NOT_FOUND".into(), None));
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_handed_on_and_has_a_page_of_its_own() {
    edge(async |edge| {
        let path = format!("/tickets/{TICKET}/transfer");
        let holder = json!({"email": "grace@example.org", "name": "Grace"});
        let (status, order) = json_of(of_order(edge, Method::POST, &path).json(&holder)).await;
        assert_eq!(status, 200);
        assert_eq!(order["tickets"][0]["code"], "");
        assert_eq!(order["transferred_tickets"][0]["name"], "Grace");
        for (path, secret, answer) in [
            ("/tickets/nonsense/transfer".to_owned(), ORDER_SECRET, 404),
            (path, "foreign", 404),
        ] {
            let request = edge.post(&format!("/api/v1/orders/{ORDER}{path}"));
            let request = request.bearer_auth(secret).json(&holder);
            assert_eq!(refusal(request).await.0, answer);
        }
        let own = format!("/api/v1/transferred-tickets/{TRANSFER}");
        let (status, ticket) = json_of(edge.get(&own).bearer_auth(TICKET_SECRET)).await;
        assert_eq!((status, &ticket["code"]), (200, &json!(facts::CODE)));
        for (name, kind) in [
            ("ticket.pdf", "application/pdf"),
            ("calendar.ics", "text/calendar; charset=utf-8"),
        ] {
            let request = edge.get(&format!("{own}/{name}"));
            let response = request.bearer_auth(TICKET_SECRET).send().await.unwrap();
            assert_eq!(header(&response, "content-type"), kind);
        }
        assert_eq!(
            refusal(edge.get(&own)).await,
            (401, "UNAUTHENTICATED".into(), None)
        );
        let foreign = edge.get(&own).bearer_auth(ORDER_SECRET);
        assert_eq!(refusal(foreign).await, (404, "NOT_FOUND".into(), None));
    })
    .await;
}

#[tokio::test]
async fn everything_comes_in_one_archive() {
    edge(async |edge| {
        let response = of_order(edge, Method::GET, "/all.zip").send().await.unwrap();
        assert_eq!(header(&response, "content-type"), "application/zip");
        assert_eq!(
            header(&response, "content-disposition"),
            "attachment; filename=\"BX-7K3M9Q.zip\""
        );
        let archive = response.bytes().await.unwrap();
        assert_eq!(&archive[..4], b"PK\x03\x04");
        // Read by another program than the one that wrote it.
        let folder = std::env::temp_dir().join(testkit::keys::idempotency_key());
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("all.zip");
        std::fs::File::create(&file)
            .unwrap()
            .write_all(&archive)
            .unwrap();
        let script = "import sys, zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      assert z.testzip() is None\n\
                      print([(n, z.read(n).decode()) for n in z.namelist()])";
        let read = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&read.stdout).into_owned();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(read.status.success(), "{read:?}");
        let expected = "[('tickets.pdf', 'rendered BX-7K3M9Q'), ('concert.ics', 'rendered BX-7K3M9Q'), \
                        ('receipt.pdf', 'rendered BX-7K3M9Q')]";
        assert_eq!(said.trim(), expected);
    })
    .await;
}

#[tokio::test]
async fn the_mark_and_the_terms() {
    edge(async |edge| {
        let (_, mark) = json_of(of_order(edge, Method::GET, "/mark")).await;
        let status = proto::payment::OrderStatus::AwaitingPayment as i32;
        assert_eq!(mark, json!({"mark": format!("0123abcd{status}")}));
        let (_, none) = json_of(edge.get("/api/v1/terms")).await;
        assert_eq!(none, json!({"version": null, "text": null}));
        *edge.stub.terms.lock().unwrap() = ("v1".to_owned(), "Be on time.".to_owned());
        let (_, terms) = json_of(edge.get("/api/v1/terms")).await;
        assert_eq!(terms, json!({"version": "v1", "text": "Be on time."}));
    })
    .await;
}

#[tokio::test]
async fn a_guest_is_erased_by_a_superadmin() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/orders/{ORDER}/erase-guest");
        let body = json!({"all_of_address": true, "note": "Asked for in writing."});
        let request = edge.post(&path).bearer_auth("good").json(&body);
        let (status, erased) = json_of(request).await;
        assert_eq!((status, erased), (200, json!({"order_ids": [ORDER]})));
        assert_eq!(
            refusal(edge.post(&path).json(&body)).await,
            (401, "UNAUTHENTICATED".into(), None)
        );
    })
    .await;
}

#[tokio::test]
async fn a_rule_for_cancelling_goes_through() {
    edge(async |edge| {
        let rule = json!({"allowed": true, "until_hours": 48, "fee_ppm": 100_000});
        edge.stub.event.lock().unwrap().cancellation = Some(ticket::CancellationRule {
            allowed: true,
            until_hours: 48,
            fee_ppm: 100_000,
        });
        let path = format!("/api/v1/admin/events/{}", facts::EVENT);
        let change = edge.request(Method::PATCH, &path).bearer_auth("good");
        let (status, _) = json_of(change.json(&json!({"cancellation": rule}))).await;
        assert_eq!(status, 200);
        let asked = edge.stub.last_asked();
        let told = "cancellation: Some(CancellationRule { allowed: true, until_hours: 48, fee_ppm: 100000 })";
        assert!(asked.contains(told), "{asked}");
        let (_, event) = json_of(edge.get(&format!("/api/v1/events/{}", facts::EVENT))).await;
        assert_eq!(event["cancellation"], rule);
    })
    .await;
}
