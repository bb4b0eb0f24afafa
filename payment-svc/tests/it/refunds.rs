//! Money that goes back: tickets first, once, whatever fails on the way.

use std::time::Duration;

use futures::future::join_all;
use kit::ErrorReason;
use proto::{
    event::{RefundCause, envelope::Payload},
    payment::{GetReceiptRequest, GetReceiptResponse, OrderStatus, RefundStatus},
};
use testkit::eventually;

use crate::{
    till::{NEVER_REFUNDS, REFUNDS_LATE, an_amount, everything, id, minor, status, tickets},
    world::{Placed, World, failure},
};

#[tokio::test]
async fn all_of_it_goes_back_and_its_guest_is_told_once() {
    let world = World::start().await;
    let placed = world.sold().await;
    let refund = world.refund(everything(&placed)).await.unwrap();
    assert_eq!(
        (minor(&refund), status(&refund)),
        (9000, RefundStatus::Requested)
    );
    world.until(&placed, OrderStatus::Refunded).await;
    let done = world.until_refund(&refund, RefundStatus::Succeeded).await;
    assert!(done.tickets_voided && !done.provider_ref.is_empty());
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 0);
    assert_eq!(world.sent_back(&placed).await, 9000);
    let told = world.told(&placed).await;
    let [Payload::OrderRefunded(told)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(
        (told.cause(), told.complete),
        (RefundCause::Requested, true)
    );
    assert_eq!((told.number, told.voided_tickets), (1, 2));
    assert_eq!(told.note, "We are sorry.");
    let facts = told.order.as_ref().unwrap();
    assert_eq!(
        (facts.email.as_str(), facts.sealed_order_link.is_empty()),
        ("ada@example.org", false)
    );
    world.end().await;
}

#[tokio::test]
async fn a_part_leaves_the_tickets_valid_until_the_last_cent() {
    let world = World::start().await;
    let placed = world.sold().await;
    let part = world.refund(an_amount(&placed, 1000)).await.unwrap();
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    world.until_refund(&part, RefundStatus::Succeeded).await;
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 2);
    let much = failure(world.refund(an_amount(&placed, 8001)).await);
    assert_eq!(much.reason, ErrorReason::RefundTooLarge);
    world.refund(an_amount(&placed, 8000)).await.unwrap();
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 0);
    assert_eq!(world.sent_back(&placed).await, 9000);
    assert_eq!(world.told(&placed).await.len(), 2);
    let gone = failure(world.refund(everything(&placed)).await);
    assert_eq!(gone.reason, ErrorReason::RefundTooLarge);
    world.end().await;
}

