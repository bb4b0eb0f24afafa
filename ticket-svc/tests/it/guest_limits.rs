//! How many tickets of a type one guest may have over all their orders.

use base::{EventId, OrderId, TicketTypeId};
use kit::ErrorReason;
use proto::ticket::{self as api, OrderAnswer};
use tonic::Status;

use crate::shop::{Held, Shop, begin_request, fact, refused, type_request};

const ADA: u8 = 1;
const BEN: u8 = 2;

/// An event with one type of which a guest may have so many.
async fn limited(shop: &Shop, max_per_guest: u32) -> (EventId, TicketTypeId) {
    let event = shop.event().await;
    let mut request = type_request(event, Some(100));
    request.max_per_guest = Some(max_per_guest);
    let made = shop.create_type(request).await.unwrap();
    assert_eq!(made.max_per_guest, Some(max_per_guest));
    (event, made.id.parse().unwrap())
}

async fn begin(
    shop: &Shop,
    guest: u8,
    order: OrderId,
    held: &Held,
) -> Result<api::BeginPaymentResponse, Status> {
    let mut request = begin_request(order, held);
    request.guest_key = vec![guest; 32];
    shop.begin_with(request).await
}

/// A hold that the guest pays for.
async fn paying(shop: &Shop, guest: u8, of: (EventId, TicketTypeId), units: u32) -> OrderId {
    let (order, held) = (shop.order(), shop.hold(of.0, of.1, units).await);
    begin(shop, guest, order, &held).await.unwrap();
    order
}

async fn refuse(shop: &Shop, guest: u8, of: (EventId, TicketTypeId), units: u32) {
    let held = shop.hold(of.0, of.1, units).await;
    let refusal = begin(shop, guest, shop.order(), &held).await;
    let failure = refused(refusal, ErrorReason::LimitExceeded);
    assert_eq!(fact(&failure, "ticket_type_id"), Some(&*of.1.to_string()));
    assert!(fact(&failure, "max_per_guest").is_some(), "{failure:?}");
    // It is still the guest's, and may be released.
    shop.release_hold(&held).await.unwrap();
}

async fn set_limit(shop: &Shop, id: TicketTypeId, max_per_guest: Option<u32>) {
    let mut edit = api::UpdateTicketTypeRequest {
        ticket_type_id: id.to_string(),
        max_per_guest,
        ..Default::default()
    };
    if max_per_guest.is_none() {
        edit.clear = vec![api::ClearedField::MaxPerGuest.into()];
    }
    let edited = shop.update_type(edit).await.unwrap();
    assert_eq!(edited.max_per_guest, max_per_guest);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_over_all_orders_of_a_guest() {
    let shop = Shop::open().await;
    let of = limited(&shop, 4).await;
    refuse(&shop, ADA, of, 5).await;
    let order = paying(&shop, ADA, of, 3).await;
    refuse(&shop, ADA, of, 2).await;
    paying(&shop, BEN, of, 4).await;
    shop.commit(order).await;
    refuse(&shop, ADA, of, 2).await;
    paying(&shop, ADA, of, 1).await;
    refuse(&shop, ADA, of, 1).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_step_counts_once() {
    let shop = Shop::open().await;
    let of = limited(&shop, 4).await;
    let (order, held) = (shop.order(), shop.hold(of.0, of.1, 3).await);
    for _ in 0..3 {
        begin(&shop, ADA, order, &held).await.unwrap();
    }
    paying(&shop, ADA, of, 1).await;
    for _ in 0..2 {
        shop.release_order(order).await;
    }
    refuse(&shop, ADA, of, 4).await;
    paying(&shop, ADA, of, 3).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_unsold_or_becomes_void_counts_no_more() {
    let shop = Shop::open().await;
    let of = limited(&shop, 4).await;
    // Released with its order.
    let order = paying(&shop, ADA, of, 4).await;
    shop.release_order(order).await;
    // Expired.
    let (order, held) = (shop.order(), shop.hold(of.0, of.1, 4).await);
    begin(&shop, ADA, order, &held).await.unwrap();
    shop.age(&held).await;
    let patience = std::time::Duration::from_secs(60);
    testkit::eventually("the sweeper ended it", patience, || async {
        (shop.counters(of.1).await == (0, 0)).then_some(())
    })
    .await;
    // Sold, and void in part.
    let order = paying(&shop, ADA, of, 4).await;
    shop.commit(order).await;
    let line = api::VoidLine {
        ticket_type_id: of.1.to_string(),
        quantity: 3,
        ticket_ids: Vec::new(),
    };
    let refund = shop.refund();
    for _ in 0..2 {
        shop.void(order, refund, std::slice::from_ref(&line))
            .await
            .unwrap();
    }
    refuse(&shop, ADA, of, 4).await;
    paying(&shop, ADA, of, 3).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_payment_passes_the_limit_and_counts() {
    let shop = Shop::open().await;
    let of = limited(&shop, 2).await;
    let late = paying(&shop, ADA, of, 2).await;
    shop.release_order(late).await;
    paying(&shop, ADA, of, 2).await;
    assert_eq!(shop.commit(late).await.answer(), OrderAnswer::Committed);
    refuse(&shop, ADA, of, 1).await;
    let refund = shop.refund();
    shop.void(late, refund, &[]).await.unwrap();
    refuse(&shop, ADA, of, 1).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_comes_later_knows_what_was_before() {
    let shop = Shop::open().await;
    let of = shop.on_sale(100).await;
    let order = paying(&shop, ADA, of, 3).await;
    shop.commit(order).await;
    set_limit(&shop, of.1, Some(4)).await;
    refuse(&shop, ADA, of, 2).await;
    paying(&shop, ADA, of, 1).await;
    set_limit(&shop, of.1, None).await;
    paying(&shop, ADA, of, 9).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_of_one_guest_at_once_stay_within_it() {
    let shop = Shop::open().await;
    let of = limited(&shop, 5).await;
    let mut holds = Vec::new();
    for _ in 0..24 {
        holds.push(shop.hold(of.0, of.1, 1).await);
    }
    let begun = futures::future::join_all(holds.iter().map(|held| {
        let order = shop.order();
        begin(&shop, ADA, order, held)
    }))
    .await;
    let (bound, refusals): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
    assert_eq!(bound.len(), 5);
    for refusal in refusals {
        refused(refusal, ErrorReason::LimitExceeded);
    }
    shop.close().await;
}
