//! Wrong passwords slow down the next one, and strangers shut nobody out.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use base::{ManualClock, Sources};
use kit::{ErrorReason, Failure};
use proto::{
    Peer,
    user::{
        LoginRequest, RequestPasswordResetRequest, ResetPasswordRequest,
        session_service_client::SessionServiceClient,
    },
};
use testkit::TestDb;

use crate::harness::{EMAIL, PASSWORD, Service, check_invariants, config, database, told};

const HOME: &str = "192.0.2.1";
const ABROAD: &str = "198.51.100.7";
const STRANGER: &str = "203.0.113.9";
const AT_ONCE: usize = 40;
const NEW_PASSWORD: &str = "another horse battery";

async fn started() -> (TestDb, Service, ManualClock) {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(4);
    let service = Service::start_with(config(&db.url), sources).await;
    service.setup(service.setup_request()).await.unwrap();
    (db, service, clock)
}

async fn wrong(service: &Service, network: &str, email: &str) -> Failure {
    let refused = service
        .login_from(network, email, "not this one, surely")
        .await;
    refused.unwrap_err()
}

/// Tries until it is made to wait: how often that was, and for how long.
async fn exhaust(service: &Service, network: &str, email: &str) -> (usize, Duration) {
    for tries in 0..60 {
        let refused = wrong(service, network, email).await;
        if refused.reason == ErrorReason::TooManyRequests {
            return (tries, refused.retry_after.unwrap());
        }
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    panic!("nobody was made to wait");
}

#[tokio::test]
async fn each_mistake_makes_the_next_one_wait_longer() {
    let (db, service, clock) = started().await;
    service.login_from(HOME, EMAIL, PASSWORD).await.unwrap();
    assert_eq!(
        exhaust(&service, HOME, EMAIL).await,
        (6, Duration::from_secs(1))
    );
    for seconds in [1, 2, 4, 8, 16, 32] {
        clock.advance(time::Duration::seconds(seconds));
        let refused = wrong(&service, HOME, EMAIL).await;
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    // Also the right one waits, and not longer than a minute.
    let early = service.login_from(HOME, EMAIL, PASSWORD).await.unwrap_err();
    assert_eq!(early.retry_after, Some(Duration::from_secs(60)));
    clock.advance(time::Duration::seconds(60));
    service.login_from(HOME, EMAIL, PASSWORD).await.unwrap();
    assert_eq!(exhaust(&service, HOME, EMAIL).await.0, 6);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn strangers_do_not_shut_the_owner_out() {
    let (db, service, clock) = started().await;
    service.login_from(HOME, EMAIL, PASSWORD).await.unwrap();
    assert_eq!(exhaust(&service, STRANGER, EMAIL).await.0, 6);
    // From anywhere else, too: many networks are cheap.
    let abroad = wrong(&service, ABROAD, EMAIL).await;
    assert_eq!(abroad.reason, ErrorReason::TooManyRequests);
    service.login_from(HOME, EMAIL, PASSWORD).await.unwrap();

    // Whoever is abroad while strangers try has a way in by mail.
    let ask = RequestPasswordResetRequest {
        email: EMAIL.to_owned(),
        locale: String::new(),
        network: ABROAD.to_owned(),
    };
    told(service.registration().request_password_reset(ask).await).unwrap();
    let reset = ResetPasswordRequest {
        token: service.mailed(&db, EMAIL).await.pop().unwrap(),
        password: NEW_PASSWORD.to_owned(),
        network: ABROAD.to_owned(),
    };
    told(service.registration().reset_password(reset).await).unwrap();
    service
        .login_from(ABROAD, EMAIL, NEW_PASSWORD)
        .await
        .unwrap();
    // It is never longer than a quarter of an hour.
    for _ in 0..20 {
        clock.advance(time::Duration::minutes(15));
        let refused = wrong(&service, STRANGER, EMAIL).await;
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn one_network_cannot_try_every_account() {
    let (db, service, clock) = started().await;
    for number in 0..21 {
        let email = format!("somebody-{number}@example.org");
        let refused = wrong(&service, STRANGER, &email).await;
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    let refused = wrong(&service, STRANGER, "another@example.org").await;
    assert_eq!(refused.reason, ErrorReason::TooManyRequests);
    assert_eq!(
        wrong(&service, ABROAD, "another@example.org").await.reason,
        ErrorReason::InvalidCredentials
    );
    clock.advance(time::Duration::hours(25));
    for _ in 0..3 {
        let refused = wrong(&service, STRANGER, "another@example.org").await;
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn an_unknown_address_waits_like_a_known_one() {
    let (db, service, _clock) = started().await;
    service.login_from(HOME, EMAIL, PASSWORD).await.unwrap();
    let known = exhaust(&service, STRANGER, EMAIL).await;
    let unknown = exhaust(&service, ABROAD, "nobody@example.org").await;
    // Not even in the network of its owner, whom others may share it with.
    let at_home = exhaust(&service, HOME, EMAIL).await;
    assert_eq!((known, at_home), (unknown, unknown));
    for said in ["nobody@example.org", STRANGER, ABROAD] {
        assert_eq!(db.tables_with(said).await, [""; 0]);
    }
    service.stop().await;
    check_invariants(&db).await;
}

/// Of so many tries at once the password is looked at this often. Who met a crowd comes again.
///
/// A try that failed because the service could not serve it is given back, but the wait that a later one has
/// begun meanwhile stays: then one fewer is looked at for each of them, and never more.
async fn assert_looked_at(service: &Service, network: &str, email: &str, expected: usize) {
    let unserved = AtomicUsize::new(0);
    let request = LoginRequest {
        email: email.to_owned(),
        password: "not this one, surely".to_owned(),
        network: network.to_owned(),
        user_agent: "Testing/1.0".to_owned(),
        code: String::new(),
    };
    let request = &request;
    let tries = (0..AT_ONCE).map(async |_| {
        loop {
            // Not a patient caller, who would not tell that it was not served.
            let mut client = SessionServiceClient::new(service.channel(Peer::Gateway));
            let refused = told(client.login(request.clone()).await).unwrap_err();
            match refused.reason {
                ErrorReason::InvalidCredentials => return true,
                ErrorReason::TooManyRequests if refused.detail.contains("tried too often") => {
                    return false;
                }
                ErrorReason::TooManyRequests => {}
                ErrorReason::Overloaded => {
                    unserved.fetch_add(1, Ordering::Relaxed);
                }
                other => panic!("{other:?}"),
            }
            // Sleeps: who comes again leaves the one thread to those who are being served.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let answers = futures::future::join_all(tries).await;
    let looked_at = answers.into_iter().filter(|tried| *tried).count();
    let fewest = expected.saturating_sub(unserved.into_inner());
    assert!(
        (fewest..=expected).contains(&looked_at),
        "{looked_at} for {fewest} to {expected}"
    );
}

#[tokio::test]
async fn of_many_at_once_only_the_free_ones_are_looked_at() {
    let (db, service, clock) = started().await;
    service.login_from(HOME, EMAIL, PASSWORD).await.unwrap();
    assert_looked_at(&service, HOME, EMAIL, 6).await;
    assert_looked_at(&service, STRANGER, EMAIL, 6).await;
    assert_looked_at(&service, STRANGER, "nobody@example.org", 6).await;
    // Afterwards one at a time, however many come.
    clock.advance(time::Duration::seconds(1));
    assert_looked_at(&service, HOME, EMAIL, 1).await;
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn what_was_right_or_failed_for_us_is_no_mistake() {
    let (db, service, _clock) = started().await;
    // Right ones from where nobody knows the account.
    for number in 0..30 {
        sqlx::query("DELETE FROM known_networks")
            .execute(&mut db.connect().await)
            .await
            .unwrap();
        let right = service.login_from(ABROAD, EMAIL, PASSWORD).await;
        assert!(right.is_ok(), "{number}: {right:?}");
    }
    let rename = async |statement: &'static str| {
        let mut conn = db.connect().await;
        sqlx::query(statement).execute(&mut conn).await.unwrap();
    };
    rename("DELETE FROM known_networks").await;
    rename("ALTER TABLE second_factors RENAME TO away").await;
    for _ in 0..10 {
        let failed = service.login_from(ABROAD, EMAIL, PASSWORD).await;
        assert_eq!(failed.unwrap_err().reason, ErrorReason::Internal);
    }
    rename("ALTER TABLE away RENAME TO second_factors").await;
    assert_eq!(exhaust(&service, ABROAD, EMAIL).await.0, 6);
    service.stop().await;
    check_invariants(&db).await;
}
