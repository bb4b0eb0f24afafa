use kit::{Code, ErrorReason};
use proto::user::{ChangePasswordRequest, Role};

use testkit::eventually;
use user_svc::Config;

use crate::harness::{
    EMAIL, PASSWORD, PATIENCE, Service, as_admin, check_invariants, config, database, founded, told,
};

#[tokio::test]
async fn a_login_opens_a_session() {
    let (db, service) = founded().await;
    for email in [EMAIL, "ada@example.org", "ADA@EXAMPLE.ORG"] {
        let answer = service.login(email, PASSWORD).await.unwrap();
        assert_eq!((answer.expires_in, answer.refresh_token.len()), (600, 43));
        assert_eq!(answer.user.unwrap().role(), Role::Superadmin);
        let (hours, user_matches): (f64, bool) = sqlx::query_as(
            "SELECT extract(epoch FROM expires_at - created_at)::float8 / 3600,
                    user_id = (SELECT id FROM users)
             FROM sessions JOIN refresh_tokens t ON t.session_id = sessions.id
             WHERE t.token_hash = sha256(convert_to($1, 'UTF8'))",
        )
        .bind(&answer.refresh_token)
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap();
        assert!((hours - 12.0).abs() < f64::EPSILON && user_matches);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_letter_is_the_same_however_a_keyboard_writes_it() {
    let (db, service) = founded().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let composed = "große Brücke über die Moldau";
    let decomposed = "große Bru\u{308}cke u\u{308}ber die Moldau";
    assert_ne!(composed, decomposed);
    for (email, set, typed) in [
        ("grace@example.org", composed, decomposed),
        ("eve@example.org", decomposed, composed),
    ] {
        let who = (email, Role::Admin);
        service.create(&founder, who, set).await.unwrap();
        for password in [typed, set] {
            service.login(email, password).await.unwrap();
        }
        let plain = "grosse Brucke uber die Moldau";
        let refused = service.login(email, plain).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
        // What proves the owner is read in the same way.
        let token = service.token(email, typed).await;
        let change = ChangePasswordRequest {
            current_password: typed.to_owned(),
            new_password: PASSWORD.to_owned(),
            network: String::new(),
        };
        let request = as_admin(&token, change);
        told(service.sessions().change_password(request).await).unwrap();
        service.login(email, PASSWORD).await.unwrap();
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn wrong_unknown_and_disabled_get_one_answer() {
    let (db, service) = founded().await;
    sqlx::query(
        "INSERT INTO users (id, email, email_key, password_hash, pepper_key_id, role, status, created_at)
         SELECT gen_random_uuid(), 'gone@example.org', 'gone@example.org', password_hash,
                pepper_key_id, 'admin', 'disabled', created_at FROM users",
    )
    .execute(&mut db.connect().await)
    .await
    .unwrap();
    let mut answers = Vec::new();
    for (email, password) in [
        (EMAIL, "correct horse batterY"),
        (EMAIL, "x"),
        (EMAIL, "correct horse battery\0"),
        ("nobody@example.org", PASSWORD),
        ("gone@example.org", PASSWORD),
    ] {
        let refused = service.login(email, password).await.unwrap_err();
        assert_eq!(refused.code, Code::Unauthenticated);
        assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
        answers.push(format!("{refused:?}"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    let sessions: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions")
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap();
    assert_eq!(sessions, 0);
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_address_is_a_bad_request() {
    let (db, service) = founded().await;
    for (email, password) in [("nobody", PASSWORD), (EMAIL, ""), (EMAIL, &"x".repeat(257))] {
        let refused = service.login(email, password).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::InvalidRequest);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn guests_who_hang_up_harm_nobody() {
    let (db, service) = founded().await;
    for n in 0..50 {
        let hasty = service.login(EMAIL, PASSWORD);
        let patience = std::time::Duration::from_micros(n * 200);
        let _hung_up = tokio::time::timeout(patience, hasty).await;
    }
    // The last ones may still be at work, where they count until they turn out right. None of them was a mistake: fifty
    // would mean a wait of hours.
    eventually("who stays gets in", PATIENCE, || async {
        match service.login(EMAIL, PASSWORD).await {
            Ok(open) => Some(open),
            Err(refused) => {
                let wait = refused.retry_after.unwrap_or_default();
                assert!(wait <= std::time::Duration::from_secs(2), "{refused:?}");
                None
            }
        }
    })
    .await;
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_password_is_hashed_anew_when_hashes_are_made_otherwise() {
    let db = database().await;
    let before = config(&db.url);
    let service = Service::start(before.clone()).await;
    service.setup(service.setup_request()).await.unwrap();
    service.stop().await;
    let stored = async || {
        let hash: String = sqlx::query_scalar("SELECT left(password_hash, 7) FROM users")
            .fetch_one(&mut db.connect().await)
            .await
            .unwrap();
        hash
    };
    let service = Service::start(Config {
        bcrypt_cost: 5,
        ..before
    })
    .await;
    let wrong = service.login(EMAIL, "not this one, surely").await;
    assert_eq!(wrong.unwrap_err().reason, ErrorReason::InvalidCredentials);
    assert_eq!(stored().await, "$2b$04$");
    let open = service.login(EMAIL, PASSWORD).await.unwrap();
    assert_eq!(stored().await, "$2b$05$");
    service.get_me(&open.access_token).await.unwrap();
    service.login(EMAIL, PASSWORD).await.unwrap();
    service.stop().await;
    check_invariants(&db).await;
}
