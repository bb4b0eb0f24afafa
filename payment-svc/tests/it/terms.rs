//! Orders are placed on terms, and remember which.

use kit::ErrorReason;
use proto::payment::{GetTermsRequest, PlaceOrderRequest};

use crate::world::{Placed, World, failure};

async fn world_with(text: &str) -> World {
    let file = std::env::temp_dir().join(format!("terms-{}", testkit::keys::idempotency_key()));
    std::fs::write(&file, text).unwrap();
    World::start_with(&[("--terms-file", file.to_str().unwrap())]).await
}

#[tokio::test]
async fn the_order_remembers_what_was_accepted() {
    let world = world_with("Tickets are for one person each.\n").await;
    let terms = world.desk.clone().get_terms(GetTermsRequest {}).await;
    let terms = terms.unwrap().into_inner();
    assert_eq!(terms.text, "Tickets are for one person each.");
    let wish = PlaceOrderRequest {
        accepted_terms: terms.version.clone(),
        ..world.wish()
    };
    let placed = Placed::from(world.place(wish.clone()).await.unwrap());
    assert_eq!(placed.order.accepted_terms, terms.version);
    assert!(placed.order.terms_accepted_at.is_some());
    let kept = "SELECT count(*) FROM terms WHERE content = 'Tickets are for one person each.'";
    assert_eq!(world.count(kept).await, 1);
    assert_eq!(world.place(wish).await.unwrap().secret, placed.secret);
    world.end().await;
}

#[tokio::test]
async fn none_and_old_ones_are_refused_and_nothing_is_ordered() {
    let world = world_with("Version two.").await;
    for version in ["", "0123456789abcdef"] {
        let wish = PlaceOrderRequest {
            accepted_terms: version.to_owned(),
            ..world.wish()
        };
        let refused = failure(world.place(wish).await);
        assert_eq!(refused.reason, ErrorReason::TermsNotAccepted);
    }
    assert_eq!(world.count("SELECT count(*) FROM orders").await, 0);
    world.end().await;
}

#[tokio::test]
async fn where_there_are_none_nothing_is_asked() {
    let world = World::start().await;
    let terms = world.desk.clone().get_terms(GetTermsRequest {}).await;
    assert_eq!(terms.unwrap().into_inner().version, "");
    let placed = world.placed().await;
    assert_eq!(placed.order.accepted_terms, "");
    assert_eq!(placed.order.terms_accepted_at, None);
    world.end().await;
}

#[tokio::test]
async fn an_order_placed_before_the_terms_changed_is_found_again() {
    let mut world = world_with("Version one.").await;
    let terms = world.desk.clone().get_terms(GetTermsRequest {}).await;
    let wish = PlaceOrderRequest {
        accepted_terms: terms.unwrap().into_inner().version,
        ..world.wish()
    };
    let placed = Placed::from(world.place(wish.clone()).await.unwrap());
    world.crash();
    world.reconfigure(|config| {
        let file = std::env::temp_dir().join(format!("terms-{}", testkit::keys::idempotency_key()));
        std::fs::write(&file, "Version two.").unwrap();
        config.terms_file = Some(file);
    });
    world.restart().await;
    assert_eq!(world.place(wish).await.unwrap().secret, placed.secret);
    world.end().await;
}
