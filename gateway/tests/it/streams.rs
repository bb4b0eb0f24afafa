//! Server-Sent Events about what is left.

use std::{sync::atomic::Ordering, time::Duration};

use kit::Failure;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use testkit::{eventually, on_time};
use tokio::time::{Instant, timeout};

use crate::{
    facts::{self, EVENT, ORDER, ORDER_SECRET},
    harness::{Edge, edge, edge_with, header, refusal},
    programme::{PATIENCE, entry, with_copy},
};

const STREAM: &str = "/api/v1/events/moonlight-sessions/availability/stream";

/// Reads messages one by one.
struct Reader {
    response: Response,
    text: String,
}

impl Reader {
    async fn open(edge: &Edge) -> Self {
        Self::of(edge.get(STREAM)).await
    }

    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "text/event-stream");
        let caching = header(&response, "cache-control");
        assert!(["no-cache", "no-store"].contains(&&*caching), "{caching}");
        Self {
            response,
            text: String::new(),
        }
    }

    /// Name and data of the next event; none at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    message
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::to_owned)
                };
                if let (Some(event), Some(data)) = (field("event: "), field("data: ")) {
                    return Some((event, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let chunk = timeout(PATIENCE, self.response.chunk())
                .await
                .unwrap()
                .unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn left(&mut self) -> i64 {
        let (event, data) = self.next().await.unwrap();
        assert_eq!(event, "availability", "{data}");
        data["ticket_types"][0]["remaining"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn a_guest_sees_the_state_and_each_change_of_it() {
    edge(async |edge| {
        with_copy(edge, vec![entry()]).await;
        let (mut one, mut two) = (Reader::open(edge).await, Reader::open(edge).await);
        assert_eq!((one.left().await, two.left().await), (7, 7));
        let mut remaining = 3_000;
        on_time("a change", Duration::from_millis(200), 2, async || {
            remaining -= 1;
            let begun = Instant::now();
            edge.stub.office.tell_left(remaining);
            assert_eq!((one.left().await, two.left().await), (remaining, remaining));
            begun.elapsed()
        })
        .await;
        // A burst is told as what became of it, at ten messages a second.
        let begun = Instant::now();
        let mut messages = 0;
        for remaining in (10..=1_000).rev().step_by(10) {
            edge.stub.office.tell_left(remaining);
            // Sleeps: the burst lasts a while.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        while one.left().await != 10 {
            messages += 1;
        }
        let most = begun.elapsed().as_millis() / 100 + 2;
        assert!(messages <= most, "{messages} messages, {most} at most");
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_an_order_hears_of_each_change_and_of_the_end() {
    edge(async |edge| {
        let path = format!("/api/v1/orders/{ORDER}/stream");
        let own = || edge.get(&path).bearer_auth(ORDER_SECRET);
        assert_eq!(refusal(edge.get(&path)).await.0, 401);
        assert_eq!(refusal(edge.get(&path).bearer_auth("no")).await.0, 404);
        let mut watching = Reader::of(own()).await;
        let (event, order) = watching.next().await.unwrap();
        assert_eq!(
            (&*event, &order["status"]),
            ("order", &"awaiting_payment".into())
        );
        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        let (event, order) = watching.next().await.unwrap();
        assert_eq!((&*event, &order["status"]), ("order", &"fulfilled".into()));
        assert_eq!(order["tickets"].as_array().unwrap().len(), 2);
        // Where nobody can be asked, who waits comes again; a secret that opens nothing any more is the end.
        let mut another = Reader::of(own()).await;
        assert_eq!(another.next().await.unwrap().0, "order");
        edge.stub
            .fail(|| Failure::unavailable("Away.", Duration::from_secs(1)).into());
        assert_eq!(another.next().await.unwrap().0, "reconnect");
        assert_eq!(watching.next().await.unwrap().0, "reconnect");
        assert!(watching.next().await.is_none());
        edge.stub.work_again();
        // In four tabs, and no more; who leaves makes room.
        let mut tabs = Vec::new();
        for _ in 0..4 {
            let response = own().send().await.unwrap();
            assert_eq!(header(&response, "cache-control"), "no-store");
            tabs.push(response);
        }
        assert_eq!(refusal(own()).await.0, 429);
        tabs.clear();
        let mut watching = eventually("there is room", PATIENCE, || async {
            let response = own().send().await.unwrap();
            (response.status() == 200).then_some(response)
        })
        .await;
        edge.stub.fail(|| Failure::not_found("order").into());
        let mut said = String::new();
        while let Some(chunk) = watching.chunk().await.unwrap() {
            said.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(said.ends_with("event: gone\ndata: {}\n\n"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_told_where_an_event_is_read_again_and_is_the_same() {
    edge(async |edge| {
        with_copy(edge, vec![entry()]).await;
        let mut watching = Reader::open(edge).await;
        assert_eq!(watching.left().await, 7);
        let times_read = || edge.stub.office.read.load(Ordering::SeqCst);
        let read_before = times_read();
        edge.stub.office.change(EVENT, Some(entry()));
        eventually("it is read again", PATIENCE, || async {
            (times_read() > read_before).then_some(())
        })
        .await;
        // A while in which it would be told.
        let told = timeout(Duration::from_millis(500), watching.next()).await;
        assert!(told.is_err(), "{told:?}");
        edge.stub.office.tell_left(5);
        assert_eq!(watching.left().await, 5);
    })
    .await;
}

#[tokio::test]
async fn it_ends_with_a_word_when_the_event_goes_and_when_the_gateway_stops() {
    edge(async |edge| {
        with_copy(edge, vec![entry()]).await;
        let mut watching = Reader::open(edge).await;
        assert!(watching.left().await > 0);
        edge.stub.office.change(EVENT, None);
        assert_eq!(watching.next().await.unwrap().0, "gone");
        assert_eq!(watching.next().await, None);
        edge.stub.office.change(EVENT, Some(entry()));
        eventually("it is there again", PATIENCE, || async {
            (edge.get(STREAM).send().await.unwrap().status() == 200).then_some(())
        })
        .await;
        let mut watching = Reader::open(edge).await;
        assert!(watching.left().await > 0);
        let begun = Instant::now();
        edge.begin_shutdown();
        assert_eq!(watching.next().await.unwrap().0, "reconnect");
        assert_eq!(watching.next().await, None);
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
        // The harness sees that no task is left.
    })
    .await;
}

#[tokio::test]
async fn it_says_when_it_is_not_sure_any_more() {
    edge(async |edge| {
        with_copy(edge, vec![entry()]).await;
        let mut watching = Reader::open(edge).await;
        assert!(watching.left().await > 0);
        edge.stub.office.close();
        let (event, data) = watching.next().await.unwrap();
        assert_eq!(event, "unsure");
        assert!(data["age_secs"].as_u64().unwrap() >= 3, "{data}");
        edge.stub.office.reopen();
        assert_eq!(watching.left().await, 7);
    })
    .await;
}

#[tokio::test]
async fn few_may_watch_and_who_leaves_makes_room() {
    let limits = |config: &mut gateway::Config| {
        (config.streams_max, config.streams_per_address_max) = (3, 2);
    };
    edge_with(limits, async |edge| {
        with_copy(edge, vec![entry()]).await;
        let _one = Reader::open(edge).await;
        let two = Reader::open(edge).await;
        let refused = refusal(edge.get(STREAM).timeout(PATIENCE)).await;
        assert_eq!((refused.0, refused.1.as_str()), (429, "TOO_MANY_REQUESTS"));
        drop(two);
        eventually("there is room", PATIENCE, || async {
            (edge.get(STREAM).send().await.unwrap().status() == 200).then_some(())
        })
        .await;
    })
    .await;
    let limits = |config: &mut gateway::Config| {
        (config.streams_max, config.streams_per_address_max) = (1, 0);
    };
    edge_with(limits, async |edge| {
        with_copy(edge, vec![entry()]).await;
        let _one = Reader::open(edge).await;
        let refused = refusal(edge.get(STREAM).timeout(PATIENCE)).await;
        assert_eq!((refused.0, refused.1.as_str()), (503, "OVERLOADED"));
    })
    .await;
}

#[tokio::test]
async fn without_a_copy_nobody_watches_and_what_is_absent_is_absent() {
    edge(async |edge| {
        assert_eq!(refusal(edge.get(STREAM).timeout(PATIENCE)).await.0, 503);
        let absent = edge.get("/api/v1/events/nothing-here/availability/stream");
        assert_eq!(refusal(absent).await.0, 404);
    })
    .await;
}
