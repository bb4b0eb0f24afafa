//! Keys with which programs act for an account.

use auth::{RemoteKeys, Verifier};
use base::{ManualClock, Sources};
use kit::{ErrorReason, Failure, VerifyToken as _};
use proto::{
    Peer, Scopes, policy,
    user::{
        AccountStatus, ApiKey, CreateApiKeyRequest, CreateApiKeyResponse, ExchangeApiKeyRequest,
        ExchangeApiKeyResponse, ListApiKeysRequest, RevokeApiKeyRequest, Role,
        UpdateAccountRequest, api_key_service_client::ApiKeyServiceClient,
    },
};
use testkit::{TestDb, eventually};

use crate::harness::{
    Channel, EMAIL, PASSWORD, PATIENCE, Service, as_admin, check_invariants, config, database,
    on_record, told,
};

const GRACE: &str = "grace@example.org";

async fn world() -> (TestDb, Service, Sources, ManualClock) {
    let db = database().await;
    let (sources, clock) = Sources::for_tests(8);
    let service = Service::start_with(config(&db.url), sources.clone()).await;
    service.setup(service.setup_request()).await.unwrap();
    (db, service, sources, clock)
}

fn keys(service: &Service) -> ApiKeyServiceClient<Channel> {
    ApiKeyServiceClient::new(service.caller(Peer::Gateway))
}

fn wish(scopes: &[&str]) -> CreateApiKeyRequest {
    CreateApiKeyRequest {
        name: "Till at the door".to_owned(),
        scopes: scopes.iter().map(|word| (*word).to_owned()).collect(),
        days: 30,
        password: PASSWORD.to_owned(),
        network: String::new(),
    }
}

async fn create(
    service: &Service,
    token: &str,
    request: CreateApiKeyRequest,
) -> Result<CreateApiKeyResponse, Failure> {
    told(keys(service).create_api_key(as_admin(token, request)).await)
}

async fn exchange(service: &Service, secret: &str) -> Result<ExchangeApiKeyResponse, Failure> {
    let request = ExchangeApiKeyRequest {
        secret: secret.to_owned(),
        network: "192.0.2.7".to_owned(),
    };
    told(keys(service).exchange_api_key(request).await)
}

async fn list(service: &Service, token: &str, of: &str) -> Result<Vec<ApiKey>, Failure> {
    let request = ListApiKeysRequest {
        user_id: of.to_owned(),
    };
    told(keys(service).list_api_keys(as_admin(token, request)).await).map(|told| told.keys)
}

async fn revoke(service: &Service, token: &str, id: &str) -> Result<(), Failure> {
    let request = RevokeApiKeyRequest {
        key_id: id.to_owned(),
    };
    told(keys(service).revoke_api_key(as_admin(token, request)).await).map(drop)
}

