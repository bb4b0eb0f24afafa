//! The guest's desk in plain HTML.

use proto::payment;
use reqwest::{Method, RequestBuilder};

use crate::{
    desk::{LOOKUP, LOOKUP_CODE, cancellable, handed_on},
    facts::{
        self, HOLD, HOLD_SECRET, ORDER, ORDER_SECRET, PURCHASE_PROOF, TICKET, TICKET_SECRET,
        TRANSFER,
    },
    harness::{Edge, edge, header, logged},
};

fn guest(request: RequestBuilder) -> RequestBuilder {
    let cookies = format!(
        "hold_{HOLD}={HOLD_SECRET}; order_{ORDER}={ORDER_SECRET}; purchase_{ORDER}={PURCHASE_PROOF}"
    );
    request
        .header("cookie", cookies)
        .header("accept", "text/html")
}

async fn page(edge: &Edge, path: &str) -> String {
    let response = guest(edge.get(path)).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

async fn leads_to(request: RequestBuilder) -> String {
    let response = guest(request).send().await.unwrap();
    assert_eq!(response.status(), 303);
    header(&response, "location")
}

fn submit(edge: &Edge, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    edge.request(Method::POST, path).form(fields)
}

#[track_caller]
fn shows(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn an_order_offers_what_its_guest_may_do() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = cancellable();
        let path = format!("/orders/{ORDER}");
        let order = page(edge, &path).await;
        shows(
            &order,
            &[
                "All in one file",
                "Send the receipt again",
                "Cancel the order: 45.00 EUR back",
                &format!("/orders/{ORDER}/tickets/{TICKET}/transfer"),
                "Not the right address?",
                "<option value=\"de-AT\" selected>Deutsch</option>",
                "name=\"reminder\" value=\"yes\" checked",
                "name=\"notices\" value=\"yes\">",
            ],
        );
        assert!(!order.contains("data-poll"), "nothing moves");
        let stranger = edge
            .get(&path)
            .header("cookie", format!("order_{ORDER}={ORDER_SECRET}"));
        let stranger = stranger.send().await.unwrap().text().await.unwrap();
        assert!(!stranger.contains("Not the right address?"));
        shows(
            &page(edge, &format!("{path}?done=resent")).await,
            &["The receipt is on its way to you once more."],
        );
    })
    .await;
}

#[tokio::test]
async fn the_receipt_is_asked_for_again() {
    edge(async |edge| {
        let own = format!("/orders/{ORDER}");
        let send = submit(
            edge,
            &format!("{own}/resend"),
            &[("key", "0123456789abcdef")],
        );
        assert_eq!(leads_to(send).await, format!("{own}?done=resent"));
        edge.stub.fail(|| {
            let code = kit::Code::ResourceExhausted;
            let reason = kit::ErrorReason::TooManyRequests;
            kit::Failure::refused(code, reason, "Too often.").into()
        });
        let often = submit(
            edge,
            &format!("{own}/resend"),
            &[("key", "0123456789abcdef")],
        );
        assert_eq!(leads_to(often).await, format!("{own}?done=often"));
    })
    .await;
}

#[tokio::test]
async fn orders_are_found_without_a_script() {
    edge(async |edge| {
        shows(
            &page(edge, "/find").await,
            &["Send me a code", "name=\"key\""],
        );
        let key = ("key", "0123456789abcdef");
        let asked = guest(submit(edge, "/find", &[("email", "ada@example.org"), key]));
        let asked = asked.send().await.unwrap().text().await.unwrap();
        let lookup = format!("name=\"lookup\" value=\"{LOOKUP}\"");
        shows(
            &asked,
            &[
                "If there are orders of ada@example.org, a code is on its way there.",
                &lookup,
            ],
        );
        let found = guest(submit(
            edge,
            "/find/code",
            &[("lookup", LOOKUP), ("code", LOOKUP_CODE)],
        ));
        let found = found.send().await.unwrap();
        assert_eq!(header(&found, "cache-control"), "no-store");
        let link = format!(
            "{}&#x2f;o&#x2f;{ORDER}&#x2f;{ORDER_SECRET}",
            edge.url.replace('/', "&#x2f;")
        );
        shows(
            &found.text().await.unwrap(),
            &["Moonlight Sessions", &link, "your tickets are ready"],
        );
        let wrong = guest(submit(
            edge,
            "/find/code",
            &[
                ("lookup", LOOKUP),
                ("code", "1"),
                ("email", "ada@example.org"),
            ],
        ));
        let wrong = wrong.send().await.unwrap();
        assert_eq!(wrong.status(), 422);
        shows(
            &wrong.text().await.unwrap(),
            &["The code is not right", &lookup],
        );
        let bad = guest(submit(edge, "/find", &[("email", "ada"), key]));
        let bad = bad.send().await.unwrap();
        assert_eq!(bad.status(), 422);
        shows(
            &bad.text().await.unwrap(),
            &["value=\"ada\"", "aria-invalid"],
        );
    })
    .await;
}

