//! Wrong passwords slow down the next one, and strangers shut nobody out.

use std::time::Duration;

use base::{ManualClock, Sources};
use kit::{ErrorReason, Failure};
use proto::user::{RequestPasswordResetRequest, ResetPasswordRequest};
use testkit::TestDb;

use crate::harness::{EMAIL, PASSWORD, Service, check_invariants, config, database, told};

const HOME: &str = "192.0.2.1";
const ABROAD: &str = "198.51.100.7";
const STRANGER: &str = "203.0.113.9";
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
    assert_eq!(exhaust(&service, STRANGER, EMAIL).await.0, 11);
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
    let known = exhaust(&service, STRANGER, EMAIL).await;
    let unknown = exhaust(&service, ABROAD, "nobody@example.org").await;
    assert_eq!(known, unknown);
    let plain: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM failed_logins f, known_networks k
         WHERE f::text || k::text LIKE '%example%' OR f::text || k::text LIKE '%203.0%'",
    )
    .fetch_one(&mut db.connect().await)
    .await
    .unwrap();
    assert_eq!(plain, 0);
    service.stop().await;
    check_invariants(&db).await;
}
