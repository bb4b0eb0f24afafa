use std::{sync::Arc, time::Duration};

use auth::{RemoteKeys, Verifier};
use base::Sources;
use kit::{Code, ErrorReason, Failure, VerifyToken};
use proto::{
    Peer,
    user::{
        ListKeysRequest, LoginRequest, Role, RotateSigningKeyRequest, WatchKeysRequest,
        key_service_client::KeyServiceClient, session_service_client::SessionServiceClient,
    },
};

use sqlx::Connection as _;
use testkit::eventually;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::harness::{
    EMAIL, PASSWORD, PATIENCE, Service, as_admin, check_invariants, config, database, founded, told,
};

/// Looks come each second.
const SILENCE: Duration = Duration::from_millis(1500);

fn verifier(service: &Service, sources: Sources) -> Verifier {
    let keys = RemoteKeys::new(service.channel(Peer::Ticket));
    Verifier::new(Arc::new(keys), sources)
}

#[tokio::test]
async fn another_service_believes_the_token() {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(7);
    let service = Service::start_with(config(&db.url), sources.clone()).await;
    let user = service.setup(service.setup_request()).await.unwrap();
    let token = service.login(EMAIL, PASSWORD).await.unwrap().access_token;
    let verifier = verifier(&service, sources);
    let admin = verifier.verify(&token).await.unwrap();
    assert_eq!(
        (admin.id.to_string(), admin.superadmin),
        (user.id.clone(), true)
    );
    assert_eq!(service.get_me(&token).await.unwrap(), user);

    clock.advance(time::Duration::minutes(11));
    assert_eq!(
        verifier.verify(&token).await.unwrap_err().code,
        Code::Unauthenticated
    );
    let refused = service.get_me(&token).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::Unauthenticated);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn without_user_svc_tokens_cannot_be_judged() {
    let (db, service) = founded().await;
    let token = service.login(EMAIL, PASSWORD).await.unwrap().access_token;
    let verifier = verifier(&service, Sources::system());
    service.stop().await;
    let failure = verifier.verify(&token).await.unwrap_err();
    assert_eq!(
        (failure.code, failure.reason),
        (Code::Unavailable, ErrorReason::Unavailable)
    );
    check_invariants(&db).await;
}