#[tokio::test]
async fn tickets_go_back_one_by_one() {
    let world = World::start().await;
    // 3 at 33.33, with a tax that does not divide by three.
    let placed = Placed::from(world.place(world.wish_for(3, 3333)).await.unwrap());
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world
        .sql(
            "UPDATE order_lines SET tax_rate_ppm = 70000, tax_minor = 655, unit_fee_minor = 100,
                  fee_minor = 300, fee_tax_minor = 20",
        )
        .await;
    for left in [2, 1, 0] {
        let refund = world.refund(tickets(&placed, 1)).await.unwrap();
        assert_eq!(minor(&refund), 3333);
        world.until_refund(&refund, RefundStatus::Succeeded).await;
        assert_eq!(world.tickets.valid_tickets(&placed.order.id), left);
    }
    world.until(&placed, OrderStatus::Refunded).await;
    let sums: (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT sum(amount_minor)::bigint, sum(tax_minor)::bigint, sum(fee_minor)::bigint,
             sum(fee_tax_minor)::bigint, sum(quantity)::bigint FROM refund_lines",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(sums, (9999, 655, 300, 20, 3));
    assert_eq!(
        world
            .count("SELECT refunded_quantity::bigint FROM order_lines")
            .await,
        3
    );
    world.end().await;
}

#[tokio::test]
async fn the_documents_show_only_tickets_that_are_valid() {
    let world = World::start().await;
    let placed = world.sold().await;
    let receipt = || async {
        let (order_id, secret) = (placed.order.id.clone(), placed.secret.clone());
        let request = GetReceiptRequest {
            order_id,
            secret,
            money_only: false,
        };
        world.orders.clone().get_receipt(request).await
    };
    let tickets_in = |answer: GetReceiptResponse| answer.facts.unwrap().tickets.len();
    assert_eq!(tickets_in(receipt().await.unwrap().into_inner()), 2);
    let refund = world.refund(tickets(&placed, 1)).await.unwrap();
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    assert_eq!(tickets_in(receipt().await.unwrap().into_inner()), 1);
    world.refund(tickets(&placed, 1)).await.unwrap();
    world.until(&placed, OrderStatus::Refunded).await;
    let none = failure(receipt().await);
    assert_eq!(none.reason, ErrorReason::TicketsNotReady);
    world.end().await;
}

#[tokio::test]
async fn at_a_provider_that_takes_its_time_it_is_followed() {
    let world = World::start_with(&[("--sandbox-late-ms", "4000")]).await;
    // Nobody reports: the schedule finds it.
    let placed = world.sold_to(REFUNDS_LATE).await;
    world.hook.copies(0);
    let refund = world.refund(everything(&placed)).await.unwrap();
    let waits = world.until_refund(&refund, RefundStatus::Submitted).await;
    assert_eq!(
        world.order(&placed, false).await.status(),
        OrderStatus::Fulfilled
    );
    world.until_refund(&waits, RefundStatus::Succeeded).await;
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    assert_eq!(world.told(&placed).await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn at_a_provider_that_refuses_a_person_pays_it_out() {
    let world = World::start().await;
    let placed = world.sold_to(NEVER_REFUNDS).await;
    let refund = world.refund(everything(&placed)).await.unwrap();
    let failed = world.until_refund(&refund, RefundStatus::FailedFinal).await;
    assert_eq!(failed.failure_reason, "the card's account is closed");
    assert!(
        world
            .attention(&placed)
            .await
            .unwrap()
            .starts_with("Refund 1: failed for good")
    );
    assert_eq!(
        world.order(&placed, false).await.status(),
        OrderStatus::Fulfilled
    );
    assert!(world.told(&placed).await.is_empty());
    let settled = world.settle(&failed).await.unwrap();
    assert_eq!(status(&settled), RefundStatus::Succeeded);
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.attention(&placed).await, None);
    // The answer may have been lost: once more changes nothing.
    assert_eq!(world.settle(&failed).await.unwrap(), settled);
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'refund.settle'";
    assert_eq!(world.count(audited).await, 1);
    assert_eq!(world.told(&placed).await.len(), 1);
    assert_eq!(
        failure(world.retry(&failed).await).reason,
        ErrorReason::RefundNotOpen
    );
    world.end().await;
}

#[tokio::test]
async fn one_that_failed_for_good_is_tried_again_by_another_key() {
    let world = World::start().await;
    let placed = world.sold_to(NEVER_REFUNDS).await;
    let refund = world.refund(everything(&placed)).await.unwrap();
    let failed = world.until_refund(&refund, RefundStatus::FailedFinal).await;
    world
        .sql("UPDATE sandbox.sessions SET refunds_end = 'at_once'")
        .await;
    let again = world.retry(&failed).await.unwrap();
    assert_eq!(status(&again), RefundStatus::Failed);
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.attention(&placed).await, None);
    assert_eq!(world.sent_back(&placed).await, 9000);
    assert_eq!(world.told(&placed).await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn one_matter_does_not_hide_another() {
    let world = World::start().await;
    let placed = world.sold_to(NEVER_REFUNDS).await;
    let first = world.refund(an_amount(&placed, 1000)).await.unwrap();
    world.until_refund(&first, RefundStatus::FailedFinal).await;
    let second = world.refund(an_amount(&placed, 2000)).await.unwrap();
    world.until_refund(&second, RefundStatus::FailedFinal).await;
    let why = world.attention(&placed).await.unwrap();
    assert!(
        why.starts_with("Refund 1: failed") && why.contains("Refund 2: failed"),
        "{why}"
    );
    world.settle(&second).await.unwrap();
    let why = world.attention(&placed).await.unwrap();
    assert!(
        why.starts_with("Refund 1: failed") && !why.contains("Refund 2"),
        "{why}"
    );
    world.settle(&first).await.unwrap();
    assert_eq!(world.attention(&placed).await, None);
    world.end().await;
}

#[tokio::test]
async fn all_of_it_waits_for_the_tickets_of_another() {
    let world = World::start().await;
    let placed = world.sold().await;
    world.tickets.books().mood.void_away = true;
    let one = world.refund(tickets(&placed, 1)).await.unwrap();
    let rest = world.refund(everything(&placed)).await.unwrap();
    // Once nobody has it in hand: whoever has leases it for 45 seconds.
    world
        .change_one(
            "UPDATE refunds SET next_step_at = clock_timestamp() + interval '1 h'
             WHERE voids = 'lines' AND step_failures > 0
               AND next_step_at < clock_timestamp() + interval '20 s'",
        )
        .await;
    world.tickets.books().mood.void_away = false;
    let tries = "SELECT step_failures::bigint FROM refunds WHERE voids = 'all'";
    let before = world.count(tries).await;
    eventually("two more tries", Duration::from_secs(60), || async {
        let void = world.tickets.valid_tickets(&placed.order.id) == 0;
        (void || world.count(tries).await > before + 1).then_some(())
    })
    .await;
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 2);
    world.until_refund(&one, RefundStatus::Succeeded).await;
    world.until_refund(&rest, RefundStatus::Succeeded).await;
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}

/// 100.00 for three; what the withdrawn one would have carried is not lost.
#[tokio::test]
async fn the_last_ticket_carries_all_that_is_left() {
    let world = World::start().await;
    let placed = Placed::from(world.place(world.wish_for(3, 3333)).await.unwrap());
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world
        .sql(
            "UPDATE order_lines SET line_total_minor = 10000;
              UPDATE orders SET total_amount_minor = 10000;
              UPDATE payment_attempts SET amount_minor = 10000, captured_minor = 10000;
              UPDATE sandbox.sessions SET amount_minor = 10000;
              -- It was counted with a cent less.
              INSERT INTO sale_deltas (event_id, hour, day, ticket_type_id, currency, placed, paid, sold,
                                       revenue_minor, returned, refunded_minor)
              SELECT o.event_id, clock_timestamp(), current_date, l.ticket_type_id, o.currency, 0, 0, 0, 1, 0, 0
              FROM orders o JOIN order_lines l ON l.order_id = o.id",
        )
        .await;
    world.tickets.books().mood.void_away = true;
    let withdrawn = world.refund(tickets(&placed, 1)).await.unwrap();
    let mut carried = vec![minor(&world.refund(tickets(&placed, 1)).await.unwrap())];
    world
        .sql(
            "UPDATE refunds SET status = 'failed_final', next_step_at = NULL,
                  ended_at = clock_timestamp() WHERE number = 1",
        )
        .await;
    for _ in 0..2 {
        carried.push(minor(&world.refund(tickets(&placed, 1)).await.unwrap()));
    }
    assert_eq!((minor(&withdrawn), carried), (3334, vec![3333, 3333, 3334]));
    world.tickets.books().mood.void_away = false;
    world.hurry().await;
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 10_000);
    world.end().await;
}

#[tokio::test]
async fn what_went_another_way_is_not_settled_twice() {
    let world = World::start().await;
    let placed = world.sold_to(NEVER_REFUNDS).await;
    let first = world.refund(an_amount(&placed, 5000)).await.unwrap();
    let first = world.until_refund(&first, RefundStatus::FailedFinal).await;
    // It does not count any more, so the whole may go back.
    let second = world.refund(everything(&placed)).await.unwrap();
    let second = world.until_refund(&second, RefundStatus::FailedFinal).await;
    world.settle(&second).await.unwrap();
    assert_eq!(
        failure(world.settle(&first).await).reason,
        ErrorReason::RefundTooLarge
    );
    world.until(&placed, OrderStatus::Refunded).await;
    world.end().await;
}

/// A failure in the sandbox's own books leaves us without an answer, as a broken line would.
const BREAK: &str = "CREATE FUNCTION sandbox.broken() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'out of order'; END $$;
    CREATE TRIGGER broken BEFORE INSERT ON sandbox.refunds FOR EACH ROW EXECUTE FUNCTION sandbox.broken()";

#[tokio::test]
async fn without_an_answer_it_is_asked_again_and_a_person_is_told() {
    let world = World::start().await;
    let placed = world.sold().await;
    world.sql(BREAK).await;
    let refund = world.refund(everything(&placed)).await.unwrap();
    eventually(
        "a sentence for a person",
        Duration::from_secs(60),
        || async {
            world.hurry().await;
            world.attention(&placed).await
        },
    )
    .await;
    let waits = world.until_refund(&refund, RefundStatus::Submitted).await;
    assert_eq!(
        failure(world.settle(&waits).await).reason,
        ErrorReason::RefundNotOpen
    );
    world.sql("DROP TRIGGER broken ON sandbox.refunds").await;
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    assert_eq!(world.attention(&placed).await, None);
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}

#[tokio::test]
async fn a_failed_one_is_tried_again_at_a_person_s_word() {
    let world = World::start().await;
    let placed = world.sold().await;
    world.sql(BREAK).await;
    let refund = world.refund(everything(&placed)).await.unwrap();
    // Once nobody has it in hand: whoever has leases it for 45 seconds.
    world
        .change_one(
            "UPDATE refunds SET status = 'failed', failures = 3, failure_reason = 'not now',
                 next_step_at = clock_timestamp() + interval '30 min'
             WHERE status = 'submitted' AND step_failures > 0
               AND next_step_at < clock_timestamp() + interval '20 s'",
        )
        .await;
    world.sql("DROP TRIGGER broken ON sandbox.refunds").await;
    let again = world.retry(&refund).await.unwrap();
    assert_eq!(status(&again), RefundStatus::Failed);
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}

#[tokio::test]
async fn no_money_leaves_before_the_tickets_are_void() {
    let world = World::start().await;
    let placed = world.sold().await;
    world.tickets.books().mood.void_away = true;
    let refund = world.refund(everything(&placed)).await.unwrap();
    eventually("five tries", Duration::from_secs(60), || async {
        world.hurry().await;
        world.attention(&placed).await
    })
    .await;
    assert_eq!(world.sent_back(&placed).await, 0);
    let mood = |away, lost| {
        let mut books = world.tickets.books();
        (books.mood.void_away, books.mood.void_answer_lost) = (away, lost);
    };
    mood(false, true);
    eventually(
        "void, and the answer is lost",
        Duration::from_secs(60),
        || async {
            world.hurry().await;
            (world.tickets.valid_tickets(&placed.order.id) == 0).then_some(())
        },
    )
    .await;
    assert_eq!(world.sent_back(&placed).await, 0);
    mood(false, false);
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}

#[tokio::test]
async fn without_such_tickets_no_money_leaves() {
    let mut world = World::start().await;
    let placed = world.sold().await;
    // The same ticket twice: the second time it is void already.
    let ticket = world.tickets.books().orders[&placed.order.id].tickets[0]
        .id
        .clone();
    let mut named = tickets(&placed, 0);
    named.lines[0].ticket_ids = vec![ticket];
    let first = world.refund(named.clone()).await.unwrap();
    world.until_refund(&first, RefundStatus::Succeeded).await;
    named.idempotency_key = testkit::keys::idempotency_key();
    // Something stays, so that this one is not the last.
    let part = world.refund(an_amount(&placed, 0)).await;
    assert_eq!(failure(part).reason, ErrorReason::InvalidRequest);
    world.sql("UPDATE order_lines SET quantity = 3, line_total_minor = 13500; UPDATE orders SET total_amount_minor = 13500").await;
    world
        .sql("UPDATE payment_attempts SET captured_minor = 13500, amount_minor = 13500")
        .await;
    let second = world.refund(named).await.unwrap();
    let failed = world.until_refund(&second, RefundStatus::FailedFinal).await;
    assert!(
        failed.failure_reason.contains("fewer valid tickets"),
        "{failed:?}"
    );
    assert_eq!(world.sent_back(&placed).await, 4500);
    assert_eq!(
        world
            .count("SELECT refunded_quantity::bigint FROM order_lines")
            .await,
        1
    );
    assert_eq!(
        failure(world.settle(&failed).await).reason,
        ErrorReason::RefundNotOpen
    );
    let seen = world.order(&placed, false).await.refunds;
    let withdrawn: Vec<bool> = seen.iter().map(|refund| refund.withdrawn).collect();
    assert_eq!(withdrawn, [false, true]);
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 1);
    // The third ticket was only in the books.
    world.crash();
}