#[tokio::test]
async fn the_exact_refund_is_shown_first() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = cancellable();
        let path = format!("/orders/{ORDER}/cancel");
        shows(
            &page(edge, &path).await,
            &[
                "Cancel and get 45.00 EUR back",
                "5.00 EUR",
                "name=\"refund_minor\" value=\"4500\"",
            ],
        );
        let fields = [("refund_minor", "4500"), ("currency", "EUR")];
        let own = format!("/orders/{ORDER}");
        assert_eq!(leads_to(submit(edge, &path, &fields)).await, own);
        assert!(edge.stub.last_asked().contains("amount_minor: 4500"));
        edge.stub.fail(|| {
            let code = kit::Code::FailedPrecondition;
            let reason = kit::ErrorReason::TotalChanged;
            kit::Failure::refused(code, reason, "Another amount.").into()
        });
        assert_eq!(leads_to(submit(edge, &path, &fields)).await, path);
        edge.stub.work_again();
        // Nothing to offer: the order says why.
        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        assert_eq!(leads_to(edge.get(&path)).await, own);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_order_says_so() {
    edge(async |edge| {
        let mut order = facts::fulfilled_order();
        order.status = payment::OrderStatus::PartiallyRefunded.into();
        order.timeline = vec![payment::TimelineEntry {
            at: order.created_at,
            what: "guest_cancelled".to_owned(),
            detail: "You cancelled the order.".to_owned(),
        }];
        *edge.stub.order.lock().unwrap() = order;
        let page = page(edge, &format!("/orders/{ORDER}")).await;
        shows(
            &page,
            &["<h1>Cancelled</h1>", "What goes back to you stands below."],
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_is_corrected_where_the_order_was_placed() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        let path = format!("/orders/{ORDER}/address");
        shows(&page(edge, &path).await, &["Correct it"]);
        let stranger = edge
            .get(&path)
            .header("cookie", format!("order_{ORDER}={ORDER_SECRET}"));
        let stranger = stranger.send().await.unwrap().text().await.unwrap();
        shows(
            &stranger,
            &["This works in the browser", "help@moonlight.example"],
        );
        let key = ("key", "0123456789abcdef");
        let sent = guest(submit(edge, &path, &[("email", "ada@example.com"), key]));
        let sent = sent.send().await.unwrap();
        assert_eq!(
            header(&sent, "location"),
            format!("/orders/{ORDER}?done=corrected")
        );
        let cookie = header(&sent, "set-cookie");
        assert!(
            cookie.starts_with(&format!("order_{ORDER}=a-new-secret;")),
            "{cookie}"
        );
        let bad = guest(submit(edge, &path, &[("email", "ada"), key]));
        let bad = bad.send().await.unwrap();
        assert_eq!(bad.status(), 422);
        shows(
            &bad.text().await.unwrap(),
            &["value=\"ada\"", "aria-invalid"],
        );
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_handed_on_and_shown_to_whom_it_belongs() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        let path = format!("/orders/{ORDER}/tickets/{TICKET}/transfer");
        shows(
            &page(edge, &path).await,
            &["Hand the ticket on", "Standing"],
        );
        let key = ("key", "0123456789abcdef");
        let fields = [("name", "Grace"), ("email", "grace@example.org"), key];
        assert_eq!(
            leads_to(submit(edge, &path, &fields)).await,
            format!("/orders/{ORDER}?done=handed_on")
        );
        let bad = guest(submit(edge, &path, &[("email", "grace@example.org"), key]));
        assert_eq!(bad.send().await.unwrap().status(), 422);
        *edge.stub.order.lock().unwrap() = handed_on();
        let order = page(edge, &format!("/orders/{ORDER}")).await;
        shows(&order, &["Belongs to Grace", "Hand it on to somebody else"]);
        assert_eq!(order.matches("<svg class=\"qr\"").count(), 1);
        assert!(order.contains("/tickets.pdf"), "of the one that is left");
        for ticket in &mut edge.stub.order.lock().unwrap().tickets {
            ticket.code.clear();
        }
        let order = page(edge, &format!("/orders/{ORDER}")).await;
        assert!(
            !order.contains("/tickets.pdf"),
            "documents that nobody would get are not offered"
        );
        shows(&order, &[&format!("/api/v1/orders/{ORDER}/receipt")]);
        // Whoever has one asked to be forgotten.
        for holder in &mut edge.stub.order.lock().unwrap().transferred_tickets {
            holder.name.clear();
            holder.email.clear();
        }
        let order = page(edge, &format!("/orders/{ORDER}")).await;
        shows(&order, &["Belongs to somebody else"]);

        let opened = edge.get(&format!("/t/{TRANSFER}/{TICKET_SECRET}"));
        let opened = opened.send().await.unwrap();
        assert_eq!(header(&opened, "location"), format!("/tickets/{TRANSFER}"));
        let cookie = header(&opened, "set-cookie");
        assert!(
            cookie.starts_with(&format!("ticket_{TRANSFER}={TICKET_SECRET};")),
            "{cookie}"
        );
        let own = edge
            .get(&format!("/tickets/{TRANSFER}"))
            .header("cookie", format!("ticket_{TRANSFER}={TICKET_SECRET}"));
        let own = own.send().await.unwrap().text().await.unwrap();
        shows(
            &own,
            &[
                "This ticket is for Grace.",
                facts::CODE,
                "<svg class=\"qr\"",
            ],
        );
        assert!(!own.contains("ada@example.org"));
    })
    .await;
}

#[tokio::test]
async fn opening_the_link_ends_nothing_and_one_click_does() {
    edge(async |edge| {
        let path = format!("/u/{ORDER}/a-good-token");
        let before = edge.stub.times_asked();
        shows(&page(edge, &path).await, &["No more mails about this order?"]);
        assert_eq!(edge.stub.times_asked(), before);
        // As a mail program sends it (RFC 8058), in either of its two forms.
        let one_click = edge
            .request(Method::POST, &path)
            .form(&[("List-Unsubscribe", "One-Click")]);
        assert_eq!(one_click.send().await.unwrap().status(), 200);
        let parts = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
        let multipart = edge
            .request(Method::POST, &path)
            .header("content-type", "multipart/form-data; boundary=x")
            .body(parts);
        assert_eq!(multipart.send().await.unwrap().status(), 200);
        let bad = edge.request(Method::POST, &format!("/u/{ORDER}/bad-token"));
        assert_eq!(bad.send().await.unwrap().status(), 404);
        assert!(!logged().contains("bad-token") && !logged().contains("a-good-token"));
    })
    .await;
}

#[tokio::test]
async fn terms_are_read_and_accepted_at_the_checkout() {
    edge(async |edge| {
        let path = format!("/checkout/{HOLD}");
        assert!(!page(edge, &path).await.contains("accepted_terms"));
        *edge.stub.terms.lock().unwrap() = ("v1".to_owned(), "Be on time.".to_owned());
        shows(
            &page(edge, &path).await,
            &["name=\"accepted_terms\" value=\"v1\" required"],
        );
        shows(&page(edge, "/terms").await, &["Be on time.", "Version v1"]);
        let details = [
            ("total_minor", "5000"),
            ("currency", "EUR"),
            ("email", "ada@example.org"),
            ("accepted_terms", "v1"),
        ];
        let bought = guest(submit(edge, &path, &details)).send().await.unwrap();
        assert_eq!(bought.status(), 303);
        assert!(edge.stub.last_asked().contains("accepted_terms: \"v1\""));
        let cookies = bought.headers().get_all("set-cookie").iter();
        let proof = format!("purchase_{ORDER}={PURCHASE_PROOF};");
        let mut cookies = cookies.map(|cookie| cookie.to_str().unwrap());
        assert!(cookies.any(|cookie| cookie.starts_with(&proof)));
    })
    .await;
}

#[tokio::test]
async fn preferences_are_saved_with_every_box() {
    edge(async |edge| {
        let path = format!("/orders/{ORDER}/preferences");
        let save = submit(edge, &path, &[("locale", "fr"), ("reminder", "yes")]);
        assert_eq!(leads_to(save).await, format!("/orders/{ORDER}?done=saved"));
        let asked = edge.stub.last_asked();
        let told = "locale: Some(\"fr\"), reminder: Some(true), notices: Some(false)";
        assert!(asked.contains(told), "{asked}");
    })
    .await;
}
