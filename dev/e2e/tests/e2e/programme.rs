//! The programme from the gateway's memory: equal to the database's answers, quick to follow, and
//! there while ticket-svc is away.

use std::time::{Duration, Instant};

use kit::{MeshKey, client::MeshChannel};
use proto::{
    Peer,
    ticket::{ListEventsRequest, catalog_service_client::CatalogServiceClient},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{eventually, on_time};

use crate::harness::{BoxOffice, PATIENCE};

/// A repeatable dice.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) % end as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn words(&mut self, of: &[&str], most: usize) -> String {
        let words: Vec<&str> = (0..self.below(most + 1)).map(|_| self.one(of)).collect();
        words.join(" ")
    }
}

/// Cases, marks, signs that mean something in a pattern, and letters that have two lower cases.
const WORDS: [&str; 16] = [
    "Night",
    "NIGHT",
    "Ärger",
    "ärger",
    "Žižkov",
    "ŽIŽKOV",
    "100%",
    "a_b",
    "Große",
    "ΣΊΣΥΦΟΣ",
    "σίσυφος",
    "İzmir",
    "izmir",
    "back\\slash",
    "o'clock",
    "Ночь",
];
const PARTS: [&str; 12] = [
    "igh", "ärg", "Ž", "%", "_", "\\", "oss", "ς", "σ", "i", "НОЧ", "'",
];
const PLACES: [&str; 4] = ["Berlin", "BERLIN Mitte", "Praha", "Köln"];
/// Few, so that many events share one.
const TIMES: [&str; 5] = [
    "2031-06-12T18:00:00Z",
    "2031-06-12T18:00:00.000001Z",
    "2031-06-13T18:00:00Z",
    "2031-07-01T00:00:00Z",
    "2032-02-29T23:59:59.999999Z",
];

/// Writes an event as any replica would, and its number into the list of changes.
async fn write_event(db: &sqlx::PgPool, number: usize, dice: &mut Dice) {
    let status = dice.one(&["active", "active", "active", "inactive"]);
    sqlx::query(
        "WITH event AS (
             INSERT INTO events (id, slug, title, description, location, date_time, timezone,
                                 currency, status, created_by)
             VALUES (('0190b6a2-7c1e-7000-8000-' || lpad($1::text, 12, '0'))::uuid, 'e' || $1, $2, $3,
                     $4, $5::timestamptz, 'Europe/Berlin', 'EUR', $6, gen_random_uuid())
             ON CONFLICT (id) DO UPDATE SET title = $2, description = $3, location = $4,
                 date_time = $5::timestamptz, status = $6, version = events.version + 1
             RETURNING id
         ), audit AS (
             INSERT INTO audit_log (id, actor, action, event_id, object_id, after)
             SELECT gen_random_uuid(), gen_random_uuid(), 'event.updated', id, id, '{}' FROM event
         ), next AS (UPDATE event_change_seq SET last_seq = last_seq + 1 RETURNING last_seq)
         INSERT INTO event_changes (seq, event_id, change)
         SELECT last_seq, id, 'event.updated' FROM next, event",
    )
    .bind(number.to_string())
    .bind(format!("T {}", dice.words(&WORDS, 3)))
    .bind(dice.words(&WORDS, 3))
    .bind(dice.one(&PLACES))
    .bind(dice.one(&TIMES))
    .bind(status)
    .execute(db)
    .await
    .unwrap();
}

async fn catalog(office: &BoxOffice) -> CatalogServiceClient<MeshChannel> {
    let mesh = office.mesh.lock().await;
    let flags = mesh.flags(Peer::Ticket);
    let key = flags
        .iter()
        .find_map(|flag| flag.strip_prefix("--mesh-key="));
    let key: MeshKey = key.unwrap().parse().unwrap();
    let url = format!("http://{}", mesh.addr(Peer::Ticket));
    let channel = kit::client::channel(&url, key.identity(Peer::Gateway)).unwrap();
    CatalogServiceClient::new(channel)
}

fn random_search(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let mut search = Vec::new();
    let mut sometimes = |dice: &mut Dice, name, value: String| {
        if dice.below(3) == 0 {
            search.push((name, value));
        }
    };
    let vocabulary = [&WORDS[..], &PARTS[..]].concat();
    let words = dice.words(&vocabulary, 2);
    sometimes(dice, "query", words);
    let place = dice
        .one(&["berlin", "MITTE", "KÖLN", "r", "nowhere"])
        .to_owned();
    sometimes(dice, "location", place);
    let from = dice.one(&TIMES).to_owned();
    sometimes(dice, "from", from);
    let to = dice.one(&TIMES).to_owned();
    sometimes(dice, "to", to);
    search.push(("page_size", (1 + dice.below(30)).to_string()));
    search
}

fn request_of(search: &[(&str, String)]) -> ListEventsRequest {
    let value = |name: &str| {
        let found = search.iter().find(|(known, _)| *known == name);
        found.map_or_else(String::new, |(_, value)| value.clone())
    };
    let time = |name: &str| {
        let text = value(name);
        (!text.is_empty()).then(|| text.parse::<prost_types::Timestamp>().unwrap())
    };
    ListEventsRequest {
        query: value("query"),
        location: value("location"),
        from: time("from"),
        to: time("to"),
        page_size: value("page_size").parse().unwrap_or(0),
        page_token: value("page_token"),
    }
}

async fn from_memory(office: &BoxOffice, search: &[(&str, String)]) -> (Vec<String>, String) {
    let url = url::Url::parse_with_params(&office.url("/api/v1/events"), search).unwrap();
    let answer = office.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let page: Value = answer.json().await.unwrap();
    let events = page["events"].as_array().unwrap().iter();
    let event = |e: &Value| format!("{} {} {}", e["id"], e["title"], e["location"]);
    let token = page["next_page_token"].as_str().unwrap().to_owned();
    (events.map(event).collect(), token)
}

