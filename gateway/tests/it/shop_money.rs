//! What the shop's pages say about money: fees, taxes, ways to pay, and what goes back.

use kit::{Code, ErrorReason, Failure};
use proto::{payment, ticket};
use reqwest::{Method, RequestBuilder};

use crate::{
    facts::{self, HOLD, HOLD_SECRET, ORDER, ORDER_SECRET},
    harness::{Edge, edge, header},
};

const DETAILS: [(&str, &str); 3] = [
    ("total_minor", "5000"),
    ("currency", "EUR"),
    ("email", "ada@example.org"),
];

/// A browser that has the hold and the order.
fn guest(request: RequestBuilder) -> RequestBuilder {
    let cookies = format!("hold_{HOLD}={HOLD_SECRET}; order_{ORDER}={ORDER_SECRET}");
    request.header("cookie", cookies)
}

async fn page(edge: &Edge, path: &str) -> String {
    let response = guest(edge.get(path)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

async fn checkout(edge: &Edge) -> String {
    page(edge, &format!("/checkout/{HOLD}")).await
}

async fn order_page(edge: &Edge) -> String {
    page(edge, &format!("/orders/{ORDER}")).await
}

fn submit(edge: &Edge, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    guest(edge.request(Method::POST, path).form(fields)).header("accept", "text/html")
}

#[track_caller]
fn shows(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} in {page}");
    }
}

fn radio(name: &str, checked: &str) -> String {
    format!("<input type=\"radio\" name=\"provider\" value=\"{name}\"{checked}>")
}

#[tokio::test]
async fn a_form_never_leads_away_from_the_shop() {
    edge(async |edge| {
        let foreign = "https://checkout.stripe.example/c/pay/cs_1?a=1&b=2#x";
        {
            let mut order = edge.stub.order.lock().unwrap();
            order.payment.as_mut().unwrap().checkout_url = foreign.to_owned();
        }
        let leave = format!("/orders/{ORDER}/pay");
        let buy = submit(edge, &format!("/checkout/{HOLD}"), &DETAILS);
        assert_eq!(header(&buy.send().await.unwrap(), "location"), leave);
        let pay = submit(edge, &leave, &[("key", "0123456789abcdef")]);
        assert_eq!(header(&pay.send().await.unwrap(), "location"), leave);

        let read = || guest(edge.get(&leave)).send();
        let answer = read().await.unwrap();
        let policy = header(&answer, "content-security-policy");
        assert!(
            policy.ends_with(&format!("form-action 'self' {}", edge.url)),
            "{policy}"
        );
        let target =
            "https:&#x2f;&#x2f;checkout.stripe.example&#x2f;c&#x2f;pay&#x2f;cs_1?a=1&amp;b=2#x";
        let refresh = format!("<meta http-equiv=\"refresh\" content=\"0; url={target}\">");
        let link = format!("<a class=\"button main\" href=\"{target}\">Pay 50.00 EUR</a>");
        let site = "on a page of checkout.stripe.example";
        shows(&answer.text().await.unwrap(), &[&refresh, &link, site]);

        // Nothing to pay any more, or nowhere: back to the order.
        let own_page = format!("/orders/{ORDER}");
        for order in [facts::fulfilled_order(), facts::transfer_order()] {
            *edge.stub.order.lock().unwrap() = order;
            assert_eq!(header(&read().await.unwrap(), "location"), own_page);
        }
    })
    .await;
}

#[tokio::test]
async fn prices_show_the_fee_in_them() {
    edge(async |edge| {
        let fee = "25.00 EUR</span> <span class=\"hint fee\">incl. 1.00 EUR service fee</span>";
        shows(&edge.page("/events/moonlight-sessions").await, &[fee]);
        let parts = ["incl. 1.00 EUR service fee each", "19 % tax included"];
        shows(&checkout(edge).await, &parts);
        edge.stub.ticket_types.lock().unwrap()[0].unit_fee = facts::eur(0);
        let page = edge.page("/events/moonlight-sessions").await;
        assert_eq!(page.matches("service fee").count(), 1, "{page}");
    })
    .await;
}

