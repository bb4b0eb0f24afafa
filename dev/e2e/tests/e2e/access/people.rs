//! Everybody who tries the doors, and what they try them with.

use std::sync::atomic::AtomicBool;

use proto::Peer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{eventually, keys::idempotency_key};

use crate::{
    guest::CARD_OK,
    harness::{ADMIN_PASSWORD, BoxOffice, OnSale, PATIENCE},
};

/// Who has an account. The names are those of grants.
pub const ADMINS: [&str; 6] = [
    "no grant",
    "door",
    "viewer",
    "editor",
    "owner",
    "superadmin",
];

/// What the doors lead to.
pub struct House {
    pub office: BoxOffice,
    pub on_sale: OnSale,
    /// Another concert of the same admins, which was cancelled.
    pub cancelled: String,
    /// Whether that was archived last.
    pub is_archived: AtomicBool,
    pub pool: String,
    /// Paid, with one ticket refunded and one handed on.
    pub order: Value,
    pub ticket: String,
    /// For the pages, which hand it on, too.
    pub ticket_of_pages: String,
    pub refund: String,
    pub notification: String,
    pub hold: Value,
    /// Id and secret of the ticket that was handed on.
    pub handed_on: (String, String),
    pub unsubscribe: String,
    pub checkout: String,
    /// Somebody else's.
    pub other_order: Value,
    pub other_hold: Value,
    /// An account that owns nothing and may be granted something.
    pub spare: String,
    /// One that nobody has taken up.
    pub invitation: String,
}

impl House {
    pub async fn build() -> Self {
        // Doors are what this is about, and everybody comes from one network.
        let settings = [
            (Peer::Gateway, "guesses-per-network-max", "0".to_owned()),
            (Peer::Gateway, "rate-limits", "off".to_owned()),
            (
                Peer::Gateway,
                "security-contacts",
                "mailto:security@example.org".to_owned(),
            ),
        ];
        let nats = testkit::NatsServer::start_private().await;
        let office = BoxOffice::open_with(nats, &settings).await;
        let on_sale = office.put_on_sale(50, 4500).await;
        let path = format!("/api/v1/admin/events/{}/pools", on_sale.event_id);
        let (_, pool) = office
            .admin_post(&path, &json!({"name": "House", "capacity": 500}))
            .await;
        let cancelled = office.put_on_sale(5, 100).await.event_id;
        let spare = make_admins(&office, [&on_sale.event_id, &cancelled]).await;
        cancel(&office, &cancelled).await;
        let guest = office.guest();
        let order = guest.buy(&on_sale, 4, "ada@example.org").await;
        let paid = guest.wait_for(&order, "fulfilled").await;
        let ticket = |index: usize| paid["tickets"][index]["id"].as_str().unwrap().to_owned();
        let handed_on = hand_on(&office, &order, &ticket(3)).await;
        let refund = refund(&office, &order, &ticket(2)).await;
        let other = office.guest();
        let other_order = other.buy(&on_sale, 1, "grace@example.org").await;
        other.wait_for(&other_order, "fulfilled").await;
        let (_, hold) = guest.hold(&on_sale, 1).await;
        let (_, other_hold) = other.hold(&on_sale, 1).await;
        let checkout = open_checkout(&office, &on_sale).await;
        let unsubscribe = link(&office, "ada@example.org", "/u/").await.1;
        let invitation = invite(&office, "later@example.org").await;
        let notification = notification(&office, order["id"].as_str().unwrap()).await;
        Self {
            pool: pool["id"].as_str().unwrap().to_owned(),
            ticket: ticket(0),
            ticket_of_pages: ticket(1),
            cancelled,
            is_archived: AtomicBool::new(false),
            office,
            on_sale,
            order,
            refund,
            notification,
            hold,
            handed_on,
            unsubscribe,
            checkout,
            other_order,
            other_hold,
            spare,
            invitation,
        }
    }

    /// A new session of somebody with an account: what one door does to a session harms no other try.
    pub async fn token(&self, who: &str) -> String {
        let login = json!({"email": address(who), "password": ADMIN_PASSWORD});
        let path = self.office.url("/api/v1/auth/login");
        let answer = self.office.client.post(path).json(&login).send().await;
        let answer: Value = answer.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str();
        token
            .unwrap_or_else(|| panic!("{who}: {answer}"))
            .to_owned()
    }
}

pub fn address(who: &str) -> String {
    match who {
        "superadmin" => "boss@example.org".to_owned(),
        who => format!("{}@example.org", who.replace(' ', "-")),
    }
}

/// Accounts by invitation. Answers an account more, which has nothing.
async fn make_admins(office: &BoxOffice, events: [&str; 2]) -> String {
    for who in &ADMINS[..5] {
        let id = make_admin(office, &address(who)).await;
        if *who != "no grant" {
            for event in events {
                grant(office, event, (&id, who)).await;
            }
        }
    }
    let spare = make_admin(office, "spare@example.org").await;
    grant(office, events[0], (&spare, "viewer")).await;
    spare
}