async fn from_database(
    catalog: &CatalogServiceClient<MeshChannel>,
    search: &[(&str, String)],
) -> (Vec<String>, String) {
    let page = catalog.clone().list_events(request_of(search)).await;
    let page = page.unwrap().into_inner();
    let event = |e: &proto::ticket::Event| {
        format!("{} {} {}", json!(e.id), json!(e.title), json!(e.location))
    };
    (
        page.events.iter().map(event).collect(),
        page.next_page_token,
    )
}

#[tokio::test]
async fn searches_from_memory_and_from_the_database_are_equal() {
    let office = BoxOffice::open().await;
    let db = office.databases.tickets.pool().await;
    let catalog = catalog(&office).await;
    let mut dice = Dice(u64::from(std::process::id()));
    let seed = dice.0;
    for round in 0..3 {
        for _ in 0..60 {
            let number = dice.below(90);
            write_event(&db, number, &mut dice).await;
        }
        let all = vec![("page_size", "100".to_owned())];
        eventually("memory has followed", PATIENCE, || async {
            let both = (
                from_memory(&office, &all).await,
                from_database(&catalog, &all).await,
            );
            (both.0 == both.1).then_some(())
        })
        .await;
        let mut found = 0;
        for _ in 0..100 {
            let mut search = random_search(&mut dice);
            loop {
                let known = from_memory(&office, &search).await;
                let truth = from_database(&catalog, &search).await;
                assert_eq!(known, truth, "seed {seed}, round {round}, {search:?}");
                found += known.0.len();
                search.retain(|(name, _)| *name != "page_token");
                if known.1.is_empty() {
                    break;
                }
                search.push(("page_token", known.1));
            }
        }
        assert!(found > 100, "the searches find too little: {found}");
    }
    db.close().await;
    office.close().await;
}

/// How long until the concert's page fits, from now on.
async fn time_until(
    office: &BoxOffice,
    path: &str,
    fits: impl Fn(StatusCode, &Value) -> bool,
) -> Duration {
    let begun = Instant::now();
    eventually("the page fits", PATIENCE, || async {
        let answer = office.client.get(office.url(path)).send().await.unwrap();
        let status = answer.status();
        let page: Value = answer.json().await.unwrap();
        fits(status, &page).then_some(())
    })
    .await;
    begun.elapsed()
}

#[tokio::test]
async fn a_change_a_hold_and_a_cancellation_are_seen_at_once() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10_000, 4500).await;
    let path = format!("/api/v1/events/{}", on_sale.event_id);
    let admin_path = format!("/api/v1/admin/events/{}", on_sale.event_id);
    let soon = Duration::from_millis(200);
    let mut round = 0;
    on_time("a change", soon, 4, async || {
        round += 1;
        let title = format!("Round {round}");
        let change = office
            .client
            .request(Method::PATCH, office.url(&admin_path));
        let change = change.bearer_auth(office.admin_token().await);
        let changed = change.json(&json!({"title": title})).send().await.unwrap();
        assert_eq!(changed.status(), StatusCode::OK);
        time_until(&office, &path, |_, page| page["title"] == title.as_str()).await
    })
    .await;
    let mut left = 10_000;
    on_time("a hold", soon, 4, async || {
        assert_eq!(
            office.guest().hold(&on_sale, 1).await.0,
            StatusCode::CREATED
        );
        left -= 1;
        let is_left = |_, page: &Value| page["ticket_types"][0]["remaining"] == left;
        time_until(&office, &path, is_left).await
    })
    .await;

    on_time("a cancellation", Duration::from_secs(1), 1, async || {
        let off = office.put_on_sale(10, 4500).await;
        let path = format!("/api/v1/events/{}", off.event_id);
        time_until(&office, &path, |status, _| status == StatusCode::OK).await;
        let cancel = format!("/api/v1/admin/events/{}/cancel", off.event_id);
        let (status, answer) = office.admin_post(&cancel, &json!({"reason": "Rain"})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        time_until(&office, &path, |status, _| status == StatusCode::NOT_FOUND).await
    })
    .await;
    office.close().await;
}

#[tokio::test]
async fn the_programme_is_there_while_ticket_svc_is_away_and_follows_when_it_is_back() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1_000, 4500).await;
    let path = format!("/api/v1/events/{}", on_sale.event_id);
    // Only what memory has can be watched.
    eventually("memory has it", PATIENCE, || async {
        let stream = office.url(&format!("{path}/availability/stream"));
        let watched = office.client.get(stream).send().await.unwrap();
        (watched.status() == StatusCode::OK).then_some(())
    })
    .await;
    let mut left = 1_000;
    on_time("it follows", Duration::from_secs(5), 3, async || {
        office
            .mesh
            .lock()
            .await
            .stop_member(Peer::Ticket)
            .await
            .unwrap();
        let answer = office.client.get(office.url(&path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        office
            .mesh
            .lock()
            .await
            .start_member(Peer::Ticket)
            .await
            .unwrap();
        let key = testkit::keys::idempotency_key();
        eventually("a hold is made", PATIENCE, || async {
            let (status, _) = office.guest().hold_with(&on_sale, 1, &key).await;
            (status == StatusCode::CREATED).then_some(())
        })
        .await;
        left -= 1;
        let is_left = |_, page: &Value| page["ticket_types"][0]["remaining"] == left;
        time_until(&office, &path, is_left).await
    })
    .await;
    office.close().await;
}
