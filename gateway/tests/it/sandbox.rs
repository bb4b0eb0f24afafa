//! The sandbox provider's page beyond paying and being declined: the second step, pending payments, and
//! the test API that settles them.

use kit::{Code, ErrorReason, Failure};
use proto::payment::SandboxSessionStatus as Status;
use reqwest::{Method, Response};

use crate::{
    facts::{ORDER, REFERENCE},
    harness::{Edge, edge, header, refusal},
};

fn page_url() -> String {
    format!("/pay/sandbox/{REFERENCE}")
}

fn order_url() -> String {
    format!("http://127.0.0.1:1/orders/{ORDER}")
}

async fn send(edge: &Edge, path: &str, fields: &[(&str, &str)]) -> Response {
    let form = edge.request(Method::POST, path).form(fields);
    form.header("accept", "text/html").send().await.unwrap()
}

/// Where a form leads to.
async fn led_to(edge: &Edge, path: &str, fields: &[(&str, &str)]) -> String {
    let response = send(edge, path, fields).await;
    assert_eq!(response.status(), 303);
    header(&response, "location")
}

async fn page_of(edge: &Edge, status: Status) -> String {
    edge.stub.session.lock().unwrap().status = status.into();
    edge.page(&page_url()).await
}

#[tokio::test]
async fn the_second_step_is_a_form_of_its_own() {
    edge(async |edge| {
        let card = [
            ("card_number", "4000002500003155"),
            ("exp", "12/34"),
            ("cvc", "123"),
        ];
        assert_eq!(led_to(edge, &page_url(), &card).await, page_url());
        let page = page_of(edge, Status::Approval).await;
        for part in [
            "name=\"approve\" value=\"yes\"",
            "name=\"approve\" value=\"no\"",
            "without paying",
            "50.00 EUR",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!page.contains("card_number"), "{page}");

        let yes = led_to(edge, &page_url(), &[("approve", "yes")]).await;
        assert_eq!(yes, order_url());
        assert!(edge.stub.last_asked().contains("approve: true"));
        let no = led_to(edge, &page_url(), &[("approve", "no")]).await;
        assert_eq!(no, format!("{}?payment=declined", order_url()));
        let asked = edge.stub.times_asked();
        let neither = edge.request(Method::POST, &page_url());
        let neither = neither
            .form(&[("approve", "perhaps")])
            .send()
            .await
            .unwrap();
        assert_eq!(neither.status(), 422);
        // Only the page was asked for again.
        assert_eq!(edge.stub.times_asked(), asked + 1);
    })
    .await;
}

#[tokio::test]
async fn a_pending_payment_is_settled_by_the_test_api() {
    edge(async |edge| {
        let card = [
            ("card_number", "4000000000000119"),
            ("exp", "12/34"),
            ("cvc", "123"),
        ];
        assert_eq!(led_to(edge, &page_url(), &card).await, order_url());
        let page = page_of(edge, Status::Pending).await;
        for part in [
            "name=\"outcome\" value=\"paid\"",
            "name=\"outcome\" value=\"failed\"",
            "do not pay again",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(!page.contains("card_number"), "{page}");

        let settle = format!("{}/settle", page_url());
        for (outcome, asked) in [("paid", "paid: true"), ("failed", "paid: false")] {
            let page = led_to(edge, &settle, &[("outcome", outcome)]).await;
            assert_eq!(page, page_url());
            assert!(edge.stub.last_asked().contains(asked));
        }
        let program = || {
            let request = edge.request(Method::POST, &settle);
            request.header("accept", "application/json")
        };
        let neither = refusal(program().form(&[("outcome", "maybe")])).await;
        let field = Some("outcome".to_owned());
        assert_eq!(neither, (422, "INVALID_REQUEST".to_owned(), field));
        edge.stub.fail(|| {
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::OrderNotOpen);
            Failure::refused(code, reason, "The payment is not pending.").into()
        });
        let closed = refusal(program().form(&[("outcome", "paid")])).await;
        assert_eq!((closed.0, closed.1.as_str()), (409, "ORDER_NOT_OPEN"));
    })
    .await;
}

#[tokio::test]
async fn every_state_has_a_way_back() {
    edge(async |edge| {
        let link = format!("href=\"{}\"", order_url().replace('/', "&#x2f;"));
        for (status, words) in [
            (Status::Open, "without paying"),
            (Status::Approval, "Is this payment yours?"),
            (Status::Pending, "Payment pending"),
            (Status::Succeeded, "This is paid."),
            (Status::Closed, "Nothing was charged here."),
        ] {
            let page = page_of(edge, status).await;
            assert!(page.contains(&link), "{link} in {page}");
            assert!(page.contains(words), "{words} in {page}");
            let has_form = matches!(status, Status::Open | Status::Approval | Status::Pending);
            assert_eq!(page.contains("<form"), has_form, "{page}");
        }
        let outcome = [("outcome", "paid")];
        let unknown = send(edge, "/pay/sandbox/%20/settle", &outcome).await;
        assert_eq!(unknown.status(), 404);
    })
    .await;
}

#[tokio::test]
async fn the_page_names_every_test_card() {
    edge(async |edge| {
        let page = page_of(edge, Status::Open).await;
        for card in [
            "4242 4242 4242 4242",
            "4000 0000 0000 0002",
            "4000 0025 0000 3155",
            "4000 0000 0000 0077",
            "4000 0000 0000 0119",
            "4000 0000 0000 0341",
            "4000 0000 0000 7726",
            "4000 0000 0000 5126",
        ] {
            assert!(page.contains(card), "{card} in {page}");
        }
    })
    .await;
}
