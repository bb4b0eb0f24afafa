//! The life of an admin: in by the setup token, wrong passwords, events, orders, money.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::eventually;

use crate::{guest::Bought, office::PATIENCE, visitor::Visitor};

pub struct Admin {
    pub email: String,
    pub password: String,
    pub token: String,
}

pub struct OnSale {
    pub event_id: String,
    pub ticket_type_id: String,
}

pub async fn signs_up(visitor: &Visitor<'_>, setup_token: &str) -> Admin {
    let email = visitor.address("admin");
    let (password, wrong) = (
        visitor.secret("the admin's password"),
        visitor.secret("a wrong password"),
    );
    let guessed = visitor.secret("a wrong setup token");
    let setup = |token: &str| json!({"setup_token": token, "email": email, "password": password});
    let path = "/api/v1/admin/setup";
    let (status, _) = visitor.post(path, None, &setup(&guessed)).await;
    assert!(status.is_client_error(), "{status}");
    // The parser's own words about a wrong type may repeat what it found.
    for body in [
        json!({"setup_token": {"x": password}, "email": email, "password": [password]}),
        json!({"setup_token": setup_token, "email": [email], "password": password, password.as_str(): 1}),
        json!(format!("{email} {password}")),
    ] {
        let (status, answer) = visitor.post(path, None, &body).await;
        assert!(status.is_client_error(), "{answer}");
    }
    let made = visitor.post(path, None, &setup(setup_token)).await;
    visitor.must(201, made).await;

    let login = "/api/v1/auth/login";
    let stranger = visitor.address("nobody");
    for (email, password) in [(&email, &wrong), (&stranger, &wrong)] {
        let body = json!({"email": email, "password": password});
        let (status, _) = visitor.post(login, None, &body).await;
        assert_eq!(status, 401);
    }
    // Wrong ones before may have cost a moment.
    let body = json!({"email": email, "password": password});
    let mut signed_in = Value::Null;
    for _ in 0..60 {
        let (status, answer) = visitor.post(login, None, &body).await;
        if status == 200 {
            signed_in = answer;
            break;
        }
        // Sleeps: who was refused for a while comes again.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let token = signed_in["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let me = visitor.get("/api/v1/auth/me", Some(&token)).await;
    visitor.must(200, me).await;
    let forged = visitor.secret("a forged token");
    let signature = token.rsplit('.').next().unwrap();
    for bad in [forged.clone(), format!("{forged}.{forged}.{signature}")] {
        let (status, _) = visitor.get("/api/v1/auth/me", Some(&bad)).await;
        assert_eq!(status, 401);
    }
    Admin {
        email,
        password,
        token,
    }
}

impl Admin {
    pub async fn puts_on_sale(&self, visitor: &Visitor<'_>) -> OnSale {
        let event = json!({
            "title": "Nightjar", "description": "", "location": "Praha",
            "date_time": "2031-06-12T18:00:00Z", "timezone": "Europe/Prague",
            "currency": "EUR", "status": "active",
        });
        let made = self.post(visitor, "/api/v1/admin/events", &event).await;
        let event = visitor.must(201, made).await;
        let event_id = event["id"].as_str().unwrap().to_owned();
        let rule = json!({"cancellation": {"allowed": true, "until_hours": 24, "fee_ppm": 0}});
        let request = visitor.request(Method::PATCH, &format!("/api/v1/admin/events/{event_id}"));
        let changed = visitor.send(request.json(&rule), Some(&self.token)).await;
        visitor.must(200, changed).await;
        let ticket_type = json!({
            "category": "Standing", "total_stock": 100,
            "price": {"amount_minor": 4500, "currency": "EUR"},
        });
        let path = format!("/api/v1/admin/events/{event_id}/ticket-types");
        let made = self.post(visitor, &path, &ticket_type).await;
        let ticket_type = visitor.must(201, made).await;
        OnSale {
            event_id,
            ticket_type_id: ticket_type["id"].as_str().unwrap().to_owned(),
        }
    }

    /// Looks for the guest in every way there is, gives money back, moves the order, and forgets them.
    pub async fn looks_after(&self, visitor: &Visitor<'_>, bought: &Bought) {
        let email = bought.email.replace('@', "%40");
        let name = bought.name.replace(' ', "%20");
        let order = bought.order["id"].as_str().unwrap();
        for (expected, path) in [
            (200, format!("/api/v1/admin/orders?email={email}")),
            (200, format!("/api/v1/admin/orders?email={}", bought.email)),
            (200, format!("/api/v1/admin/orders?query={name}")),
            (200, format!("/api/v1/admin/orders/{order}")),
            (200, "/api/v1/admin/orders.csv?status=fulfilled".to_owned()),
            // It takes no such filter, so the address stands in a refused request.
            (422, format!("/api/v1/admin/orders.csv?email={email}")),
            (
                200,
                format!("/api/v1/admin/notifications?recipient={email}"),
            ),
            (200, format!("/api/v1/admin/notifications?order_id={order}")),
        ] {
            let (status, answer) = visitor.get(&path, Some(&self.token)).await;
            assert_eq!(status, expected, "{path}: {answer}");
        }
        self.reports_a_bounce(visitor, &bought.email).await;
        let path = format!("/api/v1/admin/orders/{order}/refunds");
        let why = json!({"reason": "requested_by_guest", "amount": {"amount_minor": 100, "currency": "EUR"}});
        let refunded = self.post(visitor, &path, &why).await;
        visitor.must(201, refunded).await;
        self.changes_the_address(visitor, order).await;
        eventually("the guest to be erased", PATIENCE, async || {
            let path = format!("/api/v1/admin/orders/{order}/erase-guest");
            let url = format!("{}{path}", visitor.office.http);
            let request = reqwest::Client::new().post(url).bearer_auth(&self.token);
            let answer = request.json(&json!({})).send().await.unwrap();
            (answer.status() == 200).then_some(())
        })
        .await;
    }

    /// The receipt, as if a mail server had sent it back.
    async fn reports_a_bounce(&self, visitor: &Visitor<'_>, email: &str) {
        let mail = visitor.mail_to(email, 1).await;
        let (_, mail_id) = mail.split_once("Message-ID: ").expect("a Message-ID");
        let mail_id = mail_id.lines().next().unwrap();
        let report = |status: &str| {
            json!({"report": format!(
                "From: <MAILER-DAEMON@relay.example>\r\nTo: <{email}>\r\nMIME-Version: 1.0\r\n\
                 Content-Type: multipart/report; report-type=delivery-status; boundary=\"==b\"\r\n\r\n\
                 --==b\r\nContent-Type: text/plain\r\n\r\n{email}: no such user\r\n\
                 --==b\r\nContent-Type: {status}\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n\
                 Final-Recipient: rfc822; {email}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
                 Diagnostic-Code: smtp; 550 5.1.1 <{email}>: unknown user\r\n\r\n\
                 --==b\r\nContent-Type: message/rfc822\r\n\r\nTo: <{email}>\r\n\
                 Message-ID: {mail_id}\r\n\r\nHello\r\n--==b--\r\n",
            )})
        };
        let path = "/api/v1/admin/bounces";
        let unreadable = self.post(visitor, path, &report("text/plain")).await;
        visitor.must(422, unreadable).await;
        let bounce = report("message/delivery-status");
        let reported = self.post(visitor, path, &bounce).await;
        let reported = visitor.must(200, reported).await;
        assert!(reported["notification"].is_object(), "{reported}");
    }

    /// To another one, for a guest who has no proof any more.
    async fn changes_the_address(&self, visitor: &Visitor<'_>, order: &str) {
        let (moved, reason) = (visitor.address("moved"), "Named the number and the card.");
        let path = format!("/api/v1/admin/orders/{order}/address");
        let good = json!({"email": moved, "reason": reason});
        visitor.mangles(&path, Some(&self.token), &good).await;
        let wrong = json!({"email": format!("{moved} at home"), "reason": reason});
        let refused = self.post(visitor, &path, &wrong).await;
        visitor.must(422, refused).await;
        let changed = self.post(visitor, &path, &good).await;
        visitor.must(202, changed).await;
        let mail = visitor.mail_to(&moved, 1).await;
        let (_, secret) = visitor.link_in(&mail, "/o/").split_once('/').unwrap();
        visitor.note("the link of a moved order", secret);
        let email = moved.replace('@', "%40");
        let path = format!("/api/v1/admin/orders?email={email}");
        let found = visitor.get(&path, Some(&self.token)).await;
        visitor.must(200, found).await;
    }

    async fn post(
        &self,
        visitor: &Visitor<'_>,
        path: &str,
        body: &Value,
    ) -> (reqwest::StatusCode, Value) {
        visitor.post(path, Some(&self.token), body).await
    }
}
