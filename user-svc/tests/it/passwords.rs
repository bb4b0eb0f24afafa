//! The hashing itself: what counts as the same password, and how many hashes run at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base::{Sources, UserId};
use testkit::keys;
use user_svc::{Overloaded, Password, Passwords};

fn user() -> UserId {
    UserId::new(&Sources::system())
}

fn typed(text: &str) -> Password {
    Password::typed(text)
}

fn permits() -> usize {
    (std::thread::available_parallelism().unwrap().get() / 2).max(1)
}

#[tokio::test]
async fn every_byte_counts() {
    let passwords = Passwords::new(keys::key_ring().parse().unwrap(), 4);
    let long = "p".repeat(72);
    let stored = passwords
        .hash(user(), &typed(&format!("{long}one")), [1; 16])
        .await
        .unwrap();
    assert!(stored.hash.starts_with("$2b$04$"), "{}", stored.hash);
    for (presented, right) in [
        (format!("{long}one"), true),
        (format!("{long}two"), false),
        (long.clone(), false),
        (format!("{long}one "), false),
    ] {
        assert_eq!(
            passwords
                .verify(Some(stored.clone()), &typed(&presented))
                .await
                .unwrap(),
            right
        );
    }
    assert!(!passwords.verify(None, &typed(&long)).await.unwrap());
}

#[tokio::test]
async fn a_hash_fits_one_account_and_one_pepper() {
    let ring = keys::key_ring_of(&["new", "old"]);
    let (new_only, old_only) = ring.split_once(',').unwrap();
    let old = Passwords::new(old_only.parse().unwrap(), 4);
    let stored = old
        .hash(user(), &typed("correct horse"), [1; 16])
        .await
        .unwrap();
    let rotated = Passwords::new(ring.parse().unwrap(), 4);
    assert!(
        rotated
            .verify(Some(stored.clone()), &typed("correct horse"))
            .await
            .unwrap()
    );
    let lost = Passwords::new(new_only.parse().unwrap(), 4);
    assert!(
        !lost
            .verify(Some(stored.clone()), &typed("correct horse"))
            .await
            .unwrap()
    );
    let mut moved = stored;
    moved.user_id = user();
    assert!(
        !old.verify(Some(moved), &typed("correct horse"))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn an_unknown_address_costs_what_a_known_one_costs() {
    let ring = keys::key_ring();
    let passwords = Passwords::new(ring.parse().unwrap(), 9);
    let stored = passwords
        .hash(user(), &typed("correct horse"), [1; 16])
        .await
        .unwrap();
    let took = async |stored: Option<user_svc::StoredPassword>| {
        let started = std::time::Instant::now();
        assert!(!passwords.verify(stored, &typed("wrong")).await.unwrap());
        started.elapsed()
    };
    // The fastest of some; of more on a machine that has no time.
    let must_cost_the_same = async |stored: user_svc::StoredPassword| {
        let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
        for tries in 1.. {
            known = known.min(took(Some(stored.clone())).await);
            unknown = unknown.min(took(None).await);
            if tries >= 5 && unknown * 3 > known && known * 3 > unknown {
                break;
            }
            assert!(tries < 50, "{known:?} {unknown:?}");
        }
    };
    must_cost_the_same(stored).await;
    // Also one that was hashed while less work was asked for.
    let before = Passwords::new(ring.parse().unwrap(), 5);
    let cheap = before
        .hash(user(), &typed("correct horse"), [1; 16])
        .await
        .unwrap();
    assert!(!passwords.is_as_new(&cheap));
    must_cost_the_same(cheap).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_who_hang_up_do_not_free_their_turn() {
    let passwords = Arc::new(Passwords::new(keys::key_ring().parse().unwrap(), 8));
    let stored = passwords
        .hash(user(), &typed("correct horse"), [1; 16])
        .await
        .unwrap();
    let (stop, watched) = (Arc::new(AtomicBool::new(false)), passwords.clone());
    let stopped = stop.clone();
    let watcher = std::thread::spawn(move || {
        let mut most = 0;
        while !stopped.load(Ordering::SeqCst) {
            most = most.max(watched.running());
            // Sleeps: between two looks at the count.
            std::thread::sleep(Duration::from_micros(100));
        }
        most
    });
    for _ in 0..50 {
        let call = {
            let (passwords, stored) = (passwords.clone(), stored.clone());
            tokio::spawn(async move { passwords.verify(Some(stored), &typed("wrong")).await })
        };
        // Gone as soon as a hash is under way: its own, or the one it waits behind; or it was done unseen.
        while passwords.running() == 0 && !call.is_finished() {
            tokio::task::yield_now().await;
        }
        call.abort();
        let _ = call.await;
    }
    let whole = passwords
        .verify(Some(stored), &typed("correct horse"))
        .await
        .unwrap();
    stop.store(true, Ordering::SeqCst);
    let most = watcher.join().unwrap();
    assert!(whole);
    assert!(
        (1..=permits()).contains(&most),
        "{most} at once, {} allowed",
        permits()
    );
}

#[tokio::test]
async fn a_crowd_is_turned_away_at_once() {
    let passwords = Passwords::new(keys::key_ring().parse().unwrap(), 8);
    let wrong = typed("wrong");
    let crowd = (0..permits() * 40).map(|_| passwords.verify(None, &wrong));
    let answers = futures::future::join_all(crowd).await;
    let served = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(Overloaded)))
        .count();
    assert!(served >= permits() * 3, "{served} served");
    assert!(refused > permits() * 30, "{refused} refused");
    assert_eq!(passwords.running(), 0);
    passwords.verify(None, &typed("wrong")).await.unwrap();
}
