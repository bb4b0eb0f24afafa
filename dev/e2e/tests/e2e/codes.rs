//! A scanner at the door, that has read the door list and then lost its network.

use base::EventId;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use codes::{Door, PublicKey, Verdict};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::BoxOffice;

/// Reads the list with no word of proof.
async fn scanner(office: &BoxOffice, event: &str) -> Door {
    let path = format!("/api/v1/events/{event}/door-list");
    let (status, list) = office.guest().call(Method::GET, &path).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert_eq!(list["more"], false);
    let event: EventId = event.parse().unwrap();
    let mut door = Door::new(event);
    for key in list["keys"].as_array().unwrap() {
        let public_key = URL_SAFE_NO_PAD.decode(key["public_key"].as_str().unwrap());
        let public_key = PublicKey::from_bytes(&public_key.unwrap()).unwrap();
        let number = u16::try_from(key["number"].as_u64().unwrap()).unwrap();
        door.learn_key(number, public_key, key["revoked"].as_bool().unwrap());
    }
    for code in list["dead_codes"].as_array().unwrap() {
        let digest = u64::from_str_radix(code["digest"].as_str().unwrap(), 16).unwrap();
        let verdict = match code["verdict"].as_str().unwrap() {
            "void" => Verdict::Void,
            _ => Verdict::Revoked,
        };
        door.learn_dead(digest.to_be_bytes(), verdict);
    }
    door
}

fn codes(order: &Value) -> Vec<String> {
    let tickets = order["tickets"].as_array().unwrap().iter();
    tickets
        .map(|ticket| ticket["code"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_ticket_from_the_shop_opens_the_door_until_it_is_given_back() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 2, "guest@example.org").await;
    let printed = codes(&guest.wait_for(&order, "fulfilled").await);
    let event = on_sale.event_id.as_str();
    let verify = async |code: &str| {
        let path = format!("/api/v1/admin/events/{event}/verify-ticket");
        let (status, told) = office.admin_post(&path, &json!({"code": code})).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        told
    };
    let door = scanner(&office, event).await;
    for code in &printed {
        assert_eq!(door.judge(code).verdict, Verdict::Ok);
        let told = verify(code).await;
        assert_eq!(told["verdict"], "ok");
        assert_eq!(told["ticket"]["order_id"], order["id"]);
    }

    // The key got out: what was printed opens no door, what the order shows now does.
    let path = format!("/api/v1/admin/events/{event}/ticket-keys/rotate");
    let body = json!({"key_number": 1, "revoke": true});
    let (status, keys) = office.admin_post(&path, &body).await;
    assert_eq!(status, StatusCode::OK, "{keys}");
    assert_eq!(keys["keys"][0]["state"], "revoked");
    let (_, now) = guest.see(&order).await;
    let renewed = codes(&now);
    let door = scanner(&office, event).await;
    for (old, new) in printed.iter().zip(&renewed) {
        assert_eq!(door.judge(old).verdict, Verdict::Revoked);
        assert_eq!(door.judge(new).verdict, Verdict::Ok);
        assert_eq!(verify(old).await["verdict"], "revoked");
    }

    let path = format!(
        "/api/v1/admin/orders/{}/refunds",
        order["id"].as_str().unwrap()
    );
    let (status, body) = office
        .admin_post(&path, &json!({"reason": "As you wish."}))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    guest.wait_for(&order, "refunded").await;
    // The scanner that has not read the list since lets them in; the next reading knows better.
    assert_eq!(door.judge(&renewed[0]).verdict, Verdict::Ok);
    let door = scanner(&office, event).await;
    for code in &renewed {
        assert_eq!(door.judge(code).verdict, Verdict::Void);
        assert_eq!(verify(code).await["verdict"], "void");
    }
    office.close().await;
}
