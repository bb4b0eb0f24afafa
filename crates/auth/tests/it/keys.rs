//! When the key set is fetched, and what is answered while it cannot be.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use auth::{KeySource as _, TokenRules};
use kit::{Code, ErrorReason, Tasks, VerifyToken as _};
use serde_json::json;

use crate::forge::{Bench, SUBJECT, Signer, payload};

#[tokio::test]
async fn the_rules_are_kept_for_seconds() {
    let bench = Bench::new();
    for _ in 0..50 {
        bench.verifier.claims(&bench.good()).await.unwrap();
    }
    assert_eq!(bench.keys.fetches(), 1);
    bench.clock.advance(time::Duration::seconds(4));
    bench.verifier.claims(&bench.good()).await.unwrap();
    assert_eq!(bench.keys.fetches(), 2);
}

#[tokio::test]
async fn a_dropped_key_stops_working() {
    let bench = Bench::new();
    bench.verifier.claims(&bench.good()).await.unwrap();
    bench.keys.rules.lock().unwrap().keys.clear();
    bench.clock.advance(time::Duration::seconds(4));
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
    bench.keys.rules.lock().unwrap().keys.push(new.public());
    let token = new.token(&new.header(), &payload(bench.now));
    testkit::eventually("the new key is known", Duration::from_secs(60), || async {
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
async fn known_keys_bridge_a_restart() {
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
    bench.clock.advance(time::Duration::seconds(59));
    verify(bench.now + 59).await.unwrap();
    bench.clock.advance(time::Duration::seconds(2));
    let failure = verify(bench.now + 61).await.unwrap_err();
    assert_eq!(failure.code, Code::Unavailable);
}

fn ended_session() -> TokenRules {
    TokenRules {
        revoked_sessions: [SUBJECT.parse().unwrap()].into(),
        ..TokenRules::default()
    }
}

#[tokio::test]
async fn what_was_revoked_is_refused_at_the_next_look() {
    let raised = TokenRules {
        generations: [(SUBJECT.parse().unwrap(), 1)].into(),
        ..TokenRules::default()
    };
    for revocation in [ended_session(), raised] {
        let bench = Bench::new();
        bench.verifier.claims(&bench.good()).await.unwrap();
        {
            let mut rules = bench.keys.rules.lock().unwrap();
            let keys = rules.keys.clone();
            *rules = TokenRules { keys, ..revocation };
        }
        bench.verifier.claims(&bench.good()).await.unwrap();
        bench.clock.advance(time::Duration::seconds(4));
        let refused = bench.verifier.claims(&bench.good()).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::Unauthenticated);
    }
}

#[tokio::test]
async fn tokens_of_the_generation_that_is_asked_for_pass() {
    let bench = Bench::new();
    let mut rules = bench.keys.rules.lock().unwrap().clone();
    rules.generations = [(SUBJECT.parse().unwrap(), 3)].into();
    *bench.keys.rules.lock().unwrap() = rules;
    for (generation, passes) in [(2, false), (3, true), (4, true)] {
        let token = bench.with_claim("gen", json!(generation));
        assert_eq!(bench.verifier.claims(&token).await.is_ok(), passes);
    }
}

#[tokio::test]
async fn what_is_told_needs_no_fetch() {
    let bench = Bench::new();
    bench.verifier.claims(&bench.good()).await.unwrap();
    let mut told = bench.keys.fetch().await.unwrap();
    told.revoked_sessions = ended_session().revoked_sessions;
    bench.keys.told.lock().unwrap().push(told);
    let fetches = bench.keys.fetches();
    let (tasks, good) = (Tasks::new(), bench.good());
    let verifier = Arc::new(bench.verifier);
    verifier.clone().follow(&tasks);
    testkit::eventually(
        "the revocation is heard",
        Duration::from_secs(60),
        || async { verifier.claims(&good).await.err() },
    )
    .await;
    assert_eq!(bench.keys.fetches(), fetches);
    tasks.finish().await;
}