#[tokio::test]
async fn of_64_at_once_no_more_go_through_than_there_is_money() {
    let world = World::start().await;
    let placed = world.sold().await;
    let wishes = (0..64).map(|_| world.refund(an_amount(&placed, 300)));
    let answers = join_all(wishes).await;
    let (yes, no): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((yes.len(), no.len()), (30, 34));
    for refused in no {
        assert_eq!(failure(refused).reason, ErrorReason::RefundTooLarge);
    }
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    let numbers = "SELECT count(DISTINCT number) FROM refunds WHERE number <= 30";
    assert_eq!(world.count(numbers).await, 30);
    assert_eq!(world.told(&placed).await.len(), 30);
    let told_complete = world
        .told(&placed)
        .await
        .into_iter()
        .any(|told| matches!(told, Payload::OrderRefunded(told) if told.complete));
    assert!(told_complete);
    world.end().await;
}

#[tokio::test]
async fn bank_transfers_are_paid_out_by_hand() {
    let world = World::start().await;
    let placed = world.sold().await;
    // As if it had come by a provider that does not pay out.
    world
        .sql("UPDATE payment_attempts SET provider = 'manual'")
        .await;
    let refund = world.refund(everything(&placed)).await.unwrap();
    let waits = eventually("handed over", Duration::from_secs(60), || async {
        world.attention(&placed).await
    })
    .await;
    assert!(waits.contains("by hand"), "{waits}");
    let waits = world.until_refund(&refund, RefundStatus::Submitted).await;
    assert_eq!((waits.next_try_at, waits.tickets_voided), (None, true));
    world.settle(&waits).await.unwrap();
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.attention(&placed).await, None);
    assert_eq!(id(&waits), id(&refund));
    world.end().await;
}
