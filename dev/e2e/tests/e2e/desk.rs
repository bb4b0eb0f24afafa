//! What guests do for themselves, through the whole mesh and by the mails that they really get.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use testkit::{eventually, keys::idempotency_key};

use crate::harness::{BoxOffice, OnSale, PATIENCE};

/// The mails to an address so far, readable: soft line breaks are gone.
fn mails_to(office: &BoxOffice, address: &str) -> Vec<String> {
    let mails = office.smtp.messages().into_iter();
    mails
        .filter(|mail| mail.to == [address])
        .map(|mail| mail.data.replace("=\r\n", "").replace("=3D", "="))
        .collect()
}

async fn mail_to(office: &BoxOffice, address: &str, count: usize) -> String {
    let what = format!("{count} mails to {address}");
    let mails = eventually(&what, PATIENCE, async || {
        Some(mails_to(office, address)).filter(|mails| mails.len() >= count)
    })
    .await;
    mails[count - 1].clone()
}

/// The line of eight digits, four and four or together. By its line: an id in the headers can be eight
/// digits as well.
fn code_in(mail: &str) -> String {
    let lines = mail.lines().map(|line| line.replace(' ', ""));
    let is_code = |line: &String| line.len() == 8 && line.bytes().all(|b| b.is_ascii_digit());
    let mut codes = lines.filter(is_code);
    codes.next().expect("a code of eight digits")
}

/// What follows `/t/` in a mail: the transfer and its secret.
fn ticket_link_in(mail: &str) -> (String, String) {
    let (_, rest) = mail.split_once("/t/").expect("the link of a ticket");
    let end = |c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c));
    let (id, rest) = rest.split_once('/').unwrap();
    (id.to_owned(), rest.split(end).next().unwrap().to_owned())
}

async fn let_guests_cancel(office: &BoxOffice, on_sale: &OnSale) {
    let rule = json!({"cancellation": {"allowed": true, "until_hours": 24, "fee_ppm": 100_000}});
    let path = format!("/api/v1/admin/events/{}", on_sale.event_id);
    let (status, event) = office.admin_call(Method::PATCH, &path, &rule).await;
    assert_eq!(status, StatusCode::OK, "{event}");
}

#[tokio::test]
async fn orders_are_found_by_the_code_in_a_mail() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 1, "ada@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    mail_to(&office, "ada@example.org", 1).await;

    let ask = json!({"email": "Ada@example.org", "locale": "de"});
    let (status, lookup) = guest
        .post("/api/v1/orders/lookup", &idempotency_key(), &ask)
        .await;
    assert_eq!(status, StatusCode::ACCEPTED, "{lookup}");
    let mail = mail_to(&office, "Ada@example.org", 1).await;
    let path = "/api/v1/orders/lookup/confirm";
    let body = json!({"email": "ada@example.org", "code": code_in(&mail)});
    let (status, found) = guest.post(path, &idempotency_key(), &body).await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["orders"][0]["id"], order["id"]);
    assert_eq!(found["orders"][0]["secret"], order["secret"]);
    let (status, again) = guest.post(path, &idempotency_key(), &body).await;
    assert_eq!(
        (status, &again["reason"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("CODE_INVALID"))
    );
    office.close().await;
}

#[tokio::test]
async fn a_ticket_goes_to_a_friend_and_the_receipt_shows_the_rest() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 2, "ada@example.org").await;
    let before = guest.wait_for(&order, "fulfilled").await;
    mail_to(&office, "ada@example.org", 1).await;

    let leaves = &before["tickets"][0];
    let verb = format!("tickets/{}/transfer", leaves["id"].as_str().unwrap());
    let holder = json!({"email": "grace@example.org", "name": "Grace"});
    let (status, after) = guest
        .act_with(&order, &verb, &idempotency_key(), &holder)
        .await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_eq!(after["tickets"][0]["code"], "");

    let mail = mail_to(&office, "grace@example.org", 1).await;
    assert!(!mail.contains(leaves["code"].as_str().unwrap()));
    let (id, secret) = ticket_link_in(&mail);
    let path = format!("/api/v1/transferred-tickets/{id}");
    let read = async |path: &str| {
        let request = Client::new().get(office.url(path)).bearer_auth(&secret);
        request.send().await.unwrap()
    };
    let own: Value = read(&path).await.json().await.unwrap();
    assert!(mail.contains(own["code"].as_str().unwrap()));
    let pdf = read(&format!("{path}/ticket.pdf")).await;
    assert_eq!(pdf.status(), StatusCode::OK);
    assert!(pdf.bytes().await.unwrap().starts_with(b"%PDF-"));

    let (status, _) = guest.act(&order, "receipt").await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let mail = mail_to(&office, "ada@example.org", 2).await;
    assert!(mail.contains(before["tickets"][1]["code"].as_str().unwrap()));
    assert!(!mail.contains(own["code"].as_str().unwrap()));
    let (status, archive) = guest.document(&order, "all.zip").await;
    assert_eq!(status, StatusCode::OK);
    assert!(archive.starts_with(b"PK"));
    office.close().await;
}