#[tokio::test]
async fn get_me_needs_a_token_of_a_living_account() {
    let (db, service) = founded().await;
    for bad in ["", "nonsense", "a.b.c"] {
        let refused = service.get_me(bad).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::Unauthenticated);
    }
    let token = service.login(EMAIL, PASSWORD).await.unwrap().access_token;
    sqlx::query("UPDATE users SET status = 'disabled'")
        .execute(&mut db.connect().await)
        .await
        .unwrap();
    let refused = service.get_me(&token).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.reason),
        (Code::Unauthenticated, ErrorReason::Unauthenticated)
    );
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn strangers_and_wrong_members_are_refused() {
    let (db, service) = founded().await;
    let login = || LoginRequest {
        email: EMAIL.to_owned(),
        password: PASSWORD.to_owned(),
        ..LoginRequest::default()
    };
    let endpoint = tonic::transport::Endpoint::from_shared(service.url.clone()).unwrap();
    let mut stranger = SessionServiceClient::new(endpoint.connect_lazy());
    let mut notify = SessionServiceClient::new(service.channel(Peer::Notify));
    let mut keys = KeyServiceClient::new(endpoint.connect_lazy());
    for status in [
        stranger.login(login()).await.unwrap_err(),
        notify.login(login()).await.unwrap_err(),
        keys.list_keys(ListKeysRequest {}).await.unwrap_err(),
    ] {
        let refused = Failure::from_status(&status);
        assert_eq!(refused.code, Code::PermissionDenied);
        assert_eq!(refused.reason, ErrorReason::CallerNotAllowed);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn replicas_that_start_together_sign_with_one_key() {
    let db = database().await;
    let config = config(&db.url);
    let starts = (0..3).map(|_| Service::start(config.clone()));
    let services = futures::future::join_all(starts).await;
    services[0]
        .setup(services[0].setup_request())
        .await
        .unwrap();
    for issuer in &services {
        let token = issuer.login(EMAIL, PASSWORD).await.unwrap().access_token;
        for other in &services {
            other.get_me(&token).await.unwrap();
        }
    }
    for service in services {
        service.stop().await;
    }
    check_invariants(&db).await;
}

#[tokio::test]
async fn the_key_outlives_a_restart_and_opens_with_its_seal_only() {
    let (db, service) = founded().await;
    let token = service.login(EMAIL, PASSWORD).await.unwrap().access_token;
    let settings = service.config.clone();
    service.stop().await;

    let mut other_seal = settings.clone();
    other_seal.signing_seal_key = testkit::keys::random_text(32).parse().unwrap();
    let (bind, _) = kit::Bind::loopback().await.unwrap();
    let refused = user_svc::build(&other_seal, bind, Sources::system())
        .await
        .err()
        .unwrap();
    assert!(
        refused.to_string().contains("SIGNING_SEAL_KEY"),
        "{refused}"
    );

    let service = Service::start(settings).await;
    service.get_me(&token).await.unwrap();
    service.stop().await;
    check_invariants(&db).await;
}

async fn rotate(service: &Service, token: &str, revoke_previous: bool) -> Result<String, Failure> {
    let request = RotateSigningKeyRequest { revoke_previous };
    let answer = service
        .accounts()
        .rotate_signing_key(as_admin(token, request))
        .await;
    told(answer).map(|answer| answer.key_id)
}

/// The keys that verify tokens, the current one first.
async fn listed(service: &Service) -> Vec<String> {
    let mut keys = KeyServiceClient::new(service.channel(Peer::Ticket));
    let listed = told(keys.list_keys(ListKeysRequest {}).await).unwrap();
    listed.keys.into_iter().map(|key| key.key_id).collect()
}

/// `kid` of a token.
fn key_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_replaced_while_everybody_works() {
    let db = database().await;
    let settings = config(&db.url);
    let (one, other) = (
        Service::start(settings.clone()).await,
        Service::start(settings).await,
    );
    one.setup(one.setup_request()).await.unwrap();
    let before = one.token(EMAIL, PASSWORD).await;
    let key_id = rotate(&one, &before, false).await.unwrap();
    // Another service that meets the new key asks whichever process, and hears of it at once.
    assert_eq!(listed(&other).await[0], key_id);
    let after = one.token(EMAIL, PASSWORD).await;
    assert_eq!(key_of(&after), key_id);
    assert_ne!(key_of(&before), key_id);
    for token in [&before, &after] {
        one.get_me(token).await.unwrap();
        eventually("the other process knows the key", PATIENCE, || async {
            other.get_me(token).await.ok()
        })
        .await;
    }
    eventually("the other process signs with it", PATIENCE, || async {
        (key_of(&other.token(EMAIL, PASSWORD).await) == key_id).then_some(())
    })
    .await;
    one.stop().await;
    other.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_revoked_key_takes_its_tokens_with_it() {
    let (db, service) = founded().await;
    let before = service.login(EMAIL, PASSWORD).await.unwrap();
    rotate(&service, &before.access_token, true).await.unwrap();
    service.refuses_soon(&before.access_token).await;
    let after = service.refresh(&before.refresh_token).await.unwrap();
    service.get_me(&after.access_token).await.unwrap();
    service.admin(&db, "grace@example.org", Role::Admin).await;
    let hers = service.token("grace@example.org", PASSWORD).await;
    let refused = rotate(&service, &hers, true).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::PermissionDenied);
    service.stop().await;
    check_invariants(&db).await;
}

/// The service of the tests has four connections, and looks each second by itself.
#[tokio::test]
async fn many_who_ask_for_the_keys_at_once_take_one_place_at_the_database() {
    let (db, service) = founded().await;
    let mut conn = db.connect().await;
    let mut held = conn.begin().await.unwrap();
    // Each look reads it, and signing in does not.
    let lock = sqlx::raw_sql("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE");
    lock.execute(&mut *held).await.unwrap();
    let asking = futures::future::join_all((0..20).map(|_| listed(&service)));
    let meanwhile = async {
        eventually("a look waits", PATIENCE, || async {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut db.connect().await)
            .await
            .unwrap();
            (waiting >= 2).then_some(())
        })
        .await;
        service.login(EMAIL, PASSWORD).await.unwrap();
        held.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(asking, meanwhile);
    for keys in answers {
        assert_eq!(keys.len(), 1);
    }
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn what_was_seen_before_is_not_told_as_if_it_were_now() {
    let (db, service) = founded().await;
    let watch = async || {
        let mut keys = KeyServiceClient::new(service.channel(Peer::Gateway));
        let told = keys.watch_keys(WatchKeysRequest {}).await;
        told.unwrap().into_inner()
    };
    assert!(watch().await.message().await.unwrap().is_some());
    let rename = async |statement: &'static str| {
        let mut conn = db.connect().await;
        sqlx::query(statement).execute(&mut conn).await.unwrap();
    };
    rename("ALTER TABLE api_keys RENAME TO away").await;
    eventually("nothing is told", PATIENCE, || async {
        let mut told = watch().await;
        let told = tokio::time::timeout(SILENCE, told.message()).await;
        told.is_err().then_some(())
    })
    .await;
    let mut told = watch().await;
    rename("ALTER TABLE away RENAME TO api_keys").await;
    assert!(told.message().await.unwrap().is_some());
    service.stop().await;
    check_invariants(&db).await;
}