async fn grant(office: &BoxOffice, event: &str, (id, what): (&str, &str)) {
    let path = format!("/api/v1/admin/events/{event}/grants/{id}");
    let body = json!({"grant": what});
    let (status, answer) = office.admin_call(Method::PUT, &path, &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// Until payment-svc has heard of it.
async fn cancel(office: &BoxOffice, event: &str) {
    let path = format!("/api/v1/admin/events/{event}");
    let (status, answer) = office
        .admin_post(&format!("{path}/cancel"), &json!({}))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    eventually(
        "the refunds of an event to be known",
        PATIENCE,
        async || {
            let (status, _) = office.admin_get(&format!("{path}/refund")).await;
            (status == StatusCode::OK).then_some(())
        },
    )
    .await;
}

async fn invite(office: &BoxOffice, email: &str) -> String {
    let invitation = json!({"email": email, "role": "admin"});
    let (status, answer) = office
        .admin_post("/api/v1/admin/invitations", &invitation)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn make_admin(office: &BoxOffice, email: &str) -> String {
    invite(office, email).await;
    let mail = mail(office, email, "/admin/invitation#").await;
    let (_, rest) = mail.split_once("/admin/invitation#").unwrap();
    let end = |c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c));
    let invitation = rest.split(end).next().unwrap();
    let new = json!({"invitation": invitation, "email": email, "password": ADMIN_PASSWORD});
    let key = idempotency_key();
    let (status, made) = office
        .guest()
        .post("/api/v1/auth/register", &key, &new)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn hand_on(office: &BoxOffice, order: &Value, ticket: &str) -> (String, String) {
    let holder = json!({"email": "linus@example.org", "name": "Linus"});
    let verb = format!("tickets/{ticket}/transfer");
    let key = idempotency_key();
    let (status, after) = office.guest().act_with(order, &verb, &key, &holder).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    link(office, "linus@example.org", "/t/").await
}

async fn refund(office: &BoxOffice, order: &Value, ticket: &str) -> String {
    let path = format!(
        "/api/v1/admin/orders/{}/refunds",
        order["id"].as_str().unwrap()
    );
    let (_, now) = office.guest().see(order).await;
    let of = now["tickets"].as_array().unwrap().iter();
    let kind = of.clone().find(|one| one["id"] == ticket).unwrap();
    let kind = kind["ticket_type_id"]
        .as_str()
        .map_or_else(|| now["lines"][0]["ticket_type_id"].clone(), |id| json!(id));
    let body = json!({"lines": [{"ticket_type_id": kind, "quantity": 1, "ticket_ids": [ticket]}], "reason": "Asked for."});
    let (status, made) = office.admin_post(&path, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    office.guest().wait_for(order, "partially_refunded").await;
    made["id"]
        .as_str()
        .or(made["refund"]["id"].as_str())
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned()
}

/// The page of a provider where somebody is about to pay.
async fn open_checkout(office: &BoxOffice, on_sale: &OnSale) -> String {
    let guest = office.guest();
    let (_, hold) = guest.hold(on_sale, 1).await;
    let (_, order) = guest.order(&hold, "alan@example.org").await;
    let page = guest.checkout_url(&order).await;
    // It does not stay open for ever.
    guest.submit_card(&page, CARD_OK).await;
    guest.wait_for(&order, "fulfilled").await;
    page.rsplit('/').next().unwrap().to_owned()
}

async fn mail(office: &BoxOffice, to: &str, part: &str) -> String {
    eventually(&format!("a mail to {to}"), PATIENCE, async || {
        let mails = office.smtp.messages().into_iter();
        mails
            .filter(|mail| mail.to == [to])
            .map(|mail| mail.data.replace("=\r\n", "").replace("=3D", "="))
            .find(|mail| mail.contains(part))
    })
    .await
}

/// Id and secret of a link in a mail. By its whole address: of the letters of an attachment some are
/// any short part of it.
async fn link(office: &BoxOffice, to: &str, path: &str) -> (String, String) {
    let start = format!("{}{path}", office.http);
    let mail = mail(office, to, &start).await;
    let (_, rest) = mail.split_once(&start).unwrap();
    let end = |c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c));
    let (id, rest) = rest.split_once('/').unwrap();
    (id.to_owned(), rest.split(end).next().unwrap().to_owned())
}

async fn notification(office: &BoxOffice, order: &str) -> String {
    let path = format!("/api/v1/admin/notifications?order_id={order}&kind=receipt");
    let (_, found) = office.admin_get(&path).await;
    let id = found["notifications"][0]["id"].as_str();
    id.unwrap_or_else(|| panic!("{found}")).to_owned()
}
