//! The copy of the programme: what is answered without asking, how it follows, and what it says
//! when it cannot.

use std::{sync::atomic::Ordering, time::Duration};

use base::Secret;
use proto::ticket::{Event, ProgrammeEntry};
use reqwest::Response;
use serde_json::Value;
use testkit::{NatsServer, eventually, on_time};
use time::macros::datetime;
use tokio::time::Instant;

use crate::{
    facts::{self, EVENT},
    harness::{Edge, edge, edge_with, header, refusal},
};

pub const PATIENCE: Duration = Duration::from_secs(60);
const PAGE: &str = "/api/v1/events/moonlight-sessions";

pub fn entry() -> ProgrammeEntry {
    ProgrammeEntry {
        event: Some(facts::event()),
        ticket_types: facts::ticket_types(),
    }
}

/// Another event, a day later for each number.
fn other(number: u32) -> ProgrammeEntry {
    let day = datetime!(2027-06-12 18:00 UTC) + time::Duration::days(i64::from(number));
    let event = Event {
        id: format!("0190b6a2-7c1e-7000-8000-00000001{number:04}"),
        slug: format!("night-{number}"),
        title: format!("Night {number}"),
        date_time: Some(proto::timestamp(day)),
        ..facts::event()
    };
    ProgrammeEntry {
        event: Some(event),
        ticket_types: Vec::new(),
    }
}

fn renamed(title: &str) -> Option<ProgrammeEntry> {
    let mut entry = entry();
    entry.event.as_mut().unwrap().title = title.to_owned();
    Some(entry)
}

/// Opens the office and waits until the gateway answers from its copy.
pub async fn with_copy(edge: &Edge, entries: Vec<ProgrammeEntry>) {
    edge.stub.office.open(entries);
    eventually("the gateway has a copy", PATIENCE, || async {
        let before = asked(edge);
        edge.get(PAGE).send().await.unwrap();
        (asked(edge) == before).then_some(())
    })
    .await;
}

/// Calls that a request caused.
fn asked(edge: &Edge) -> usize {
    edge.stub.times_asked()
}

async fn get(edge: &Edge, path: &str) -> Response {
    edge.get(path).send().await.unwrap()
}

async fn title(edge: &Edge) -> String {
    let event: Value = get(edge, PAGE).await.json().await.unwrap();
    event["title"].as_str().unwrap_or("absent").to_owned()
}

/// How long until the page has this title.
async fn time_until(edge: &Edge, wanted: &str) -> Duration {
    let begun = Instant::now();
    eventually(wanted, PATIENCE, || async {
        (title(edge).await == wanted).then_some(())
    })
    .await;
    begun.elapsed()
}

#[tokio::test]
async fn hits_ask_nobody_and_have_tags() {
    edge(async |edge| {
        let from_service = get(edge, PAGE).await.json::<Value>().await.unwrap();
        with_copy(edge, vec![entry(), other(1)]).await;
        let before = asked(edge);
        let from_memory = get(edge, PAGE).await.json::<Value>().await.unwrap();
        assert_eq!(from_memory, from_service);
        for path in [
            PAGE,
            &format!("/api/v1/events/{EVENT}"),
            &format!("{PAGE}/availability"),
            "/api/v1/events",
            "/api/v1/events?query=moon&location=BERLIN&page_size=1",
        ] {
            let answer = get(edge, path).await;
            assert_eq!(
                (answer.status().as_u16(), header(&answer, "age")),
                (200, String::new())
            );
            assert_eq!(header(&answer, "content-type"), "application/json");
            let tag = header(&answer, "etag");
            for known in [
                tag.clone(),
                format!("W/{tag}"),
                format!("\"x\", {tag}"),
                "*".into(),
            ] {
                let again = edge
                    .get(path)
                    .header("if-none-match", known)
                    .send()
                    .await
                    .unwrap();
                assert_eq!(
                    (again.status().as_u16(), header(&again, "etag")),
                    (304, tag.clone())
                );
                assert!(again.bytes().await.unwrap().is_empty());
            }
        }
        for page in ["/", "/?q=moon", "/events/moonlight-sessions"] {
            assert!(
                edge.page(page).await.contains("Moonlight Sessions"),
                "{page}"
            );
        }
        assert_eq!(asked(edge), before, "something was asked for");
        // What memory does not have is asked for.
        let absent = edge.get("/api/v1/events/nothing-of-the-kind");
        assert_eq!(refusal(absent).await.0, 404);
        // What is malformed is refused in the service's own words.
        get(edge, "/api/v1/events?page_token=nonsense").await;
        assert_eq!(asked(edge), before + 1);
    })
    .await;
}

#[tokio::test]
async fn a_list_goes_on_by_its_token() {
    edge(async |edge| {
        let entries = std::iter::once(entry()).chain((1..=120).rev().map(other));
        with_copy(edge, entries.collect()).await;
        let (mut titles, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/events?page_size=50&page_token={token}");
            let page: Value = get(edge, &path).await.json().await.unwrap();
            let events = page["events"].as_array().unwrap();
            titles.extend(
                events
                    .iter()
                    .map(|event| event["title"].as_str().unwrap().to_owned()),
            );
            token = page["next_page_token"].as_str().unwrap().to_owned();
            if token.is_empty() {
                break;
            }
        }
        let nights = (1..=120).map(|number| format!("Night {number}"));
        let all: Vec<_> = std::iter::once("Moonlight Sessions".to_owned())
            .chain(nights)
            .collect();
        assert_eq!(titles, all);
        let path = "/api/v1/events?from=2027-06-14T18:00:00Z&to=2027-06-16T18:00:00Z";
        let page: Value = get(edge, path).await.json().await.unwrap();
        assert_eq!(page["events"].as_array().unwrap().len(), 2);
        assert_eq!(page["events"][0]["title"], "Night 2");
    })
    .await;
}

