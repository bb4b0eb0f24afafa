//! What guests do: a purchase by way of a declined card, everything one can do with an order, and mistakes.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{eventually, keys::random_text};

use crate::{
    admin::OnSale,
    desk,
    office::PATIENCE,
    visitor::{IDEMPOTENCY_KEY, Visitor, cookies},
};

const CARD_OK: &str = "4242424242424242";
const CARD_DECLINED: &str = "4000000000000002";

pub struct Bought {
    pub order: Value,
    pub email: String,
    pub name: String,
}

/// Who a guest says they are.
struct Person {
    email: String,
    name: String,
    phone: String,
}

impl Person {
    fn new(visitor: &Visitor<'_>) -> Self {
        let email = visitor.address("guest");
        let name = format!("Kanarina {}", random_text(9).replace(['-', '_'], "x"));
        visitor.note("the guest's name", &name);
        let digits: String = random_text(40)
            .bytes()
            .map(|b| char::from(b'0' + b % 10))
            .collect();
        let phone = format!("4206{}", &digits[..8]);
        visitor.note("the guest's number", &phone);
        let phone = format!("+{phone}");
        Self { email, name, phone }
    }

    fn order(&self, hold: &Value) -> Value {
        json!({
            "hold_id": hold["id"], "hold_secret": hold["secret"],
            "email": self.email, "phone_number": self.phone, "name": self.name,
            "expected_total": hold["total"],
        })
    }
}

async fn hold(visitor: &Visitor<'_>, on_sale: &OnSale, quantity: u32) -> Value {
    let wish = json!({
        "event_id": on_sale.event_id,
        "lines": [{"ticket_type_id": on_sale.ticket_type_id, "quantity": quantity}],
    });
    let held = visitor.post("/api/v1/holds", None, &wish).await;
    visitor.must(201, held).await
}

async fn pay(visitor: &Visitor<'_>, order: &Value, card: &str) {
    let path = own(order, "");
    let page = eventually("a page to pay on", PATIENCE, async || {
        let (_, now) = visitor.get(&path, secret(order)).await;
        now["payment"]["checkout_url"].as_str().map(str::to_owned)
    })
    .await;
    let form = [("card_number", card), ("exp", "12/39"), ("cvc", "123")];
    let request = visitor.request(Method::POST, &page).form(&form);
    let (status, _) = visitor.send(request, None).await;
    assert_eq!(status, 303);
}

pub fn own(order: &Value, rest: &str) -> String {
    format!("/api/v1/orders/{}{rest}", order["id"].as_str().unwrap())
}

pub fn secret(order: &Value) -> Option<&str> {
    order["secret"].as_str()
}

async fn wait_for(visitor: &Visitor<'_>, order: &Value, status: &str) -> Value {
    let what = format!("the order to be {status}");
    eventually(&what, PATIENCE, async || {
        let (_, now) = visitor.get(&own(order, ""), secret(order)).await;
        (now["status"] == status).then_some(now)
    })
    .await
}

/// Tickets that are held for somebody, and who that is.
pub async fn wishes(visitor: &Visitor<'_>, on_sale: &OnSale) -> Value {
    let person = Person::new(visitor);
    person.order(&hold(visitor, on_sale, 1).await)
}

pub async fn buys(visitor: &Visitor<'_>, on_sale: &OnSale) -> Bought {
    visitor.note("a card number", CARD_OK);
    visitor.note("a declined card number", CARD_DECLINED);
    let person = Person::new(visitor);
    let held = hold(visitor, on_sale, 3).await;
    visitor
        .mangles("/api/v1/orders", None, &person.order(&held))
        .await;
    let ordered = visitor
        .post("/api/v1/orders", None, &person.order(&held))
        .await;
    let order = visitor.must(201, ordered).await;
    pay(visitor, &order, CARD_DECLINED).await;
    eventually("the decline to be known", PATIENCE, async || {
        let (status, _) = visitor
            .post(&own(&order, "/payments"), secret(&order), &json!({}))
            .await;
        (status == 201).then_some(())
    })
    .await;
    pay(visitor, &order, CARD_OK).await;
    wait_for(visitor, &order, "fulfilled").await;
    visitor.mail_to(&person.email, 1).await;
    Bought {
        order,
        email: person.email,
        name: person.name,
    }
}

