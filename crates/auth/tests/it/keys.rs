//! When the key set is fetched, and what is answered while it cannot be.

use std::time::{Duration, Instant};

use kit::{Code, ErrorReason};
use serde_json::json;

use crate::forge::{Bench, Signer, payload};

#[tokio::test]
async fn the_set_is_kept_for_a_minute() {
    let bench = Bench::new();
    for _ in 0..50 {
        bench.verifier.claims(&bench.good()).await.unwrap();
    }
    assert_eq!(bench.keys.fetches(), 1);
    bench.clock.advance(time::Duration::seconds(61));
    bench.verifier.claims(&bench.good()).await.unwrap();
    assert_eq!(bench.keys.fetches(), 2);
}

#[tokio::test]
async fn a_dropped_key_stops_working() {
    let bench = Bench::new();
    bench.verifier.claims(&bench.good()).await.unwrap();
    bench.keys.keys.lock().unwrap().clear();
    bench.clock.advance(time::Duration::seconds(61));
    let failure = bench.verifier.claims(&bench.good()).await.unwrap_err();
    assert_eq!(failure.code, Code::Unauthenticated);
}

#[tokio::test]
async fn made_up_key_ids_are_not_load() {
    let bench = Bench::new();
    let started = Instant::now();
    for n in 0..200 {
        let token = bench.with_header("kid", json!(format!("made-up-{n}")));
        assert_eq!(
            bench.verifier.claims(&token).await.unwrap_err().code,
            Code::Unauthenticated
        );
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap();
    assert!(
        bench.keys.fetches() <= 1 + seconds,
        "{} fetches",
        bench.keys.fetches()
    );
}

#[tokio::test]
async fn a_new_key_is_found_within_the_pause() {
    let bench = Bench::new();
    bench.verifier.claims(&bench.good()).await.unwrap();
    let new = Signer::new("key-2");
    bench.keys.keys.lock().unwrap().push(new.public());
    let token = new.token(&new.header(), &payload(bench.now));
    testkit::eventually("the new key is known", Duration::from_secs(5), || async {
        bench.verifier.claims(&token).await.ok()
    })
    .await;
}

#[tokio::test]
async fn without_keys_nobody_is_called_a_stranger() {
    let bench = Bench::new();
    bench.keys.set_down(true);
    for token in [bench.good(), bench.with_header("kid", json!("key-2"))] {
        let failure = bench.verifier.claims(&token).await.unwrap_err();
        assert_eq!(
            (failure.code, failure.reason),
            (Code::Unavailable, ErrorReason::Unavailable)
        );
        assert!(failure.retry_after.is_some());
    }
}

#[tokio::test]
async fn known_keys_bridge_an_outage_for_minutes() {
    let bench = Bench::new();
    let verify = async |at: i64| {
        let mut payload = payload(at);
        payload["exp"] = json!(at + 600);
        bench
            .verifier
            .claims(&bench.signer.token(&bench.signer.header(), &payload))
            .await
    };
    verify(bench.now).await.unwrap();
    bench.keys.set_down(true);
    bench.clock.advance(time::Duration::seconds(299));
    verify(bench.now + 299).await.unwrap();
    bench.clock.advance(time::Duration::seconds(2));
    let failure = verify(bench.now + 301).await.unwrap_err();
    assert_eq!(failure.code, Code::Unavailable);
}
