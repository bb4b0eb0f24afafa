use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use testkit::{eventually, keys, on_time};

#[tokio::test]
async fn returns_the_first_value() {
    let calls = AtomicU32::new(0);
    let value = eventually("the third call", Duration::from_secs(5), async || {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        (call == 2).then_some(call)
    })
    .await;
    assert_eq!((value, calls.into_inner()), (2, 3));
}

#[tokio::test]
#[should_panic(expected = "not within 20ms: pigs to fly")]
async fn says_what_did_not_come() {
    eventually(
        "pigs to fly",
        Duration::from_millis(20),
        async || None::<()>,
    )
    .await;
}

#[tokio::test]
#[should_panic(expected = "probe 1 did not return")]
async fn a_probe_that_hangs_ends_too() {
    eventually(
        "an answer",
        Duration::from_millis(20),
        std::future::pending::<Option<()>>,
    )
    .await;
}

#[tokio::test]
async fn a_late_one_is_measured_again_and_luck_does_not_count() {
    let mut times = [1, 9, 1, 1, 9, 1, 1, 1]
        .map(Duration::from_secs)
        .into_iter();
    let limit = Duration::from_secs(2);
    on_time("three in a row", limit, 3, async || times.next().unwrap()).await;
    assert_eq!(times.next(), None);
}

#[test]
fn keys_are_random_and_long_enough() {
    assert_ne!(keys::idempotency_key(), keys::idempotency_key());
    assert_eq!(keys::idempotency_key().len(), 32);
    assert_eq!(keys::mesh_key().len(), 43);
    assert!(
        keys::key_ring_of(&["a", "b"])
            .split(',')
            .all(|key| key.len() == 45)
    );
}
