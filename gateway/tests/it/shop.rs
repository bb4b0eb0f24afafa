//! The shop's pages, as a browser without scripts uses them.

use kit::{Code, ErrorReason, Failure};
use proto::{payment, ticket};
use reqwest::{Method, RequestBuilder, Response};

use crate::{
    facts::{self, CODE, EVENT, HOLD, HOLD_SECRET, ORDER, ORDER_SECRET, REFERENCE, STANDING},
    harness::{Edge, edge, edge_with, header},
};

fn submit(edge: &Edge, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    edge.request(Method::POST, path)
        .form(fields)
        .header("accept", "text/html")
}

fn cookies(response: &Response) -> Vec<String> {
    let cookies = response.headers().get_all("set-cookie").iter();
    cookies
        .map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

fn hold_cookie() -> String {
    format!("hold_{HOLD}={HOLD_SECRET}")
}

fn order_cookie() -> String {
    format!("order_{ORDER}={ORDER_SECRET}")
}

async fn order_page(edge: &Edge) -> String {
    let request = edge
        .get(&format!("/orders/{ORDER}"))
        .header("cookie", order_cookie());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

fn own_page_to_pay_on(edge: &Edge) -> String {
    format!("{}/pay/sandbox/{REFERENCE}", edge.url)
}

/// The order is paid on a page of the shop itself.
fn pay_here(edge: &Edge) {
    let url = own_page_to_pay_on(edge);
    let mut order = edge.stub.order.lock().unwrap();
    order.payment.as_mut().unwrap().checkout_url = url;
}

#[tokio::test]
async fn the_programme() {
    edge(async |edge| {
        let page = edge.page("/").await;
        assert!(
            page.contains("Moonlight Sessions") && page.contains("from 25.00 EUR"),
            "{page}"
        );
        // Not what was played last year.
        assert!(edge.stub.last_asked().contains("from: Some("));
        // In the concert's own zone.
        assert!(page.contains("Saturday 12 June 2027, 20:00 CEST"), "{page}");
        edge.stub.programme.lock().unwrap()[0].price_from = facts::eur(0);
        let free = edge.page("/").await;
        assert!(
            free.contains(">free</span>") && !free.contains("from "),
            "{free}"
        );
        edge.stub.programme.lock().unwrap().clear();
        assert!(
            edge.page("/")
                .await
                .contains("no concert in the programme yet")
        );
        let found = edge.page("/?q=%3Cb%3Ejazz").await;
        assert!(
            found.contains("Nothing found for “&lt;b&gt;jazz”"),
            "{found}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_title_cannot_become_markup() {
    edge(async |edge| {
        let nasty = "<script>alert(1)</script>\"'";
        edge.stub.event.lock().unwrap().title = nasty.to_owned();
        edge.stub.programme.lock().unwrap()[0].title = nasty.to_owned();
        edge.stub.order.lock().unwrap().event_title = nasty.to_owned();
        edge.stub.session.lock().unwrap().description = nasty.to_owned();
        let pages = [
            edge.page("/").await,
            edge.page("/events/moonlight-sessions").await,
            edge.page(&format!("/pay/sandbox/{REFERENCE}")).await,
            order_page(edge).await,
        ];
        for page in pages {
            assert!(!page.contains("<script>alert"), "{page}");
            assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        }
    })
    .await;
}

/// A concert's page names itself to search engines and messengers: data, of which nothing is loaded.
fn without_what_it_says_of_itself(page: &str) -> String {
    let mut lines: Vec<&str> = page.lines().collect();
    let data = [
        "<meta property=\"og:",
        "<link rel=\"canonical\"",
        "<link rel=\"alternate\"",
    ];
    lines.retain(|line| {
        let linked = line.starts_with("<script type=\"application/ld+json\">");
        let ends = line.matches("</script>").count() == 1 && line.ends_with("</script>");
        let names_itself = data.iter().any(|start| line.starts_with(start));
        !(names_itself || linked && ends)
    });
    lines.join("\n")
}

#[tokio::test]
async fn pages_have_nothing_inline() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        let checkout = edge
            .get(&format!("/checkout/{HOLD}"))
            .header("cookie", hold_cookie());
        let pages = [
            edge.page("/").await,
            edge.page("/events/moonlight-sessions").await,
            checkout.send().await.unwrap().text().await.unwrap(),
            order_page(edge).await,
            edge.page("/nothing").await,
        ];
        for page in pages {
            let page = without_what_it_says_of_itself(&page);
            for inline in [
                "style=",
                "<style",
                "onclick",
                "onload",
                "javascript:",
                "http://",
                "https://",
            ] {
                // The namespace of a page's own svg would be no outside asset, but is not needed either.
                assert!(!page.contains(inline), "{inline} in {page}");
            }
            let scripts = page.matches("<script").count();
            assert_eq!(
                scripts,
                page.matches("<script type=\"module\" src=\"/shop/").count()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn tickets_are_chosen_with_honest_words() {
    edge(async |edge| {
        let page = edge.page("/events/moonlight-sessions").await;
        assert!(page.contains("Only 7 left"), "{page}");
        assert!(page.contains("All taken at the moment. Some may come back within minutes."));
        assert!(page.contains(&format!("name=\"q_{STANDING}\"")));
        assert!(page.contains("<option value=\"4\">4</option>") && !page.contains("value=\"5\""));
        // A key of its own for each page.
        let key = |page: &str| page.split("name=\"key\" value=\"").nth(1).unwrap()[..43].to_owned();
        assert_ne!(
            key(&page),
            key(&edge.page("/events/moonlight-sessions").await)
        );

        let quantity = format!("q_{STANDING}");
        let fields = [
            ("event_id", EVENT),
            ("key", "a-key-of-sixteen-characters"),
            (&quantity, "2"),
        ];
        let chosen = submit(edge, "/events/moonlight-sessions", &fields)
            .send()
            .await
            .unwrap();
        assert_eq!(chosen.status(), 303);
        assert_eq!(header(&chosen, "location"), format!("/checkout/{HOLD}"));
        let cookie =
            format!("hold_{HOLD}={HOLD_SECRET}; Path=/; HttpOnly; SameSite=Lax; Max-Age=7200");
        assert_eq!(cookies(&chosen), [cookie]);
        assert!(
            edge.stub
                .last_asked()
                .contains("a-key-of-sixteen-characters")
        );
    })
    .await;
}

#[tokio::test]
async fn a_refused_choice_is_the_page_with_a_sentence() {
    edge(async |edge| {
        let path = "/events/moonlight-sessions";
        let none = submit(edge, path, &[("event_id", EVENT)])
            .send()
            .await
            .unwrap();
        assert_eq!(none.status(), 422);
        assert!(
            none.text()
                .await
                .unwrap()
                .contains("Please choose at least one ticket.")
        );

        let quantity = format!("q_{STANDING}");
        let huge = [
            ("event_id", EVENT),
            ("key", "0123456789abcdef"),
            (quantity.as_str(), "99999999999"),
        ];
        let huge = submit(edge, path, &huge).send().await.unwrap();
        assert_eq!(huge.status(), 409);
        assert!(huge.text().await.unwrap().contains("At most 10 per order."));
    })
    .await;
}

#[tokio::test]
async fn the_checkout_continues_on_another_device() {
    edge(async |edge| {
        let checkout = format!("/checkout/{HOLD}");
        let page = edge.get(&checkout).header("cookie", hold_cookie());
        let page = page.send().await.unwrap().text().await.unwrap();
        let page = page.replace("&#x2f;", "/");
        let link = format!("/h/{HOLD}/{HOLD_SECRET}");
        assert!(page.contains(&format!("{}{link}", edge.url)), "{page}");
        let opened = edge.get(&link).send().await.unwrap();
        assert_eq!(opened.status(), 303);
        assert_eq!(header(&opened, "location"), checkout);
        let cookie = header(&opened, "set-cookie");
        assert!(cookie.starts_with(&hold_cookie()), "{cookie}");
        assert!(cookie.contains("HttpOnly"), "{cookie}");
        for wrong in [
            format!("/h/{HOLD}/wrong"),
            format!("/h/1/{HOLD_SECRET}"),
            format!("/h/{HOLD}/a%00b"),
        ] {
            let opened = edge.get(&wrong).send().await.unwrap();
            assert_eq!(opened.status(), 404, "{wrong}");
            assert!(opened.headers().get("set-cookie").is_none(), "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_checkout_shows_what_is_held_and_places_the_order() {
    edge(async |edge| {
        let path = format!("/checkout/{HOLD}");
        let page = edge
            .get(&path)
            .header("cookie", hold_cookie())
            .send()
            .await
            .unwrap();
        let page = page.text().await.unwrap();
        for part in [
            "2 × Standing",
            "50.00 EUR",
            "data-countdown=\"",
            "Moonlight Sessions",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(page.contains("Buy for 50.00 EUR"), "{page}");
        pay_here(edge);
        let fields = [
            ("total_minor", "5000"),
            ("currency", "EUR"),
            ("name", "Ada"),
            ("email", "ada@example.org"),
            ("phone_number", "+49 30 123456"),
        ];
        let buy = submit(edge, &path, &fields).header("cookie", hold_cookie());
        let bought = buy.send().await.unwrap();
        assert_eq!(bought.status(), 303);
        assert_eq!(header(&bought, "location"), own_page_to_pay_on(edge));
        let set = cookies(&bought);
        assert!(set[0].starts_with(&format!(
            "order_{ORDER}={ORDER_SECRET}; Path=/; HttpOnly; SameSite=Lax"
        )));
        assert!(set[1].starts_with(&format!("placed_{HOLD}={ORDER}; Path=/; HttpOnly")));
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains(HOLD_SECRET) && asked.contains("amount_minor: 5000"),
            "{asked}"
        );

        // A guest whose answer was lost can send the same details again.
        edge.stub.hold.lock().unwrap().status = ticket::HoldStatus::Paying.into();
        let lost = edge
            .get(&path)
            .header("cookie", hold_cookie())
            .send()
            .await
            .unwrap();
        let lost = lost.text().await.unwrap();
        assert!(
            lost.contains("enter the same details") && lost.contains("name=\"email\""),
            "{lost}"
        );
        assert!(!lost.contains("Give the tickets back"), "{lost}");
        // A guest who goes back is led to the order.
        let back = format!("{}; placed_{HOLD}={ORDER}", hold_cookie());
        let back = edge.get(&path).header("cookie", back).send().await.unwrap();
        assert_eq!(header(&back, "location"), format!("/orders/{ORDER}"));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_address_is_the_form_again_with_what_was_typed() {
    edge(async |edge| {
        let fields = [
            ("total_minor", "5000"),
            ("currency", "EUR"),
            ("name", "Ada \"Countess\""),
            ("email", "nobody"),
            ("phone_number", "123456"),
        ];
        let buy =
            submit(edge, &format!("/checkout/{HOLD}"), &fields).header("cookie", hold_cookie());
        let refused = buy.send().await.unwrap();
        assert_eq!(refused.status(), 422);
        let page = refused.text().await.unwrap();
        for part in [
            "This must have exactly one @.",
            "value=\"nobody\"",
            "aria-invalid",
            "Countess&quot;",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_details_are_one_order_and_corrected_ones_another() {
    edge(async |edge| {
        let key_of = async |email: &str| {
            let fields = [
                ("total_minor", "5000"),
                ("currency", "EUR"),
                ("email", email),
            ];
            let buy = submit(edge, &format!("/checkout/{HOLD}"), &fields);
            let bought = buy.header("cookie", hold_cookie()).send().await.unwrap();
            assert_eq!(bought.status(), 303);
            let asked = edge.stub.last_asked();
            let key = asked.split("idempotency_key: \"").nth(1).unwrap();
            key.split('"').next().unwrap().to_owned()
        };
        let key = key_of("ada@example.org").await;
        assert!(key.len() >= 43 && !key.contains(HOLD_SECRET), "{key}");
        // A second click, a page opened anew, a lost answer.
        assert_eq!(key, key_of("ada@example.org").await);
        assert_ne!(key, key_of("ada@example.com").await);
    })
    .await;
}

#[tokio::test]
async fn a_form_that_meets_another_order_leads_there() {
    edge(async |edge| {
        edge.stub.fail(|| {
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::PaymentInProgress);
            Failure::refused(code, reason, "These tickets belong to an order.").into()
        });
        let path = format!("/checkout/{HOLD}");
        let buy = async |cookie: String| {
            let buy = submit(edge, &path, &[("email", "a@b.org")]).header("cookie", cookie);
            let led = buy.send().await.unwrap();
            assert_eq!(led.status(), 303);
            header(&led, "location")
        };
        let knows = format!("{}; placed_{HOLD}={ORDER}", hold_cookie());
        assert_eq!(buy(knows).await, format!("/orders/{ORDER}"));
        assert_eq!(buy(hold_cookie()).await, path);
    })
    .await;
}

#[tokio::test]
async fn fewer_than_an_order_takes_cannot_be_chosen() {
    edge(async |edge| {
        edge.stub.ticket_types.lock().unwrap()[0].min_per_order = 8;
        let page = edge.page("/events/moonlight-sessions").await;
        assert!(
            page.contains("Fewer are left than an order takes"),
            "{page}"
        );
        assert!(
            !page.contains("<option value=\"1\">") && page.contains("<div class=\"take\" hidden>"),
            "{page}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_problem_leads_back_to_what_it_was_about_and_tells_nobody_its_address() {
    edge(async |edge| {
        edge.stub.fail(|| tonic::Status::unavailable("gone"));
        let cookie = format!("{}; {}", hold_cookie(), order_cookie());
        let read = |path: &str| {
            edge.get(path)
                .header("accept", "text/html")
                .header("cookie", cookie.clone())
        };
        let sent = |path: &str| submit(edge, path, &[]).header("cookie", cookie.clone());
        for (request, link) in [
            (
                sent(&format!("/orders/{ORDER}/cancel")),
                format!("/orders/{ORDER}"),
            ),
            (
                read(&format!("/api/v1/orders/{ORDER}/receipt")),
                format!("/orders/{ORDER}"),
            ),
            (
                sent(&format!("/checkout/{HOLD}")),
                format!("/checkout/{HOLD}"),
            ),
            (
                read("/events/moonlight-sessions"),
                "/events/moonlight-sessions".to_owned(),
            ),
            (read(&format!("/o/{ORDER}/{ORDER_SECRET}")), "/".to_owned()),
            (read(&format!("/pay/sandbox/{REFERENCE}")), "/".to_owned()),
        ] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 503);
            assert_eq!(header(&response, "referrer-policy"), "no-referrer");
            let page = response.text().await.unwrap();
            let link = format!(
                "<a class=\"button main\" href=\"{}\">",
                link.replace('/', "&#x2f;")
            );
            assert!(page.contains(&link), "{link} in {page}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_order_that_came_to_nothing_leads_to_the_concert() {
    edge(async |edge| {
        for over in [
            payment::OrderStatus::Cancelled,
            payment::OrderStatus::Expired,
        ] {
            edge.stub.order.lock().unwrap().status = over.into();
            let page = order_page(edge).await;
            assert!(page.contains("Choose again</a>"), "{page}");
        }
        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        assert!(!order_page(edge).await.contains("Choose again"));
    })
    .await;
}

#[tokio::test]
async fn a_form_that_is_no_text_is_refused() {
    edge(async |edge| {
        let form = edge.request(Method::POST, "/events/moonlight-sessions");
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        let refused = form.body("event_id=%ff").send().await.unwrap();
        assert_eq!(refused.status(), 400);
        assert!(
            refused
                .text()
                .await
                .unwrap()
                .contains("We could not read that")
        );
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_ran_out_leads_back() {
    edge(async |edge| {
        edge.stub.hold.lock().unwrap().status = ticket::HoldStatus::Expired.into();
        let path = format!("/checkout/{HOLD}");
        let page = edge
            .get(&path)
            .header("cookie", hold_cookie())
            .send()
            .await
            .unwrap();
        let page = page.text().await.unwrap();
        assert!(
            page.contains("The time to buy has run out")
                && page.contains(&format!("/events/{EVENT}"))
        );
        // Too late by a moment: the checkout says so, and leads to the concert.
        edge.stub.fail(|| {
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::HoldExpired);
            Failure::refused(code, reason, "The hold has expired.").into()
        });
        let late = submit(edge, &path, &[("email", "a@b.org")]);
        let late = late.header("cookie", hold_cookie()).send().await.unwrap();
        assert_eq!(
            (late.status().as_u16(), header(&late, "location")),
            (303, path)
        );
    })
    .await;
}

#[tokio::test]
async fn a_hold_is_given_back() {
    edge(async |edge| {
        let path = format!("/checkout/{HOLD}/release");
        let given = submit(edge, &path, &[])
            .header("cookie", hold_cookie())
            .send()
            .await
            .unwrap();
        assert_eq!(header(&given, "location"), format!("/events/{EVENT}"));
    })
    .await;
}

#[tokio::test]
async fn the_link_in_the_mail_becomes_a_cookie() {
    edge(async |edge| {
        let opened = edge
            .get(&format!("/o/{ORDER}/{ORDER_SECRET}"))
            .send()
            .await
            .unwrap();
        assert_eq!(opened.status(), 303);
        let location = header(&opened, "location");
        assert_eq!(location, format!("/orders/{ORDER}"));
        assert!(!location.contains(ORDER_SECRET));
        assert_eq!(header(&opened, "referrer-policy"), "no-referrer");
        assert_eq!(header(&opened, "cache-control"), "no-store");
        let cookie = &cookies(&opened)[0];
        assert!(cookie.starts_with(&format!(
            "order_{ORDER}={ORDER_SECRET}; Path=/; HttpOnly; SameSite=Lax"
        )));
        assert!(!cookie.contains("Secure"));
        for wrong in [
            format!("/o/{ORDER}/wrong"),
            format!("/o/1/{ORDER_SECRET}"),
            format!("/o/{ORDER}/a%00b"),
        ] {
            let refused = edge
                .get(&wrong)
                .header("accept", "text/html")
                .send()
                .await
                .unwrap();
            assert_eq!(refused.status(), 404, "{wrong}");
            assert!(cookies(&refused).is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn with_https_cookies_are_bound_to_the_host() {
    let https = |config: &mut gateway::Config| {
        config.public_url = "https://tickets.example.org".parse().unwrap();
    };
    edge_with(https, async |edge| {
        let opened = edge
            .get(&format!("/o/{ORDER}/{ORDER_SECRET}"))
            .send()
            .await
            .unwrap();
        let cookie = &cookies(&opened)[0];
        assert!(
            cookie.starts_with(&format!("__Host-order_{ORDER}=")) && cookie.ends_with("; Secure")
        );
        let own = edge.get(&format!("/orders/{ORDER}"));
        let own = own
            .header("cookie", format!("__Host-order_{ORDER}={ORDER_SECRET}"))
            .send()
            .await;
        assert_eq!(own.unwrap().status(), 200);
        let plain = edge
            .get(&format!("/orders/{ORDER}"))
            .header("cookie", order_cookie());
        assert_eq!(plain.send().await.unwrap().status(), 401);
    })
    .await;
}

#[tokio::test]
async fn the_order_page_goes_with_the_order() {
    edge(async |edge| {
        let open = order_page(edge).await;
        for part in [
            "Not paid yet",
            "Pay 50.00 EUR",
            "Cancel and give",
            "data-poll=\"/api/v1/orders/",
        ] {
            assert!(open.contains(part), "{part} in {open}");
        }
        assert!(edge.stub.last_asked().contains("refresh: true"));

        {
            let mut order = edge.stub.order.lock().unwrap();
            let attempt = order.payment.as_mut().unwrap();
            attempt.status = payment::AttemptStatus::Failed.into();
            attempt.checkout_url.clear();
        }
        let declined = order_page(edge).await;
        assert!(
            declined.contains("was declined") && declined.contains("Try to pay again"),
            "{declined}"
        );

        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        let paid = order_page(edge).await;
        for part in [
            "Your tickets",
            CODE,
            "<svg class=\"qr\"",
            "/tickets.pdf",
            "/calendar.ics",
            "/receipt",
        ] {
            assert!(paid.contains(part), "{part} in {paid}");
        }
        assert!(!paid.contains("data-poll") && !paid.contains("Cancel and give"));
        assert!(!paid.contains(ORDER_SECRET));
    })
    .await;
}

#[tokio::test]
async fn a_waiting_page_looks_again_without_a_script() {
    edge(async |edge| {
        edge.stub.order.lock().unwrap().status = payment::OrderStatus::Paid.into();
        edge.stub.order.lock().unwrap().payment = None;
        let page = order_page(edge).await;
        let reload = format!("<noscript><meta http-equiv=\"refresh\" content=\"4; url=/orders/{ORDER}?wait=1\"></noscript>");
        assert!(page.contains(&reload), "{page}");
        let again = edge.get(&format!("/orders/{ORDER}?wait=1")).header("cookie", order_cookie());
        again.send().await.unwrap();
        assert!(edge.stub.last_asked().contains("refresh: false"));
    })
    .await;
}

#[tokio::test]
async fn an_order_page_without_its_cookie_explains_itself() {
    edge(async |edge| {
        let stranger = edge
            .get(&format!("/orders/{ORDER}"))
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(stranger.status(), 401);
        let page = stranger.text().await.unwrap();
        assert!(
            page.contains("open it by the link in your mail") && page.contains("href=\"/\""),
            "{page}"
        );
    })
    .await;
}

#[tokio::test]
async fn paying_again_and_cancelling_lead_back_to_the_order() {
    edge(async |edge| {
        pay_here(edge);
        let fields = [("key", "0123456789abcdef")];
        let pay =
            submit(edge, &format!("/orders/{ORDER}/pay"), &fields).header("cookie", order_cookie());
        let paying = pay.send().await.unwrap();
        assert_eq!(header(&paying, "location"), own_page_to_pay_on(edge));
        let cancel = || {
            submit(edge, &format!("/orders/{ORDER}/cancel"), &[]).header("cookie", order_cookie())
        };
        let own_page = format!("/orders/{ORDER}");
        assert_eq!(
            header(&cancel().send().await.unwrap(), "location"),
            own_page
        );
        edge.stub.fail(|| {
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::OrderNotOpen);
            Failure::refused(code, reason, "The order is paid.").into()
        });
        assert_eq!(
            header(&cancel().send().await.unwrap(), "location"),
            own_page
        );
    })
    .await;
}

#[tokio::test]
async fn the_sandbox_pays_and_declines() {
    edge(async |edge| {
        let path = format!("/pay/sandbox/{REFERENCE}");
        let page = edge.get(&path).send().await.unwrap();
        assert_eq!(header(&page, "referrer-policy"), "no-referrer");
        let page = page.text().await.unwrap();
        for field in [
            "name=\"card_number\"",
            "name=\"exp\"",
            "name=\"cvc\"",
            "Pay 50.00 EUR",
        ] {
            assert!(page.contains(field), "{field} in {page}");
        }
        let card = |number: &'static str, cvc: &'static str| {
            submit(
                edge,
                &path,
                &[("card_number", number), ("exp", "12/34"), ("cvc", cvc)],
            )
            .send()
        };
        let own_page = format!("http://127.0.0.1:1/orders/{ORDER}");
        let paid = card("4242424242424242", "123").await.unwrap();
        assert_eq!(
            (paid.status().as_u16(), header(&paid, "location")),
            (303, own_page.clone())
        );
        let declined = card("4000000000000002", "123").await.unwrap();
        assert_eq!(declined.status(), 303);
        assert_eq!(
            header(&declined, "location"),
            format!("{own_page}?payment=declined")
        );
        let wrong = card("4242424242424242", "1").await.unwrap();
        assert_eq!(wrong.status(), 422);
        let page = wrong.text().await.unwrap();
        assert!(page.contains("This must have three digits."), "{page}");
        assert!(
            !page.contains("4242424242424242"),
            "a card number is never sent back"
        );
    })
    .await;
}

#[tokio::test]
async fn errors_of_pages_are_pages() {
    edge(async |edge| {
        let absent = edge
            .get("/events/unknown")
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(absent.status(), 404);
        let page = absent.text().await.unwrap();
        assert!(page.contains("To the programme"), "{page}");
        edge.stub
            .fail(|| tonic::Status::unavailable("secret detail"));
        let down = edge
            .get("/")
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (down.status().as_u16(), header(&down, "retry-after")),
            (503, "1".into())
        );
        let trace_id = header(&down, "x-request-id");
        let page = down.text().await.unwrap();
        assert!(
            page.contains("try again shortly") && page.contains(&trace_id),
            "{page}"
        );
        assert!(!page.contains("secret detail"));
    })
    .await;
}

#[tokio::test]
async fn only_the_version_that_was_asked_for_is_kept_for_long() {
    edge(async |edge| {
        let page = edge.page("/").await;
        let names = page.split('"').filter(|part| part.starts_with("/shop/"));
        let names: Vec<&str> = names.collect();
        assert!(names.len() >= 3, "{names:?}");
        for name in names {
            let (path, version) = name.split_once("?v=").expect("a version");
            for (query, caching) in [
                (format!("?v={version}"), "public, max-age=86400"),
                ("?v=00000000".to_owned(), "no-cache"),
                (format!("?v={version}0"), "no-cache"),
                (String::new(), "no-cache"),
            ] {
                let asset = edge.get(&format!("{path}{query}")).send().await.unwrap();
                assert_eq!(asset.status(), 200);
                assert_eq!(header(&asset, "cache-control"), caching, "{path}{query}");
            }
        }
    })
    .await;
}

#[test]
fn the_scripts_are_small() {
    for script in [
        include_str!("../../shop/shop.js"),
        include_str!("../../shop/live.js"),
    ] {
        assert!(script.len() < 8000, "{}", script.len());
        // A reload of a refused form would send it again.
        assert!(!script.contains(".reload("));
    }
}

/// The scripts say what stands in the pages, in the language of the page.
#[test]
fn the_scripts_have_no_words_of_their_own() {
    for script in [
        include_str!("../../shop/shop.js"),
        include_str!("../../shop/live.js"),
    ] {
        let code = script.lines().filter(|line| {
            let line = line.trim_start();
            !["//", "/*", "*"]
                .iter()
                .any(|start| line.starts_with(start))
        });
        for text in code.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            assert!(
                !text.contains(". ") && text.split(' ').count() < 3,
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn the_two_names_of_this_machine_become_one() {
    edge(async |edge| {
        let twin = edge.url.replace("127.0.0.1", "localhost");
        let host = twin.strip_prefix("http://").unwrap().to_owned();
        let led = edge
            .get("/events/moonlight-sessions?a=1")
            .header("host", &host)
            .send()
            .await
            .unwrap();
        assert_eq!(led.status(), 303);
        assert_eq!(
            header(&led, "location"),
            format!("{}/events/moonlight-sessions?a=1", edge.url)
        );
        let api = edge
            .get("/api/v1/events")
            .header("host", &host)
            .send()
            .await
            .unwrap();
        assert_eq!(api.status(), 200);
    })
    .await;
}