#[tokio::test]
async fn whoever_has_the_ticket_hears_of_its_event_and_ends_that_for_themselves() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 3, "ada@example.org").await;
    let bought = guest.wait_for(&order, "fulfilled").await;
    for (number, (email, name)) in [("grace@example.org", "Grace"), ("alan@example.org", "Alan")]
        .into_iter()
        .enumerate()
    {
        let ticket = bought["tickets"][number]["id"].as_str().unwrap();
        let holder = json!({"email": email, "name": name});
        let verb = format!("tickets/{ticket}/transfer");
        let key = idempotency_key();
        let (status, told) = guest.act_with(&order, &verb, &key, &holder).await;
        assert_eq!(status, StatusCode::OK, "{told}");
    }
    let own = ticket_link_in(&mail_to(&office, "grace@example.org", 1).await);

    let event = format!("/api/v1/admin/events/{}", on_sale.event_id);
    let date =
        json!({"date_time": "2031-09-12T20:00:00+02:00", "reason": "Flooding in the cellar."});
    let (status, told) = office.admin_post(&format!("{event}/postpone"), &date).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let mail = mail_to(&office, "grace@example.org", 2).await;
    assert!(mail.contains("Flooding in the cellar."), "{mail}");
    assert_eq!(ticket_link_in(&mail), own);
    assert!(!mail.contains("/o/"), "nothing of the buyer's");
    mail_to(&office, "alan@example.org", 2).await;
    mail_to(&office, "ada@example.org", 2).await;

    let (_, rest) = mail.split_once("List-Unsubscribe: <").unwrap();
    let click = Client::new().post(rest.split('>').next().unwrap());
    let clicked = click.body("List-Unsubscribe=One-Click").send().await;
    assert!(clicked.unwrap().status().is_success());

    let why = json!({"reason": "The singer is ill."});
    let (status, told) = office.admin_post(&format!("{event}/cancel"), &why).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    guest.wait_for(&order, "refunded").await;
    let mail = mail_to(&office, "alan@example.org", 3).await;
    assert!(
        mail.contains("The singer is ill.") && !mail.contains("EUR"),
        "{mail}"
    );
    mail_to(&office, "ada@example.org", 3).await;
    assert_eq!(mails_to(&office, "grace@example.org").len(), 2);
    assert_eq!(mails_to(&office, "alan@example.org").len(), 3);
    office.close().await;
}

#[tokio::test]
async fn a_guest_cancels_at_what_was_shown_and_the_seat_is_free() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let_guests_cancel(&office, &on_sale).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 1, "ada@example.org").await;
    let shown = guest.wait_for(&order, "fulfilled").await;
    let refund = &shown["cancellation"]["refund"];
    assert_eq!(refund["amount_minor"], 4050);
    let body = json!({"expected_refund": refund});
    let (status, cancelled) = guest
        .act_with(&order, "cancel", &idempotency_key(), &body)
        .await;
    assert_eq!(status, StatusCode::OK, "{cancelled}");
    let order = guest.wait_for(&order, "partially_refunded").await;
    assert_eq!(order["tickets"][0]["status"], "void");
    mail_to(&office, "ada@example.org", 2).await;
    let other = office.guest();
    let sold = other.buy(&on_sale, 1, "grace@example.org").await;
    other.wait_for(&sold, "fulfilled").await;
    mail_to(&office, "grace@example.org", 1).await;
    office.close().await;
}

#[tokio::test]
async fn a_mistyped_address_is_corrected_and_its_guest_erased() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(5, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 1, "ada@exmaple.org").await;
    guest.wait_for(&order, "fulfilled").await;
    mail_to(&office, "ada@exmaple.org", 1).await;
    let body = json!({"email": "ada@example.org", "purchase_proof": order["purchase_proof"]});
    let (status, corrected) = guest
        .act_with(&order, "correct-address", &idempotency_key(), &body)
        .await;
    assert_eq!(status, StatusCode::OK, "{corrected}");
    let mail = mail_to(&office, "ada@example.org", 1).await;
    assert!(mail.contains(corrected["secret"].as_str().unwrap()));
    let (status, _) = guest.see(&order).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let path = format!(
        "/api/v1/admin/orders/{}/erase-guest",
        order["id"].as_str().unwrap()
    );
    let erased = eventually("the guest to be erased", PATIENCE, async || {
        let (status, erased) = office.admin_post(&path, &json!({})).await;
        (status == StatusCode::OK).then_some(erased)
    })
    .await;
    assert_eq!(erased["order_ids"], json!([order["id"]]));
    let (status, _) = guest.see(&corrected).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    office.close().await;
}
