//! Strangers who try passwords while tickets are sold, half of whom leave before they are answered.
//!
//! Whoever hangs up cancels nothing once their request was read: the login goes on to its end. So what is looked for
//! is a place among those that hash which is not given back, and a sale that waits for strangers.

use proto::Peer;
use reqwest::{StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use testkit::{NatsServer, eventually, hang_up};
use tokio::task::JoinSet;

use crate::harness::{BoxOffice, PATIENCE};

/// Each finds all places free, so that some of those who stay get one.
const WAVES: usize = 5;
const LOGINS_OF_WAVE: usize = 100;
const BUYERS: usize = 10;
const PASSWORD: &str = "a password of a seller";
/// Sixteen times cheaper than a real one, so that a debug build finds the time.
const BCRYPT_COST: &str = "8";
/// As many at once as there are places find one that is lost, unless one of them comes a moment late.
const ROUNDS: usize = 20;

#[tokio::test]
async fn a_storm_of_logins_leaves_every_place_free_and_every_sale_whole() {
    let settings = [(Peer::User, "bcrypt-cost", BCRYPT_COST.to_owned())];
    let office = BoxOffice::open_with(NatsServer::start_private().await, &settings).await;
    let on_sale = office.put_on_sale(1_000, 4500).await;
    let sellers = sellers(&office).await;

    let storm = storm(&office, &sellers);
    let sale = async {
        let guest = office.guest();
        for number in 0..BUYERS {
            let email = format!("guest{number}@example.org");
            let order = guest.buy(&on_sale, 2, &email).await;
            guest.wait_for(&order, "fulfilled").await;
        }
    };
    let (answers, ()) = tokio::join!(storm, sale);

    let count = |status: StatusCode| answers.iter().filter(|told| **told == status).count();
    let (right, wrong) = (count(StatusCode::OK), count(StatusCode::UNAUTHORIZED));
    let refused = count(StatusCode::TOO_MANY_REQUESTS) + count(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(right + wrong + refused, answers.len(), "{answers:?}");
    assert!(refused > 0, "it was no storm: {right} right, {wrong} wrong");
    assert!(right > 0, "nobody got in: {wrong} wrong, {refused} refused");
    // Whoever hung up may be served a little later still.
    eventually("no place to be lost", PATIENCE, async || {
        for _ in 0..ROUNDS {
            let told = all_at_once(&office, &sellers).await;
            if !told.iter().all(StatusCode::is_success) {
                return None;
            }
        }
        Some(())
    })
    .await;
    office.smtp.wait_for(BUYERS, PATIENCE).await;
    office.close().await;
}

/// An account for each place, because of many logins at once for one account only a few are looked at. Each has
/// signed in before, so that strangers do not make it wait.
async fn sellers(office: &BoxOffice) -> Vec<String> {
    let cores = std::thread::available_parallelism().unwrap().get();
    let places = (cores / 2).max(1) * 3;
    let mut sellers = Vec::new();
    for number in 0..places {
        let email = format!("seller{number}@example.org");
        let new = json!({"email": email, "role": "admin", "password": PASSWORD});
        let (status, made) = office.admin_post("/api/v1/admin/users", &new).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let signed_in = login(office, &right(&email)).send().await.unwrap();
        assert_eq!(signed_in.status(), StatusCode::OK);
        sellers.push(email);
    }
    sellers
}

async fn all_places_are_free(office: &BoxOffice, sellers: &[String]) {
    eventually("all places to be free", PATIENCE, async || {
        let told = all_at_once(office, sellers).await;
        told.iter().all(StatusCode::is_success).then_some(())
    })
    .await;
}

async fn all_at_once(office: &BoxOffice, sellers: &[String]) -> Vec<StatusCode> {
    let mut all = JoinSet::new();
    for email in sellers {
        all.spawn(login(office, &right(email)).send());
    }
    let told = all.join_all().await.into_iter();
    told.map(|answer| answer.unwrap().status()).collect()
}

/// What those who stayed were told.
async fn storm(office: &BoxOffice, sellers: &[String]) -> Vec<StatusCode> {
    let mut told = Vec::new();
    for number in 0..WAVES {
        all_places_are_free(office, sellers).await;
        told.extend(wave(office, sellers, number * LOGINS_OF_WAVE).await);
    }
    told
}

async fn wave(office: &BoxOffice, sellers: &[String], first: usize) -> Vec<StatusCode> {
    let server = office.http.trim_start_matches("http://").parse().unwrap();
    let (mut staying, mut leaving) = (JoinSet::new(), JoinSet::new());
    for number in first..first + LOGINS_OF_WAVE {
        // Two of four know the password; one of them, and one of the others, stays.
        let body = match number % 2 {
            0 => right(&sellers[number / 4 % sellers.len()]),
            _ => wrong(number),
        };
        if number % 4 < 2 {
            staying.spawn(login(office, &body).send());
            continue;
        }
        let request = raw(office, &body);
        leaving.spawn(async move {
            let moment = async {
                // Before it is read, while it is worked on, and after that.
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
            };
            hang_up(server, &request, moment).await;
        });
    }
    let mut told = Vec::new();
    for answer in staying.join_all().await {
        let answer = answer.unwrap();
        let status = answer.status();
        let comes_again = answer.headers().contains_key(RETRY_AFTER);
        let is_refused = matches!(status.as_u16(), 429 | 503);
        assert_eq!(comes_again, is_refused, "{status}");
        told.push(status);
    }
    leaving.join_all().await;
    told
}

fn right(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

fn wrong(number: usize) -> Value {
    json!({"email": format!("stranger{number}@example.org"), "password": "correct horse"})
}

fn login(office: &BoxOffice, body: &Value) -> reqwest::RequestBuilder {
    let url = office.url("/api/v1/auth/login");
    office.client.post(url).json(body)
}

fn raw(office: &BoxOffice, body: &Value) -> Vec<u8> {
    let (host, body) = (office.http.trim_start_matches("http://"), body.to_string());
    let length = body.len();
    format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
