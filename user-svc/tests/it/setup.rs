use kit::{Certainty, Code, ErrorReason};
use proto::user::{Role, SetupFirstAdminRequest};
use user_svc::setup_is_open;

use crate::harness::{EMAIL, PASSWORD, Service, check_invariants, config, database};

#[tokio::test]
async fn the_token_makes_one_superadmin() {
    let db = database().await;
    let service = Service::start(config(&db.url)).await;
    assert!(setup_is_open(&db.url).await.unwrap());
    let user = service.setup(service.setup_request()).await.unwrap();
    assert_eq!(
        (user.email.as_str(), user.role()),
        ("Ada@example.org", Role::Superadmin)
    );
    assert!(!setup_is_open(&db.url).await.unwrap());

    let mut again = service.setup_request();
    again.email = "eve@example.org".to_owned();
    for request in [again, service.setup_request()] {
        let refused = service.setup(request).await.unwrap_err();
        assert_eq!(refused.code, Code::FailedPrecondition);
        assert_eq!(refused.reason, ErrorReason::SetupNotAvailable);
        assert_eq!(refused.certainty, Certainty::NotDone);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn another_token_makes_nothing() {
    let db = database().await;
    let service = Service::start(config(&db.url)).await;
    let right = service.setup_request().setup_token;
    for wrong in [
        String::new(),
        "x".repeat(43),
        right[..42].to_owned(),
        format!("{right} "),
    ] {
        let request = SetupFirstAdminRequest {
            setup_token: wrong,
            ..service.setup_request()
        };
        let refused = service.setup(request).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    }
    assert!(setup_is_open(&db.url).await.unwrap());
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn without_a_token_setup_is_closed() {
    let db = database().await;
    let mut config = config(&db.url);
    config.setup_token = None;
    let service = Service::start(config).await;
    let request = SetupFirstAdminRequest {
        setup_token: String::new(),
        email: EMAIL.to_owned(),
        password: PASSWORD.to_owned(),
    };
    let refused = service.setup(request).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::SetupNotAvailable);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let db = database().await;
    let service = Service::start(config(&db.url)).await;
    let short = "elevenchars".to_owned();
    for (email, password, fields) in [
        ("no address", PASSWORD.to_owned(), vec!["email"]),
        ("a\0@example.org", short.clone(), vec!["email", "password"]),
        (EMAIL, short, vec!["password"]),
        (EMAIL, "x".repeat(257), vec!["password"]),
    ] {
        let email = email.to_owned();
        let request = SetupFirstAdminRequest {
            email,
            password,
            ..service.setup_request()
        };
        let refused = service.setup(request).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidRequest);
        let named: Vec<&str> = refused
            .fields
            .iter()
            .map(|field| field.field.as_str())
            .collect();
        assert_eq!(named, fields);
    }
    assert!(setup_is_open(&db.url).await.unwrap());
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn of_racing_setups_exactly_one_wins() {
    let db = database().await;
    let one = Service::start(config(&db.url)).await;
    let two = Service::start(one.config.clone()).await;
    // As many as may wait for a hash on each.
    let calls = (0..6).map(|n| {
        let service = if n % 2 == 0 { &one } else { &two };
        let mut request = service.setup_request();
        request.email = format!("admin-{n}@example.org");
        service.setup(request)
    });
    let answers = futures::future::join_all(calls).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost.into_iter().map(Result::unwrap_err) {
        assert_eq!(refused.reason, ErrorReason::SetupNotAvailable);
    }
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap();
    assert_eq!(users, 1);
    one.stop().await;
    two.stop().await;
    check_invariants(&db).await;
}

/// The race again, where the rows really meet: the loser inserts while the winner's transaction is
/// open, and waits for it.
#[tokio::test]
async fn a_setup_waits_for_the_one_before_it() {
    let db = database().await;
    let service = Service::start(config(&db.url)).await;
    let pool = db.pool().await;
    let mut winner = pool.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO users (id, email, email_key, password_hash, pepper_key_id, role, founder, created_at)
         VALUES (gen_random_uuid(), 'w@example.org', 'w@example.org', '', 'k1', 'superadmin', true, now())",
    )
    .execute(&mut *winner)
    .await
    .unwrap();
    let loser = service.setup(service.setup_request());
    let commit = async {
        testkit::eventually(
            "the loser waits",
            std::time::Duration::from_secs(60),
            || async {
                let waiting: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
                )
                .fetch_one(&pool)
                .await
                .unwrap();
                (waiting == 1).then_some(())
            },
        )
        .await;
        winner.commit().await.unwrap();
    };
    let (refused, ()) = tokio::join!(loser, commit);
    assert_eq!(refused.unwrap_err().reason, ErrorReason::SetupNotAvailable);
    service.stop().await;
}