#[tokio::test]
async fn a_guest_chooses_how_to_pay_where_there_is_a_choice() {
    edge(async |edge| {
        let choice = [radio("sandbox", " checked"), radio("manual", "")];
        shows(
            &checkout(edge).await,
            &[&choice[0], &choice[1], "Bank transfer"],
        );
        let buy = async |provider: &str| {
            let fields = [DETAILS.as_slice(), &[("provider", provider)]].concat();
            let buy = submit(edge, &format!("/checkout/{HOLD}"), &fields);
            buy.send().await.unwrap()
        };
        let key = |asked: &str| {
            let (_, key) = asked.split_once("idempotency_key: ").unwrap();
            key[..40].to_owned()
        };
        assert_eq!(buy("manual").await.status(), 303);
        let asked = edge.stub.last_asked();
        shows(&asked, &["provider: \"manual\""]);
        buy("sandbox").await;
        let other = edge.stub.last_asked();
        assert_ne!(
            key(&asked),
            key(&other),
            "another way to pay is another order"
        );

        // The choice stands in the page that comes back.
        edge.stub.fail_times(1, || {
            let (code, reason) = (Code::InvalidArgument, ErrorReason::ProviderNotEnabled);
            Failure::refused(code, reason, "There is no such provider.").into()
        });
        let refused = buy("manual").await;
        assert_eq!(refused.status(), 422);
        let kept = radio("manual", " checked");
        shows(
            &refused.text().await.unwrap(),
            &["choose another way to pay", &kept],
        );

        // One way is no choice, and what is free is not paid.
        edge.stub.event.lock().unwrap().payment_providers = vec!["manual".to_owned()];
        assert!(!checkout(edge).await.contains("type=\"radio\""));
        edge.stub.event.lock().unwrap().payment_providers.clear();
        edge.stub.hold.lock().unwrap().total = facts::eur(0);
        assert!(!checkout(edge).await.contains("type=\"radio\""));
    })
    .await;
}

#[tokio::test]
async fn another_try_may_be_paid_another_way() {
    edge(async |edge| {
        {
            let mut order = edge.stub.order.lock().unwrap();
            let attempt = order.payment.as_mut().unwrap();
            attempt.status = payment::AttemptStatus::Failed.into();
            attempt.checkout_url.clear();
        }
        let choice = [radio("sandbox", " checked"), radio("manual", "")];
        shows(&order_page(edge).await, &[&choice[0], &choice[1]]);
        let fields = [("key", "0123456789abcdef"), ("provider", "manual")];
        let pay = submit(edge, &format!("/orders/{ORDER}/pay"), &fields);
        assert_eq!(pay.send().await.unwrap().status(), 303);
        shows(&edge.stub.last_asked(), &["provider: \"manual\""]);
    })
    .await;
}

#[tokio::test]
async fn a_transfer_is_explained_and_what_is_missing_shown() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = facts::transfer_order();
        let page = order_page(edge).await;
        let parts = [
            "Not all paid yet",
            "DE89 3704 0044 0532 0130 00",
            "Reference: BX-7K3M9Q-4F",
            "Arrived so far",
            "20.00 EUR",
            "Still to pay",
            "30.00 EUR</td>",
            "Until Tuesday 1 June 2027, 20:00 CEST.",
            "Cancel and give",
            "data-poll=",
        ];
        shows(&page, &parts);
        // The guest reads and types; a page that reloads by itself would be in the way.
        assert!(!page.contains("http-equiv=\"refresh\""), "{page}");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_outcome_is_waited_for() {
    edge(async |edge| {
        {
            let mut order = edge.stub.order.lock().unwrap();
            order.status = payment::OrderStatus::Processing.into();
            order.payment.as_mut().unwrap().status = payment::AttemptStatus::Processing.into();
        }
        let page = order_page(edge).await;
        let parts = [
            "Your bank is still deciding",
            "Please do not pay again",
            "content=\"15; url=",
            "Cancel and give",
        ];
        shows(&page, &parts);
        let pays = page.contains(">Pay 50.00 EUR<") || page.contains("Try to pay again");
        assert!(!pays, "{page}");
    })
    .await;
}

fn is(edge: &Edge, status: payment::OrderStatus, refund: payment::Refund) {
    *edge.stub.order.lock().unwrap() = payment::Order {
        status: status.into(),
        refunds: vec![refund],
        ..facts::fulfilled_order()
    };
}

