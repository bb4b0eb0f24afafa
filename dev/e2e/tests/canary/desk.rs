//! The guest's desk: a ticket for a friend, a code that finds orders, another address.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::keys::idempotency_key;

use crate::{
    guest::{own, secret},
    visitor::Visitor,
};

const LOOKUP: &str = "/api/v1/orders/lookup";
const CONFIRM: &str = "/api/v1/orders/lookup/confirm";

/// A ticket goes to somebody else's address.
pub async fn hands_on(visitor: &Visitor<'_>, order: &Value) {
    let friend = visitor.address("friend");
    let (_, now) = visitor.get(&own(order, ""), secret(order)).await;
    let ticket = now["tickets"][0]["id"].as_str().unwrap();
    let name = visitor.secret("a friend's name");
    let holder = json!({"email": friend, "name": name});
    let path = own(order, &format!("/tickets/{ticket}/transfer"));
    visitor.mangles(&path, secret(order), &holder).await;
    let guessed = visitor.secret("a wrong secret of an order");
    let (status, _) = visitor.post(&path, Some(&guessed), &holder).await;
    assert_eq!(status, 404);
    let nowhere = json!({"email": format!("{friend} at home"), "name": name});
    let (status, _) = visitor.post(&path, secret(order), &nowhere).await;
    assert!(status.is_client_error());
    let handed = visitor.post(&path, secret(order), &holder).await;
    visitor.must(200, handed).await;
    let mail = visitor.mail_to(&friend, 1).await;
    let link = visitor.link_in(&mail, "/t/").to_owned();
    let (transfer, own_secret) = link.split_once('/').unwrap();
    visitor.note("the link of a ticket", own_secret);
    let api = format!("/api/v1/transferred-tickets/{transfer}");
    let read = visitor.get(&api, Some(own_secret)).await;
    visitor.must(200, read).await;
    let (status, _) = visitor.get(&api, secret(order)).await;
    assert_eq!(status, 404);
    let opened = visitor.get(&format!("/t/{link}"), None).await;
    assert!(opened.0.is_redirection());
    visitor.misplaces(own_secret).await;
}

/// The third mail to the address has the code, and the fourth one that of the pages.
pub async fn looks_up(visitor: &Visitor<'_>, email: &str) {
    let ask = json!({"email": email, "locale": "en"});
    visitor.mangles(LOOKUP, None, &ask).await;
    let asked = visitor.post(LOOKUP, None, &ask).await;
    let lookup = visitor.must(202, asked).await;
    let code = code_in(visitor, &visitor.mail_to(email, 3).await);
    let with = |code: &str| json!({"email": email, "id": lookup["id"], "code": code});
    visitor.mangles(CONFIRM, None, &with(&code)).await;
    let wrong: String = code.chars().rev().collect();
    visitor.note_code("a wrong code of a mail", &wrong);
    for wrong in [wrong, format!("{code}{code}"), format!("{code}\u{0}")] {
        let (status, answer) = visitor.post(CONFIRM, None, &with(&wrong)).await;
        assert!(status.is_client_error(), "{answer}");
    }
    let found = visitor.post(CONFIRM, None, &with(&code)).await;
    visitor.must(200, found).await;
    let (status, _) = visitor.post(CONFIRM, None, &with(&code)).await;
    assert!(status.is_client_error());
    visitor.misplaces(&code).await;
    looks_up_by_pages(visitor, email).await;
}

async fn looks_up_by_pages(visitor: &Visitor<'_>, email: &str) {
    let page = async |path: &str, form: &[(&str, &str)]| {
        let request = visitor.request(Method::POST, path).form(form);
        let answer = request.send().await.unwrap();
        assert!(!answer.status().is_server_error(), "{path}");
        answer.text().await.unwrap()
    };
    let asked = page("/find", &[("email", email), ("key", &idempotency_key())]).await;
    let (_, lookup) = asked
        .split_once("name=\"lookup\" value=\"")
        .expect("its id");
    let lookup = lookup.split('"').next().unwrap();
    let code = code_in(visitor, &visitor.mail_to(email, 4).await);
    for code in [&code[1..], &code, &code] {
        let form = [("email", email), ("lookup", lookup), ("code", code)];
        page("/find/code", &form).await;
    }
    // The form asks for an address, and gets what else its guest has at hand.
    page("/find", &[("email", &code), ("key", email)]).await;
}

/// The line of eight digits, four and four or together.
fn code_in(visitor: &Visitor<'_>, mail: &str) -> String {
    let mut lines = mail.lines().map(|line| line.replace(' ', ""));
    let is_code = |line: &String| line.len() == 8 && line.bytes().all(|b| b.is_ascii_digit());
    let code = lines.find(is_code).expect("a code");
    visitor.note_code("the code of a mail", &code);
    visitor.note_code(
        "the code of a mail, as it is shown",
        &format!("{} {}", &code[..4], &code[4..]),
    );
    code
}

/// The order with its new secret.
pub async fn corrects_the_address(visitor: &Visitor<'_>, order: &Value) -> Value {
    let corrected = visitor.address("corrected");
    let path = own(order, "/correct-address");
    let good = json!({"email": corrected, "purchase_proof": order["purchase_proof"]});
    visitor.mangles(&path, secret(order), &good).await;
    let guessed = visitor.secret("a wrong proof");
    for wrong in [
        json!({"email": corrected, "purchase_proof": guessed}),
        json!({"email": corrected, "purchase_proof": order["secret"]}),
        json!({"email": format!("{corrected}\u{0}"), "purchase_proof": order["purchase_proof"]}),
    ] {
        let (status, answer) = visitor.post(&path, secret(order), &wrong).await;
        assert!(status.is_client_error(), "{answer}");
    }
    let done = visitor.post(&path, secret(order), &good).await;
    let done = visitor.must(200, done).await;
    let mail = visitor.mail_to(&corrected, 1).await;
    let link = visitor.link_in(&mail, "/o/");
    let (_, mailed) = link.split_once('/').unwrap();
    visitor.note("the link of a corrected order", mailed);
    // The old one is dead.
    let (status, _) = visitor.get(&own(order, ""), secret(order)).await;
    assert_eq!(status, 404);
    visitor
        .misplaces(order["purchase_proof"].as_str().unwrap())
        .await;
    done
}
