//! Sessions: how long they live, how they turn, how they end, and how fast everybody hears of it.

use std::{sync::Arc, time::Instant};

use auth::{RemoteKeys, Verifier};
use base::{ManualClock, Sources};
use kit::{ErrorReason, Failure, Tasks, VerifyToken};
use proto::{Peer, user::ChangePasswordRequest};
use sqlx::{Connection as _, PgConnection};
use testkit::{TestDb, eventually, on_time};

use crate::harness::{
    EMAIL, PASSWORD, PATIENCE, PROMISED, Service, as_admin, check_invariants, config, database,
    founded, told,
};

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
    assert_eq!(db.tables_with(&token).await, [""; 0]);
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
        service.refuses_soon(&kept.access_token).await;
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
    assert!(is_over(&over));
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
async fn each_end_is_on_record() {
    let (db, service) = founded().await;
    let own = service.login(EMAIL, PASSWORD).await.unwrap();
    service.logout(&own.refresh_token).await.unwrap();
    let here = service.login(EMAIL, PASSWORD).await.unwrap();
    for _ in 0..2 {
        service.login(EMAIL, PASSWORD).await.unwrap();
    }
    let change = ChangePasswordRequest {
        current_password: PASSWORD.to_owned(),
        new_password: "another horse battery".to_owned(),
        ..ChangePasswordRequest::default()
    };
    let change = as_admin(&here.access_token, change);
    told(service.sessions().change_password(change).await).unwrap();
    let ended: Vec<(String, String)> = sqlx::query_as(
        "SELECT action, after->>'because' FROM audit_log a JOIN sessions s ON s.id = a.object_id
         WHERE action <> 'session.opened' AND a.actor_id = s.user_id
           AND after->>'because' = revoked_because ORDER BY a.at, a.id",
    )
    .fetch_all(&mut db.connect().await)
    .await
    .unwrap();
    let line = |action: &str, because: &str| (action.to_owned(), because.to_owned());
    let by_password = line("session.revoked", "password");
    assert_eq!(
        ended,
        [
            line("session.closed", "logout"),
            by_password.clone(),
            by_password
        ]
    );
    service.stop().await;
    check_invariants(&db).await;
}

/// Whoever ends sessions of an account has locked it, and goes on to its sessions.
#[tokio::test]
async fn a_turn_waits_for_the_account_before_it_touches_the_session() {
    let (db, service) = founded().await;
    let token = service.login(EMAIL, PASSWORD).await.unwrap().refresh_token;
    let mut held = db.connect().await;
    let mut tx = held.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM users FOR NO KEY UPDATE");
    lock.execute(&mut *tx).await.unwrap();
    let meanwhile = async {
        eventually("the turn waits", PATIENCE, || async {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut db.connect().await)
            .await
            .unwrap();
            (waiting > 0).then_some(())
        })
        .await;
        let free = sqlx::query("SELECT FROM sessions FOR UPDATE NOWAIT");
        let free = free.execute(&mut *tx).await;
        tx.rollback().await.unwrap();
        free.unwrap();
    };
    let (turn, ()) = tokio::join!(service.refresh(&token), meanwhile);
    turn.unwrap();
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
    let staying = service.login(EMAIL, PASSWORD).await.unwrap();
    on_time("a revocation is heard of", PROMISED, 1, async || {
        let leaving = service.login(EMAIL, PASSWORD).await.unwrap();
        verifier.verify(&leaving.access_token).await.unwrap();
        service.logout(&leaving.refresh_token).await.unwrap();
        let begun = Instant::now();
        eventually("another service refuses the token", PATIENCE, || async {
            let refused = verifier.verify(&leaving.access_token).await.err()?;
            assert_eq!(refused.reason, ErrorReason::Unauthenticated);
            Some(())
        })
        .await;
        begun.elapsed()
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
    on_time("a revocation is heard of", PROMISED, 1, async || {
        let login = one.login(EMAIL, PASSWORD).await.unwrap();
        other.get_me(&login.access_token).await.unwrap();
        one.logout(&login.refresh_token).await.unwrap();
        let begun = Instant::now();
        other.refuses_soon(&login.access_token).await;
        begun.elapsed()
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
    service.refuses_soon(&before.access_token).await;
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