#[tokio::test]
async fn a_refund_taxes_and_the_seller_stand_on_the_order() {
    edge(async |edge| {
        is(
            edge,
            payment::OrderStatus::PartiallyRefunded,
            facts::refund(),
        );
        let page = order_page(edge).await;
        let parts = [
            "Part of your money was sent back",
            "Money back",
            "Sent back",
            "25.00 EUR",
            "One seat could not be used.",
            "/tickets.pdf",
            "19 % tax included",
            "7.98 EUR",
            "Sold by",
            "Mondweg 1\n10115 Berlin",
            "Tax number DE123456789",
        ];
        shows(&page, &parts);
        assert!(!page.contains("data-poll"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn money_on_its_way_back_is_told_with_its_cause() {
    edge(async |edge| {
        let under_way = payment::Refund {
            status: payment::RefundStatus::Failed.into(),
            reason: payment::RefundReason::EventCancelled.into(),
            ended_at: None,
            ..facts::refund()
        };
        is(edge, payment::OrderStatus::Fulfilled, under_way.clone());
        let page = order_page(edge).await;
        let parts = [
            "Sorry, the concert was cancelled",
            "All of your money goes back to you",
            "On its way",
            "data-poll=",
        ];
        shows(&page, &parts);
        // The concert has no page any more, and no ticket is good for anything.
        assert!(
            !page.contains("href=\"/events/") && !page.contains("tickets.pdf"),
            "{page}"
        );

        let gone = payment::Refund {
            reason: payment::RefundReason::Unfulfillable.into(),
            status: payment::RefundStatus::FailedFinal.into(),
            ..under_way
        };
        is(edge, payment::OrderStatus::Unfulfillable, gone);
        let parts = [
            "Sorry, there are no tickets",
            "All of your money goes back to you",
            "Will be paid out by hand",
        ];
        let page = order_page(edge).await;
        shows(&page, &parts);
        // They may have been sold, or the concert cancelled.
        assert!(!page.contains("sold") && !page.contains("gone"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn a_withdrawn_refund_promises_no_money() {
    edge(async |edge| {
        let withdrawn = payment::Refund {
            status: payment::RefundStatus::FailedFinal.into(),
            withdrawn: true,
            ..facts::refund()
        };
        is(edge, payment::OrderStatus::PartiallyRefunded, withdrawn);
        let page = order_page(edge).await;
        shows(&page, &["Not sent back"]);
        assert!(!page.contains("paid out by hand"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn whoever_paid_nothing_is_promised_no_money() {
    edge(async |edge| {
        let free = |status: payment::OrderStatus, what: &str| payment::Order {
            status: status.into(),
            total_amount: facts::eur(0),
            payment: None,
            timeline: vec![payment::TimelineEntry {
                what: what.to_owned(),
                ..facts::order().timeline[0].clone()
            }],
            ..facts::fulfilled_order()
        };
        let fulfilled = payment::OrderStatus::Fulfilled;
        *edge.stub.order.lock().unwrap() = free(fulfilled, "event_cancelled");
        let cancelled = order_page(edge).await;
        let parts = ["Sorry, the concert was cancelled", "You had nothing to pay"];
        shows(&cancelled, &parts);
        assert!(!cancelled.contains("tickets.pdf"), "{cancelled}");

        let refused = payment::OrderStatus::Unfulfillable;
        *edge.stub.order.lock().unwrap() = free(refused, "unfulfillable");
        let refused = order_page(edge).await;
        let parts = ["Sorry, there are no tickets", "You had nothing to pay"];
        shows(&refused, &parts);
        assert!(!refused.contains("data-poll"), "nothing more comes of it");
        for page in [cancelled, refused] {
            let promises = page.contains("your money") || page.contains("at the door");
            assert!(!promises, "{page}");
        }
    })
    .await;
}

#[tokio::test]
async fn documents_are_offered_while_a_ticket_is_valid() {
    edge(async |edge| {
        let mut order = facts::fulfilled_order();
        order.status = payment::OrderStatus::PartiallyRefunded.into();
        order.tickets[0].status = ticket::TicketStatus::Void.into();
        *edge.stub.order.lock().unwrap() = order.clone();
        shows(&order_page(edge).await, &["tickets.pdf"]);
        order.tickets[1].status = ticket::TicketStatus::Void.into();
        *edge.stub.order.lock().unwrap() = order.clone();
        let page = order_page(edge).await;
        assert!(!page.contains("tickets.pdf") && !page.contains("calendar.ics"));
        assert!(
            page.contains("/receipt\""),
            "what was paid stays to be shown"
        );
        order.status = payment::OrderStatus::Refunded.into();
        *edge.stub.order.lock().unwrap() = order.clone();
        assert!(order_page(edge).await.contains("/receipt\""));
        order.status = payment::OrderStatus::Cancelled.into();
        order.timeline.retain(|entry| entry.what != "paid");
        *edge.stub.order.lock().unwrap() = order;
        assert!(
            !order_page(edge).await.contains("/receipt\""),
            "nothing was paid"
        );
    })
    .await;
}
