//! Money that somebody sends back at the provider itself.

use std::time::Duration;

use kit::ErrorReason;
use proto::payment::{
    ListRefundsRequest, OrderStatus, RefundDetail, RefundReason, RefundStatus, VerifyPaymentRequest,
};
use testkit::eventually;

use crate::{
    desk::Clerk,
    till::{NEVER_REFUNDS, an_amount, everything, minor, status},
    world::{World, failure},
};

/// A process that starts reads the provider's books.
async fn until_noticed(world: &mut World) -> RefundDetail {
    world.crash();
    world.restart().await;
    let world = &*world;
    eventually("an external refund", Duration::from_secs(60), || async {
        let all = world.list(Clerk::superadmin(), ListRefundsRequest::default());
        let all = all.await.refunds.into_iter();
        all.filter_map(|listed| listed.refund)
            .find(|refund| status(refund) == RefundStatus::External)
    })
    .await
}

#[tokio::test]
async fn all_of_it_makes_the_tickets_void() {
    let mut world = World::start().await;
    let placed = world.sold().await;
    world.send_back_at_the_provider(&placed, 9000).await;
    let refund = until_noticed(&mut world).await;
    assert_eq!(
        refund.refund.as_ref().unwrap().reason(),
        RefundReason::External
    );
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 0);
    // Whoever sent it has told its guest.
    assert!(world.told(&placed).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_part_of_it_is_for_a_person_to_think_about() {
    let mut world = World::start().await;
    let placed = world.sold().await;
    world.send_back_at_the_provider(&placed, 4500).await;
    assert_eq!(minor(&until_noticed(&mut world).await), 4500);
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 2);
    assert!(
        world
            .attention(&placed)
            .await
            .unwrap()
            .contains("sent back at the provider")
    );
    // Whoever has the provider asked has read it.
    let asks = Clerk::superadmin().asks(VerifyPaymentRequest {
        order_id: placed.order.id.clone(),
    });
    world.admin().verify_payment(asks).await.unwrap();
    assert_eq!(world.attention(&placed).await, None);
    // Seen again and again, it counts once.
    world.crash();
    world.restart().await;
    world.refund(an_amount(&placed, 4500)).await.unwrap();
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}

#[tokio::test]
async fn what_a_person_paid_out_there_is_not_counted_again() {
    let mut world = World::start().await;
    let placed = world.sold_to(NEVER_REFUNDS).await;
    let refund = world.refund(an_amount(&placed, 3000)).await.unwrap();
    let failed = world.until_refund(&refund, RefundStatus::FailedFinal).await;
    world.settle(&failed).await.unwrap();
    world.send_back_at_the_provider(&placed, 3000).await;
    world.crash();
    world.restart().await;
    eventually("it has a name", Duration::from_secs(60), || async {
        let named = "SELECT count(*) FROM refunds WHERE provider_ref IS NOT NULL";
        (world.count(named).await == 1).then_some(())
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_a_person_pays_out_there_is_settled_by_that() {
    let mut world = World::start().await;
    let placed = world.sold_to(NEVER_REFUNDS).await;
    let refund = world.refund(an_amount(&placed, 3000)).await.unwrap();
    world.until_refund(&refund, RefundStatus::FailedFinal).await;
    world.send_back_at_the_provider(&placed, 3000).await;
    world.crash();
    world.restart().await;
    let done = world.until_refund(&refund, RefundStatus::Succeeded).await;
    assert!(!done.provider_ref.is_empty());
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 1);
    assert_eq!(world.attention(&placed).await, None);
    assert_eq!(world.told(&placed).await.len(), 1);
    let settled = failure(world.settle(&refund).await);
    assert_eq!(settled.reason, ErrorReason::RefundNotOpen);
    world.end().await;
}

/// Ours was recorded first, and the provider has not enough left for it.
#[tokio::test]
async fn what_went_back_meanwhile_nobody_has_to_pay_out() {
    for (amount_minor, status) in [
        (9000, RefundStatus::Succeeded),
        (4000, RefundStatus::FailedFinal),
    ] {
        let world = World::start().await;
        let placed = world.sold().await;
        world.tickets.books().mood.void_away = true;
        let refund = world.refund(everything(&placed)).await.unwrap();
        world.send_back_at_the_provider(&placed, amount_minor).await;
        world.tickets.books().mood.void_away = false;
        world.until_refund(&refund, status).await;
        let counted = eventually("it counts", Duration::from_secs(60), || async {
            let counted = "SELECT refunded_minor FROM payment_attempts";
            Some(world.count(counted).await).filter(|counted| *counted > 0)
        });
        assert_eq!(counted.await, amount_minor);
        let why = world.attention(&placed).await.unwrap_or_default();
        assert!(!why.contains("by hand"), "{why}");
        assert_eq!(why.is_empty(), amount_minor == 9000, "{why}");
        world.end().await;
    }
}

#[tokio::test]
async fn ours_that_nobody_told_of_is_found_in_the_books() {
    let mut world = World::start().await;
    let placed = world.sold().await;
    // The provider's answer never arrives here: our own row cannot be written.
    world
        .sql(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$
                  BEGIN RAISE EXCEPTION 'out of order'; END $$;
              CREATE TRIGGER broken BEFORE UPDATE ON refunds FOR EACH ROW
                  WHEN (NEW.status = 'succeeded') EXECUTE FUNCTION broken()",
        )
        .await;
    let refund = world.refund(an_amount(&placed, 1000)).await.unwrap();
    eventually("it is there", Duration::from_secs(60), || async {
        (world.sent_back(&placed).await == 1000).then_some(())
    })
    .await;
    world.crash();
    world
        .sql(
            "DROP TRIGGER broken ON refunds;
              UPDATE refunds SET next_step_at = clock_timestamp() + interval '1 h'",
        )
        .await;
    world.restart().await;
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    let done = world.until_refund(&refund, RefundStatus::Succeeded).await;
    assert!(!done.provider_ref.is_empty());
    assert_eq!(world.told(&placed).await.len(), 1);
    world.end().await;
}
