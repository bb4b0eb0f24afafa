//! Sessions: how long they live, how they turn, how they end, and how fast everybody hears of it.

use std::{sync::Arc, time::Duration};

use auth::{RemoteKeys, Verifier};
use base::{ManualClock, Sources};
use kit::{ErrorReason, Failure, Tasks, VerifyToken};
use proto::Peer;
use sqlx::PgConnection;
use testkit::{TestDb, eventually};

use crate::harness::{EMAIL, PASSWORD, Service, check_invariants, config, database, founded};

/// Within this time a revocation has reached every service.
const PROMISED: Duration = Duration::from_secs(5);

/// A service whose clock the test moves, with its first account.
async fn founded_in_time() -> (TestDb, Service, ManualClock) {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(3);
    let service = Service::start_with(config(&db.url), sources).await;
    service.setup(service.setup_request()).await.unwrap();
    (db, service, clock)
}

fn is_over(refused: &Failure) -> bool {
    refused.reason == ErrorReason::Unauthenticated
}

async fn because(conn: &mut PgConnection) -> Option<String> {
    let because = sqlx::query_scalar("SELECT revoked_because FROM sessions");
    because.fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn a_session_goes_on_by_turns() {
    let (db, service, clock) = founded_in_time().await;
    let login = service.login(EMAIL, PASSWORD).await.unwrap();
    let mut token = login.refresh_token;
    for _ in 0..4 {
        clock.advance(time::Duration::minutes(9));
        let next = service.refresh(&token).await.unwrap();
        assert_ne!(next.refresh_token, token);
        assert_eq!((next.expires_in, next.refresh_token.len()), (600, 43));
        assert_eq!(next.user, login.user);
        service.get_me(&next.access_token).await.unwrap();
        token = next.refresh_token;
    }
    let in_the_clear: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM refresh_tokens t, sessions s
         WHERE position($1 IN t::text || s::text) > 0",
    )
    .bind(&token)
    .fetch_one(&mut db.connect().await)
    .await
    .unwrap();
    assert_eq!(in_the_clear, 0);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn an_idle_session_ends_and_so_does_an_old_one() {
    let (db, service, clock) = founded_in_time().await;
    let idle = service.login(EMAIL, PASSWORD).await.unwrap().refresh_token;
    clock.advance(time::Duration::minutes(30));
    assert!(is_over(&service.refresh(&idle).await.unwrap_err()));

    let mut token = service.login(EMAIL, PASSWORD).await.unwrap().refresh_token;
    for _ in 0..28 {
        clock.advance(time::Duration::minutes(25));
        token = service.refresh(&token).await.unwrap().refresh_token;
    }
    // 11 h 40 min old: what it gives now ends with it.
    clock.advance(time::Duration::minutes(12));
    let last = service.refresh(&token).await.unwrap();
    assert_eq!(last.expires_in, 8 * 60);
    clock.advance(time::Duration::minutes(8));
    let refused = service.refresh(&last.refresh_token).await.unwrap_err();
    assert!(is_over(&refused));
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_lost_answer_locks_nobody_out() {
    let (db, service, clock) = founded_in_time().await;
    let first = service.login(EMAIL, PASSWORD).await.unwrap().refresh_token;
    let lost = service.refresh(&first).await.unwrap().refresh_token;
    clock.advance(time::Duration::seconds(29));
    let again = service.refresh(&first).await.unwrap().refresh_token;
    assert_eq!(again, lost);
    service.refresh(&again).await.unwrap();
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn many_turns_at_once_are_one() {
    let (db, service) = founded().await;
    let first = service.login(EMAIL, PASSWORD).await.unwrap().refresh_token;
    let turns = futures::future::join_all((0..8).map(|_| service.refresh(&first))).await;
    let mut next: Vec<String> = turns
        .into_iter()
        .map(|turn| turn.unwrap().refresh_token)
        .collect();
    next.dedup();
    assert_eq!(next.len(), 1);
    service.refresh(&next[0]).await.unwrap();
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_copied_token_ends_the_session_for_both() {
    for (used_by_then, seconds) in [(false, 31), (true, 1)] {
        let (db, service, clock) = founded_in_time().await;
        let stolen = service.login(EMAIL, PASSWORD).await.unwrap().refresh_token;
        let mut kept = service.refresh(&stolen).await.unwrap();
        if used_by_then {
            kept = service.refresh(&kept.refresh_token).await.unwrap();
        }
        clock.advance(time::Duration::seconds(seconds));
        assert!(is_over(&service.refresh(&stolen).await.unwrap_err()));
        let refused = service.refresh(&kept.refresh_token).await.unwrap_err();
        assert!(is_over(&refused));
        eventually("the access token is refused", PROMISED, || async {
            service.get_me(&kept.access_token).await.err()
        })
        .await;
        let mut conn = db.connect().await;
        assert_eq!(because(&mut conn).await.as_deref(), Some("reuse"));
        let told: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM audit_log WHERE action = 'session.reuse_detected'",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(told, 1);
        service.stop().await;
        check_invariants(&db).await;
    }
}

#[tokio::test]
async fn a_made_up_token_is_refused_like_one_that_is_over() {
    let (db, service) = founded().await;
    let login = service.login(EMAIL, PASSWORD).await.unwrap();
    service.logout(&login.refresh_token).await.unwrap();
    let over = service.refresh(&login.refresh_token).await.unwrap_err();
    for made_up in ["", "x", &"y".repeat(43), &"z".repeat(4000)] {
        let refused = service.refresh(made_up).await.unwrap_err();
        assert_eq!(format!("{refused:?}"), format!("{over:?}"));
        service.logout(made_up).await.unwrap();
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_disabled_account_gets_no_turn() {
    let (db, service) = founded().await;
    let token = service.login(EMAIL, PASSWORD).await.unwrap().refresh_token;
    sqlx::query("UPDATE users SET status = 'disabled'")
        .execute(&mut db.connect().await)
        .await
        .unwrap();
    assert!(is_over(&service.refresh(&token).await.unwrap_err()));
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner() {
    let (db, service) = founded().await;
    let here = service.login(EMAIL, PASSWORD).await.unwrap();
    let there = service.login(EMAIL, PASSWORD).await.unwrap();
    let listed = service.list_sessions(&here.access_token, "").await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed.iter().filter(|one| one.current).count(), 1);
    let other = listed.iter().find(|one| !one.current).unwrap();
    assert_eq!(
        (&*other.network, &*other.user_agent),
        ("192.0.2.1", "Testing/1.0")
    );

    for _ in 0..2 {
        service
            .revoke_session(&here.access_token, &other.id)
            .await
            .unwrap();
    }
    assert!(is_over(
        &service.refresh(&there.refresh_token).await.unwrap_err()
    ));
    let left = service.list_sessions(&here.access_token, "").await.unwrap();
    assert_eq!(left.len(), 1);
    let ended: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action = 'session.revoked'")
            .fetch_one(&mut db.connect().await)
            .await
            .unwrap();
    assert_eq!(ended, 1);
    for absent in ["", "x", "0190b6a2-7c1e-7000-8000-000000000009"] {
        let refused = service.revoke_session(&here.access_token, absent).await;
        assert_eq!(refused.unwrap_err().reason, ErrorReason::NotFound);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn every_service_hears_of_a_revocation_within_seconds() {
    let (db, service) = founded().await;
    let tasks = Tasks::new();
    let keys = RemoteKeys::new(service.channel(Peer::Ticket));
    let verifier = Arc::new(Verifier::new(Arc::new(keys), Sources::system()));
    verifier.clone().follow(&tasks);
    let leaving = service.login(EMAIL, PASSWORD).await.unwrap();
    let staying = service.login(EMAIL, PASSWORD).await.unwrap();
    verifier.verify(&leaving.access_token).await.unwrap();
    service.logout(&leaving.refresh_token).await.unwrap();
    eventually("another service refuses the token", PROMISED, || async {
        verifier.verify(&leaving.access_token).await.err()
    })
    .await;
    verifier.verify(&staying.access_token).await.unwrap();
    tasks.finish().await;
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn what_another_process_revokes_is_refused_too() {
    let db = database().await;
    let settings = config(&db.url);
    let (one, other) = (
        Service::start(settings.clone()).await,
        Service::start(settings).await,
    );
    one.setup(one.setup_request()).await.unwrap();
    let login = one.login(EMAIL, PASSWORD).await.unwrap();
    other.get_me(&login.access_token).await.unwrap();
    one.logout(&login.refresh_token).await.unwrap();
    eventually("the other process refuses the token", PROMISED, || async {
        other.get_me(&login.access_token).await.err()
    })
    .await;
    one.stop().await;
    other.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_token_of_an_older_generation_is_refused() {
    let (db, service) = founded().await;
    let before = service.login(EMAIL, PASSWORD).await.unwrap();
    service.get_me(&before.access_token).await.unwrap();
    sqlx::query("UPDATE users SET token_generation = 1, token_generation_at = clock_timestamp()")
        .execute(&mut db.connect().await)
        .await
        .unwrap();
    eventually("the token is refused", PROMISED, || async {
        service.get_me(&before.access_token).await.err()
    })
    .await;
    // The session lives, and what it gives now is of the new generation.
    let after = service.refresh(&before.refresh_token).await.unwrap();
    service.get_me(&after.access_token).await.unwrap();
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn without_a_word_from_user_svc_tokens_are_believed_for_a_minute() {
    let (db, service) = founded().await;
    let (sources, clock) = Sources::for_tests(5);
    clock.set(Sources::system().now());
    let keys = RemoteKeys::new(service.channel(Peer::Payment));
    let verifier = Verifier::new(Arc::new(keys), sources);
    let token = service.login(EMAIL, PASSWORD).await.unwrap().access_token;
    verifier.verify(&token).await.unwrap();
    service.stop().await;
    clock.advance(time::Duration::seconds(59));
    verifier.verify(&token).await.unwrap();
    clock.advance(time::Duration::seconds(2));
    let refused = verifier.verify(&token).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::Unavailable);
    check_invariants(&db).await;
}