#[tokio::test]
async fn a_key_is_exchanged_for_tokens_of_its_scopes() {
    let (db, service, sources, _clock) = world().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let made = create(&service, &founder, wish(&["orders:read"]))
        .await
        .unwrap();
    assert!(made.secret.starts_with("boxkey_"));
    let token = exchange(&service, &made.secret).await.unwrap();
    assert_eq!(
        (token.expires_in, token.scope.as_str()),
        (600, "orders:read")
    );
    let verifier = Verifier::new(
        std::sync::Arc::new(RemoteKeys::new(service.channel(Peer::Payment))),
        sources,
    );
    let admin = verifier.verify(&token.access_token).await.unwrap();
    assert!(admin.superadmin);
    assert_eq!(admin.scopes, Scopes::of_words("orders:read"));
    let refund = policy("/boxoffice.payment.v1.RefundAdminService/RefundOrder").unwrap();
    assert!(!admin.scopes.allow(refund));

    // No key reaches accounts, and none makes another.
    let refused = [
        service.get_me(&token.access_token).await.unwrap_err(),
        list(&service, &token.access_token, "").await.unwrap_err(),
        create(&service, &token.access_token, wish(&["orders:write"]))
            .await
            .unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(refused.reason, ErrorReason::PermissionDenied);
    }
    let listed = list(&service, &founder, "").await.unwrap();
    assert_eq!(
        (listed[0].name.as_str(), listed[0].last_network.as_str()),
        ("Till at the door", "192.0.2.7")
    );
    assert!(listed[0].last_used_at.is_some());
    assert_eq!(db.tables_with(&made.secret).await, [""; 0]);
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_bad_wish_makes_no_key() {
    let (db, service, _sources, _clock) = world().await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let good = || wish(&["orders:read"]);
    for (request, field) in [
        (
            CreateApiKeyRequest {
                name: String::new(),
                ..good()
            },
            "name",
        ),
        (CreateApiKeyRequest { days: 0, ..good() }, "days"),
        (
            CreateApiKeyRequest {
                days: 367,
                ..good()
            },
            "days",
        ),
        (wish(&[]), "scopes"),
        (wish(&["accounts:write"]), "scopes"),
        (wish(&["orders:read", "orders"]), "scopes"),
    ] {
        let refused = create(&service, &founder, request).await.unwrap_err();
        assert_eq!(refused.fields[0].field, field);
    }
    let password = "not this one, surely".to_owned();
    let refused = create(
        &service,
        &founder,
        CreateApiKeyRequest { password, ..good() },
    )
    .await;
    assert_eq!(refused.unwrap_err().reason, ErrorReason::InvalidCredentials);
    assert!(list(&service, &founder, "").await.unwrap().is_empty());
    service.stop().await;
    check_invariants(&db).await;
}

#[tokio::test]
async fn a_key_ends_by_hand() {
    let (db, service, _sources, _clock) = world().await;
    service.admin(&db, GRACE, Role::Admin).await;
    let hers = service.token(GRACE, PASSWORD).await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let founders = create(&service, &founder, wish(&["orders:read"]))
        .await
        .unwrap();
    let key = founders.key.unwrap();
    for absent in [key.id.as_str(), "", "0190b6a2-7c1e-7000-8000-000000000009"] {
        let refused = revoke(&service, &hers, absent).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::NotFound);
    }
    let token = exchange(&service, &founders.secret)
        .await
        .unwrap()
        .access_token;
    for _ in 0..2 {
        revoke(&service, &founder, &key.id).await.unwrap();
    }
    let dead = exchange(&service, &founders.secret).await.unwrap_err();
    assert_eq!(dead.reason, ErrorReason::InvalidCredentials);
    let made_up = exchange(&service, "boxkey_x").await.unwrap_err();
    assert_eq!(format!("{dead:?}"), format!("{made_up:?}"));
    eventually("the token of a dead key is refused", PATIENCE, || async {
        let refused = service.get_me(&token).await.unwrap_err();
        (refused.reason == ErrorReason::Unauthenticated).then_some(())
    })
    .await;
    assert_eq!(recorded(&db).await, 2);
    service.stop().await;
    check_invariants(&db).await;
}

/// Lines of the record about keys.
async fn recorded(db: &TestDb) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE object_kind = 'api_key'")
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_key_ends_by_time_and_with_its_account() {
    let (db, service, _sources, clock) = world().await;
    let grace = service.admin(&db, GRACE, Role::Admin).await;
    let hers = service.token(GRACE, PASSWORD).await;
    let founder = service.token(EMAIL, PASSWORD).await;
    let short = create(
        &service,
        &hers,
        CreateApiKeyRequest {
            days: 1,
            ..wish(&["events:write"])
        },
    );
    let short = short.await.unwrap();
    let long = create(&service, &hers, wish(&["events:read"]))
        .await
        .unwrap();
    assert_eq!(list(&service, &founder, &grace.id).await.unwrap().len(), 2);
    clock.advance(time::Duration::days(1) - time::Duration::minutes(1));
    assert_eq!(
        exchange(&service, &short.secret).await.unwrap().expires_in,
        60
    );
    clock.advance(time::Duration::minutes(1));
    let refused = exchange(&service, &short.secret).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    exchange(&service, &long.secret).await.unwrap();
    let founder = service.token(EMAIL, PASSWORD).await;
    let disable = UpdateAccountRequest {
        user_id: grace.id,
        status: AccountStatus::Disabled.into(),
        ..UpdateAccountRequest::default()
    };
    told(
        service
            .accounts()
            .update_account(as_admin(&founder, disable))
            .await,
    )
    .unwrap();
    let refused = exchange(&service, &long.secret).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidCredentials);
    // The other one had ended by itself.
    let by = service.get_me(&founder).await.unwrap().id;
    assert_eq!(
        on_record(&db, "api_key.revoked").await,
        [(by, format!("api_key {}", long.key.unwrap().id))]
    );
    service.stop().await;
    check_invariants(&db).await;
}
