//! Who may see which event, asked by other services.

use base::{EventId, UserId};
use kit::ErrorReason;
use proto::{
    Peer,
    ticket::{self as api, grant_service_client::GrantServiceClient},
};

use crate::shop::{Shop, refused, refused_field};

async fn check(shop: &Shop, user: UserId, event: EventId) -> bool {
    let request = api::CheckGrantRequest {
        user_id: user.to_string(),
        event_id: event.to_string(),
    };
    let answer = shop.grants.clone().check_grant(request).await.unwrap();
    answer.into_inner().granted
}

async fn list(shop: &Shop, user: UserId) -> Vec<String> {
    let request = api::ListGrantsRequest {
        user_id: user.to_string(),
        grants: Vec::new(),
    };
    let answer = shop.grants.clone().list_grants(request).await.unwrap();
    answer.into_inner().event_ids
}

#[tokio::test(flavor = "multi_thread")]
async fn the_creator_of_an_event_has_it_and_nobody_else() {
    let shop = Shop::open().await;
    let (first, second) = (shop.event().await, shop.event().await);
    let stranger = UserId::new(&shop.sources);
    assert!(check(&shop, shop.owner, first).await);
    assert!(!check(&shop, stranger, first).await);
    assert!(!check(&shop, shop.owner, EventId::new(&shop.sources)).await);
    assert_eq!(
        list(&shop, shop.owner).await,
        [second.to_string(), first.to_string()]
    );
    assert!(list(&shop, stranger).await.is_empty());
    shop.cancel_event(first, "").await;
    assert!(
        check(&shop, shop.owner, first).await,
        "a cancelled event stays"
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_members_that_need_it_may_ask() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let check = api::CheckGrantRequest {
        user_id: shop.owner.to_string(),
        event_id: event.to_string(),
    };
    let list = api::ListGrantsRequest {
        user_id: shop.owner.to_string(),
        grants: Vec::new(),
    };
    let client = |peer| {
        let channel = shop.channel(peer);
        GrantServiceClient::new(channel)
    };
    for peer in [Peer::Gateway, Peer::User, Peer::Operator] {
        let mut outside = client(peer);
        let closed = ErrorReason::CallerNotAllowed;
        refused(outside.check_grant(check.clone()).await, closed);
        refused(outside.list_grants(list.clone()).await, closed);
    }
    let mut payment = client(Peer::Payment);
    assert!(
        payment
            .check_grant(check.clone())
            .await
            .unwrap()
            .into_inner()
            .granted
    );
    payment.list_grants(list.clone()).await.unwrap();
    let mut notify = client(Peer::Notify);
    notify.check_grant(check.clone()).await.unwrap();
    notify.list_grants(list).await.unwrap();
    let nonsense = api::CheckGrantRequest {
        event_id: "x".to_owned(),
        ..check
    };
    refused_field(payment.check_grant(nonsense).await, "event_id");
    let nobody = api::ListGrantsRequest::default();
    refused_field(payment.list_grants(nobody).await, "user_id");
    shop.close().await;
}