/// By the link, the pages, the documents and everything of the guest's desk.
pub async fn helps_themselves(visitor: &Visitor<'_>, bought: &Bought) {
    let (order, email) = (&bought.order, &bought.email);
    let (id, link) = (
        order["id"].as_str().unwrap(),
        format!(
            "/o/{}/{}",
            order["id"].as_str().unwrap(),
            order["secret"].as_str().unwrap()
        ),
    );
    let opened = visitor.request(Method::GET, &link).send().await.unwrap();
    assert!(opened.status().is_redirection());
    visitor.remember_head(&opened);
    let (name, value) = &cookies(&opened)[0];
    let cookie = format!("{name}={value}");
    let now = visitor.get(&own(order, ""), secret(order)).await;
    let now = visitor.must(200, now).await;
    let ticket = now["tickets"][0]["id"].as_str().unwrap();
    for page in ["", "/cancel", &format!("/tickets/{ticket}/transfer")] {
        let path = format!("/orders/{id}{page}");
        let request = visitor
            .request(Method::GET, &path)
            .header("cookie", &cookie);
        let (status, _) = visitor.send(request, None).await;
        assert_eq!(status, 200, "{path}");
    }
    for document in [
        "/tickets.pdf",
        "/calendar.ics",
        "/receipt",
        "/receipt.pdf",
        "/all.zip",
        "/delivery",
    ] {
        let (status, _) = visitor.get(&own(order, document), secret(order)).await;
        assert_eq!(status, 200, "{document}");
    }
    let resent = visitor
        .post(&own(order, "/receipt"), secret(order), &json!({}))
        .await;
    visitor.must(202, resent).await;
    visitor.mail_to(email, 2).await;
    desk::hands_on(visitor, order).await;
    desk::looks_up(visitor, email).await;
}

/// What is refused, and a mail server that will have none of it.
pub async fn makes_mistakes(visitor: &Visitor<'_>, on_sale: &OnSale) {
    let person = Person::new(visitor);
    let held = hold(visitor, on_sale, 1).await;
    let guessed = visitor.secret("a wrong secret");
    let path = format!("/api/v1/holds/{}", held["id"].as_str().unwrap());
    let (status, _) = visitor.get(&path, Some(&guessed)).await;
    assert_eq!(status, 404);
    let good = person.order(&held);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for body in [
        with("email", json!([person.email])),
        with("email", json!(format!("{} at home", person.email))),
        with("name", json!({"first": person.name})),
        with("phone_number", json!(format!("{} after six", person.phone))),
        with("hold_secret", json!(guessed)),
        with("name", json!(format!("{}\u{0}", person.name))),
        with(&person.email, json!(person.name)),
        with("locale", json!(person.email)),
        with("provider", json!(person.email)),
    ] {
        let (status, answer) = visitor.post("/api/v1/orders", None, &body).await;
        assert!(!status.is_server_error(), "{body}: {answer}");
    }
    let text = format!(
        "{{\"email\": \"{}\", \"name\": \"{}\", ",
        person.email, person.name
    );
    let request = visitor.request(Method::POST, "/api/v1/orders").body(text);
    let request = request.header("content-type", "application/json");
    let key = visitor.secret(IDEMPOTENCY_KEY);
    let (status, _) = visitor
        .send(request.header("idempotency-key", key), None)
        .await;
    assert!(status.is_client_error());
    is_not_reached_by_mail(visitor, &person, on_sale).await;
}

/// With tickets of their own: what was tried before may have made an order of the others.
async fn is_not_reached_by_mail(visitor: &Visitor<'_>, person: &Person, on_sale: &OnSale) {
    let guessed = visitor.secret("another wrong secret");
    let wish = person.order(&hold(visitor, on_sale, 1).await);
    visitor.office.smtp.refuse_domain("example.org", 550);
    let ordered = visitor.post("/api/v1/orders", None, &wish).await;
    let order = visitor.must(201, ordered).await;
    pay(visitor, &order, CARD_OK).await;
    wait_for(visitor, &order, "fulfilled").await;
    eventually("the receipt to be refused", PATIENCE, async || {
        let (_, delivery) = visitor.get(&own(&order, "/delivery"), secret(&order)).await;
        delivery.to_string().contains("failed").then_some(())
    })
    .await;
    visitor.office.smtp.heal_domain("example.org");
    let (id, secret_of_order) = (
        order["id"].as_str().unwrap(),
        order["secret"].as_str().unwrap(),
    );
    let other = format!("{secret_of_order}x");
    for path in [
        format!("/o/{id}/{guessed}"),
        format!("/o/{id}/{other}"),
        format!("/t/{id}/{guessed}"),
        format!("/h/{id}/{guessed}"),
    ] {
        let (status, _) = visitor.get(&path, None).await;
        assert!(!status.is_server_error(), "{path}");
    }
    let order = desk::corrects_the_address(visitor, &order).await;
    let cancel = json!({"expected_refund": {"amount_minor": 4500, "currency": "EUR"}});
    let answer = visitor
        .post(&own(&order, "/cancel"), secret(&order), &cancel)
        .await;
    visitor.must(200, answer).await;
    let webhook = json!({"id": person.email, "signature": guessed});
    let (status, _) = visitor
        .post("/api/v1/webhooks/sandbox", None, &webhook)
        .await;
    assert!(status.is_client_error());
}
