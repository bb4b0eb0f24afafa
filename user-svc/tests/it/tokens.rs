use std::sync::Arc;

use auth::{RemoteKeys, Verifier};
use base::Sources;
use kit::{Code, ErrorReason, Failure, VerifyToken};
use proto::{
    Peer,
    user::{
        ListKeysRequest, LoginRequest, key_service_client::KeyServiceClient,
        session_service_client::SessionServiceClient,
    },
};

use crate::harness::{EMAIL, PASSWORD, Service, check_invariants, config, database, founded};

fn verifier(service: &Service, sources: Sources) -> Verifier {
    let identity = service.mesh().identity(Peer::Ticket);
    Verifier::new(
        Arc::new(RemoteKeys::new(&service.url, identity).unwrap()),
        sources,
    )
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
