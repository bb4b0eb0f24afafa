//! The contracts say who may call; the server holds to it.

use kit::{ErrorReason, Failure, client::channel};
use proto::{
    Peer,
    user::{
        GetMeRequest, ListKeysRequest, LoginRequest, key_service_client::KeyServiceClient,
        session_service_client::SessionServiceClient,
    },
};
use tonic::{Request, Status};

use crate::member::{self, GOOD_TOKEN, Running};

fn sessions(member: &Running, peer: Peer) -> SessionServiceClient<kit::client::MeshChannel> {
    SessionServiceClient::new(channel(&member.url, member.mesh.identity(peer)).unwrap())
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> ErrorReason {
    Failure::from_status(&answer.unwrap_err()).reason
}

fn with_token(token: &str) -> Request<GetMeRequest> {
    let mut request = Request::new(GetMeRequest {});
    request
        .metadata_mut()
        .insert("authorization", token.parse().unwrap());
    request
}

#[tokio::test]
async fn only_named_members_may_call() {
    let member = member::start().await;
    let answer = sessions(&member, Peer::Payment)
        .login(LoginRequest::default())
        .await;
    assert_eq!(reason(answer), ErrorReason::CallerNotAllowed);
    // The right name with a credential of another installation.
    let stranger: kit::MeshKey = testkit::keys::mesh_key().parse().unwrap();
    let foreign = channel(&member.url, stranger.identity(Peer::Gateway)).unwrap();
    let answer = SessionServiceClient::new(foreign)
        .login(LoginRequest::default())
        .await;
    assert_eq!(reason(answer), ErrorReason::CallerNotAllowed);
    // No identity at all.
    let bare = tonic::transport::Endpoint::from_shared(member.url.clone()).unwrap();
    let bare = bare.connect().await.unwrap();
    let answer = KeyServiceClient::new(bare)
        .list_keys(ListKeysRequest {})
        .await;
    assert_eq!(reason(answer), ErrorReason::CallerNotAllowed);
}

#[tokio::test]
async fn methods_of_admins_need_a_token_that_verifies() {
    let member = member::start().await;
    let mut gateway = sessions(&member, Peer::Gateway);
    let answer = gateway.get_me(GetMeRequest {}).await;
    assert_eq!(reason(answer), ErrorReason::Unauthenticated);
    for bad in ["Bearer bad", GOOD_TOKEN, "Basic good", "Bearer"] {
        let answer = gateway.get_me(with_token(bad)).await;
        assert_eq!(reason(answer), ErrorReason::Unauthenticated, "{bad}");
    }
    let me = gateway
        .get_me(with_token(&format!("Bearer {GOOD_TOKEN}")))
        .await
        .unwrap();
    assert_eq!(
        me.into_inner().user.unwrap().id,
        uuid::Uuid::max().to_string()
    );
}

#[tokio::test]
async fn health_is_open_to_whoever_connects() {
    let member = member::start().await;
    let bare = tonic::transport::Endpoint::from_shared(member.url.clone()).unwrap();
    let mut health =
        tonic_health::pb::health_client::HealthClient::new(bare.connect().await.unwrap());
    let service = "boxoffice.user.v1.KeyService".to_owned();
    let answer = health
        .check(tonic_health::pb::HealthCheckRequest { service })
        .await
        .unwrap();
    assert_eq!(
        answer.into_inner().status(),
        tonic_health::pb::health_check_response::ServingStatus::Serving
    );
}
