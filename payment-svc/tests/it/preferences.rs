//! What the guest wants to hear, and the one click that ends it.

use kit::ErrorReason;
use proto::{
    event::envelope::Payload,
    payment::{Preferences, UnsubscribeRequest, UpdatePreferencesRequest},
};
use testkit::keys;
use tonic::Status;

use crate::{
    till,
    world::{Placed, World, failure},
};

impl World {
    async fn prefer(
        &self,
        placed: &Placed,
        change: impl FnOnce(&mut UpdatePreferencesRequest),
    ) -> Result<Preferences, Status> {
        let mut request = UpdatePreferencesRequest {
            order_id: placed.order.id.clone(),
            secret: placed.secret.clone(),
            ..Default::default()
        };
        change(&mut request);
        let answer = self.desk.clone().update_preferences(request).await?;
        Ok(answer.into_inner().order.unwrap().preferences.unwrap())
    }

    pub async fn unsubscribe(&self, order_id: &str, token: &str) -> Result<(), Status> {
        let request = UnsubscribeRequest {
            order_id: order_id.to_owned(),
            token: token.to_owned(),
        };
        self.desk.clone().unsubscribe(request).await.map(|_| ())
    }

    /// What stands at the end of the link in a mail about this order.
    async fn unsubscribe_token(&self, placed: &Placed) -> String {
        let told = self.told(placed).await;
        let Some(Payload::OrderRefunded(told)) = told.first() else {
            panic!("{told:?}");
        };
        let sealed = &told.order.as_ref().unwrap().sealed_unsubscribe_link;
        let link = self.open("unsubscribe-link", sealed);
        let start = format!("https://shop.example/u/{}/", placed.order.id);
        link.strip_prefix(&start).unwrap().to_owned()
    }
}

#[tokio::test]
async fn what_is_left_out_stays() {
    let world = World::start().await;
    let placed = world.sold().await;
    let before = world.order(&placed, false).await.preferences.unwrap();
    assert_eq!(
        (before.locale.as_str(), before.reminder, before.notices),
        ("en", true, true)
    );
    let now = world.prefer(&placed, |wish| wish.reminder = Some(false));
    let now = now.await.unwrap();
    assert!(!now.reminder && now.notices && now.locale == "en");
    let now = world.prefer(&placed, |wish| wish.locale = Some("fr-CA".to_owned()));
    let now = now.await.unwrap();
    assert!(!now.reminder && now.locale == "fr-CA");
    // The same again is no step of the story.
    world
        .prefer(&placed, |wish| wish.locale = Some("fr-CA".to_owned()))
        .await
        .unwrap();
    let notes = "SELECT count(*) FROM order_events WHERE reason = 'preferences'";
    assert_eq!(world.count(notes).await, 2);
    let long = world.prefer(&placed, |wish| wish.locale = Some("x".repeat(36)));
    assert_eq!(failure(long.await).fields[0].field, "locale");
    let foreign = world.prefer(&placed, |wish| wish.secret = "x".to_owned());
    assert_eq!(failure(foreign.await).reason, ErrorReason::NotFound);
    world.end().await;
}

#[tokio::test]
async fn one_click_ends_all_but_receipts() {
    let world = World::start().await;
    let placed = world.sold().await;
    let refund = world.refund(till::an_amount(&placed, 100)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let token = world.unsubscribe_token(&placed).await;
    world.unsubscribe(&placed.order.id, &token).await.unwrap();
    world.unsubscribe(&placed.order.id, &token).await.unwrap();
    let notices = world
        .order(&placed, false)
        .await
        .preferences
        .unwrap()
        .notices;
    assert!(!notices);
    let refund = world.refund(till::an_amount(&placed, 200)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    assert_eq!(world.told(&placed).await.len(), 1);
    // A receipt comes all the same.
    world
        .resend(&placed, &keys::idempotency_key())
        .await
        .unwrap();
    assert_eq!(world.receipts().await.len(), 2);
    // Whoever unsubscribed may want to hear again.
    let now = world.prefer(&placed, |wish| wish.notices = Some(true));
    assert!(now.await.unwrap().notices);
    world.end().await;
}

#[tokio::test]
async fn the_token_is_of_one_order_and_opens_nothing_else() {
    let world = World::start().await;
    let (mine, other) = (world.sold().await, world.sold().await);
    let refund = world.refund(till::an_amount(&mine, 100)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let token = world.unsubscribe_token(&mine).await;
    let absent = "0190b6a2-7c1e-8000-8000-0123456789ab";
    for (id, token) in [
        (other.order.id.as_str(), token.as_str()),
        (&mine.order.id, &mine.secret),
        (&mine.order.id, &token[..42]),
        (&mine.order.id, ""),
        (absent, &token),
        ("x", &token),
    ] {
        let refused = failure(world.unsubscribe(id, token).await);
        assert_eq!(refused.reason, ErrorReason::NotFound);
        assert_eq!(refused.detail, "There is no such order.");
    }
    let as_secret = Placed {
        secret: token,
        ..mine.clone()
    };
    let refused = world.prefer(&as_secret, |_| {}).await;
    assert_eq!(failure(refused).reason, ErrorReason::NotFound);
    assert!(world.order(&mine, false).await.preferences.unwrap().notices);
    world.end().await;
}