#[tokio::test]
async fn a_hint_shows_a_change_at_once_and_without_hints_it_takes_a_second() {
    let nats = NatsServer::start_private().await;
    let url = Secret::new(nats.url());
    edge_with(
        |config| config.nats_url = Some(url),
        async |edge| {
            let office = &edge.stub.office;
            with_copy(edge, vec![entry()]).await;
            let hinting = nats.client().await;
            let subject = hints::subject::PROGRAMME_CHANGED;
            let mut round = 0;
            let limit = Duration::from_millis(200);
            // In the first ones the gateway may not have been connected yet.
            on_time("a change with a hint", limit, 7, async || {
                round += 1;
                let name = format!("Round {round}");
                office.change(EVENT, renamed(&name));
                hinting.publish(subject, Default::default()).await.unwrap();
                hinting.flush().await.unwrap();
                time_until(edge, &name).await
            })
            .await;

            nats.stop().await;
            let limit = Duration::from_millis(1_500);
            on_time("a change without a hint", limit, 1, async || {
                round += 1;
                let name = format!("Round {round}");
                office.change(EVENT, renamed(&name));
                time_until(edge, &name).await
            })
            .await;
        },
    )
    .await;
}

#[tokio::test]
async fn an_event_that_is_cancelled_or_paused_is_gone_and_a_new_one_there() {
    edge(async |edge| {
        let office = &edge.stub.office;
        with_copy(edge, vec![entry(), other(1)]).await;
        office.change(EVENT, None);
        office.change("0190b6a2-7c1e-7000-8000-000000010002", Some(other(2)));
        edge.stub.fail(|| kit::Failure::not_found("concert").into());
        eventually("it is gone", PATIENCE, || async {
            (get(edge, PAGE).await.status() == 404).then_some(())
        })
        .await;
        let list: Value = get(edge, "/api/v1/events").await.json().await.unwrap();
        let slugs: Vec<_> = list["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| &e["slug"])
            .collect();
        assert_eq!(slugs, ["night-1", "night-2"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_left_follows_the_stream_and_not_an_older_read() {
    edge(async |edge| {
        let office = &edge.stub.office;
        with_copy(edge, vec![entry()]).await;
        let left = async || {
            let left: Value = get(edge, &format!("{PAGE}/availability"))
                .await
                .json()
                .await
                .unwrap();
            let page: Value = get(edge, PAGE).await.json().await.unwrap();
            let [left, page] =
                [left, page].map(|said| said["ticket_types"][0]["remaining"].as_i64());
            // Two reads are not one moment: where they differ, a word of the stream came between.
            left.filter(|_| left == page)
        };
        assert_eq!(left().await, Some(7));
        let mut remaining = 200;
        let mut shown = async || {
            remaining -= 1;
            let begun = Instant::now();
            office.tell_left(remaining);
            eventually("it is shown", PATIENCE, || async {
                (left().await == Some(remaining)).then_some(())
            })
            .await;
            begun.elapsed()
        };
        let limit = Duration::from_millis(200);
        on_time("what is left", limit, 3, &mut shown).await;
        office.tell_left(100);
        eventually("it is shown", PATIENCE, || async {
            (left().await == Some(100)).then_some(())
        })
        .await;
        // The entry that is read again says 7, the stream has said 100 and says nothing new.
        office.change(EVENT, renamed("Read again"));
        time_until(edge, "Read again").await;
        eventually("the stream's word stands", PATIENCE, || async {
            (left().await == Some(100)).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn while_the_service_is_away_the_last_state_is_shown_with_its_age_and_not_for_ever() {
    edge_with(
        |config| config.programme_stale_max_secs = 10,
        async |edge| {
            with_copy(edge, vec![entry()]).await;
            edge.stub.office.close();
            edge.stub
                .fail(|| kit::Failure::unavailable("away", Duration::from_secs(1)).into());
            let before = asked(edge);
            let aged = eventually("its age is told", PATIENCE, || async {
                let answer = get(edge, PAGE).await;
                assert_eq!(answer.status(), 200);
                Some(header(&answer, "age")).filter(|age| !age.is_empty())
            })
            .await;
            let aged: u64 = aged.parse().unwrap();
            assert!((3..=10).contains(&aged), "{aged}");
            for path in ["/api/v1/events", &format!("{PAGE}/availability")] {
                assert!(!header(&get(edge, path).await, "age").is_empty(), "{path}");
            }
            let page = edge.page("/events/moonlight-sessions").await;
            assert!(page.contains("What is left was last known"), "{page}");
            assert_eq!(asked(edge), before, "a hit asked");
            eventually("it is too old", PATIENCE, || async {
                (get(edge, PAGE).await.status() == 503).then_some(())
            })
            .await;
            assert_eq!(get(edge, "/api/v1/events").await.status(), 503);

            edge.stub.work_again();
            edge.stub.office.reopen();
            eventually("it is fresh again", PATIENCE, || async {
                let before = asked(edge);
                let answer = get(edge, PAGE).await;
                (asked(edge) == before && header(&answer, "age").is_empty()).then_some(())
            })
            .await;
            assert!(edge.stub.office.asked.load(Ordering::SeqCst) > 0);
        },
    )
    .await;
}
