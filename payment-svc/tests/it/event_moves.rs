//! An event gets another date: whoever has tickets for the one before hears of it, once.

use std::time::Duration;

use proto::{
    event::{OrderPostponed, envelope::Payload},
    payment::OrderStatus,
    ticket::CancellationRule,
};
use testkit::eventually;
use time::{OffsetDateTime, macros::datetime};

use crate::{
    till::{an_amount, everything, tickets},
    world::{Placed, World},
};

const OLD: OffsetDateTime = datetime!(2031-06-12 18:00 UTC);
const NEW: OffsetDateTime = datetime!(2031-09-01 17:00 UTC);
const NEWER: OffsetDateTime = datetime!(2031-10-01 17:00 UTC);
const PATIENCE: Duration = Duration::from_secs(60);

impl World {
    pub async fn free(&self) -> Placed {
        let placed = Placed::from(self.place(self.wish_for(1, 0)).await.unwrap());
        self.until(&placed, OrderStatus::Fulfilled).await;
        placed
    }

    /// Every order that the event still matters to knows this date, and the last look found nothing.
    pub async fn until_known(&self, date: OffsetDateTime) {
        eventually("every order knows the date", PATIENCE, || async {
            self.hurry().await;
            let known: bool = sqlx::query_scalar(
                "SELECT count(*) > 0 AND bool_and(m.scans > 0 AND m.date_time = $1 AND NOT EXISTS (
                     SELECT FROM orders o WHERE o.event_date_time <> $1
                       AND o.status NOT IN ('cancelled', 'refunded')))
                 FROM event_moves m",
            )
            .bind(date)
            .fetch_one(&self.pool)
            .await
            .unwrap();
            known.then_some(())
        })
        .await;
    }

    /// The job has looked through the event's orders once more, from the beginning.
    async fn look_again(&self) {
        let scans = "SELECT coalesce(sum(scans), 0)::bigint FROM event_moves";
        let before = self.count(scans).await;
        eventually("two more looks", PATIENCE, || async {
            self.hurry().await;
            (self.count(scans).await > before + 1).then_some(())
        })
        .await;
    }

    async fn postponements(&self, placed: &Placed) -> Vec<OrderPostponed> {
        let told = self.told(placed).await.into_iter();
        told.filter_map(|told| match told {
            Payload::OrderPostponed(told) => Some(told),
            _ => None,
        })
        .collect()
    }
}

fn dates(told: &OrderPostponed) -> (OffsetDateTime, OffsetDateTime) {
    let event = told.order.as_ref().unwrap().event.as_ref().unwrap();
    let read =
        |stamp: Option<&prost_types::Timestamp>| proto::timestamp_from(stamp.unwrap()).unwrap();
    (
        read(told.previous_date_time.as_ref()),
        read(event.date_time.as_ref()),
    )
}

#[tokio::test]
async fn whoever_has_tickets_hears_of_each_date_once() {
    let world = World::start().await;
    let (sold, free, partly) = (world.sold().await, world.free().await, world.sold().await);
    world.tickets.books().mood.cancellation = Some(CancellationRule {
        allowed: true,
        until_hours: 48,
        fee_ppm: 0,
    });
    let may_cancel = world.sold().await;
    world.refund(an_amount(&partly, 4000)).await.unwrap();
    let back = world.sold().await;
    world.refund(everything(&back)).await.unwrap();
    for (placed, status) in [
        (&partly, OrderStatus::PartiallyRefunded),
        (&back, OrderStatus::Refunded),
    ] {
        world.until(placed, status).await;
    }
    let ended = world.placed().await;
    world.cancel(&ended).await.unwrap();
    let open = world.placed().await;

    world.tickets.postpone_event(NEW, "The hall is flooded.");
    world.until_known(NEW).await;
    for placed in [&sold, &free, &partly] {
        let told = world.postponements(placed).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(dates(&told[0]), (OLD, NEW));
        assert_eq!(
            (told[0].number, told[0].explanation.as_str()),
            (1, "The hall is flooded.")
        );
        let facts = told[0].order.as_ref().unwrap();
        assert_eq!(facts.email, "ada@example.org");
        assert!(!facts.sealed_order_link.is_empty() && !facts.sealed_unsubscribe_link.is_empty());
    }
    let told = world.postponements(&may_cancel).await;
    let until = NEW - time::Duration::hours(48);
    assert_eq!(told[0].cancel_until, Some(proto::timestamp(until)));
    assert!(world.postponements(&sold).await[0].cancel_until.is_none());
    for placed in [&back, &ended, &open] {
        assert!(world.postponements(placed).await.is_empty());
    }
    let shown = world.order(&open, false).await;
    assert_eq!(shown.event_date_time, Some(proto::timestamp(NEW)));
    let shown = world.order(&sold, false).await;
    let news: Vec<_> = shown.timeline.iter().map(|entry| &*entry.what).collect();
    assert_eq!(news.last(), Some(&"event_postponed"));

    // Its receipt has the new date, so there is nothing to tell.
    world.pay(&open.order).await;
    world.until(&open, OrderStatus::Fulfilled).await;
    world.look_again().await;
    assert!(world.postponements(&open).await.is_empty());
    assert_eq!(world.postponements(&sold).await.len(), 1);

    world.tickets.postpone_event(NEWER, "");
    world.until_known(NEWER).await;
    let told = world.postponements(&sold).await;
    assert_eq!(
        (told.len(), told[1].number, dates(&told[1])),
        (2, 2, (NEW, NEWER))
    );
    let told = world.postponements(&open).await;
    assert_eq!(
        (told.len(), told[0].number, dates(&told[0])),
        (1, 1, (NEW, NEWER))
    );
    world.end().await;
}

#[tokio::test]
async fn another_title_and_place_are_known_and_told_to_nobody() {
    let world = World::start().await;
    let sold = world.sold().await;
    world.tickets.change_event("event.updated", "", |event| {
        event.title = "Later Show".to_owned();
        event.location = "Columbiahalle".to_owned();
    });
    eventually("the order knows", PATIENCE, || async {
        world.hurry().await;
        let order = world.order(&sold, false).await;
        (order.event_title == "Later Show" && order.event_location == "Columbiahalle").then_some(())
    })
    .await;
    assert!(world.told(&sold).await.is_empty());
    // A date that is corrected is another date for whoever has tickets.
    world.tickets.change_event("event.updated", "", |event| {
        event.date_time = Some(proto::timestamp(NEW));
    });
    world.until_known(NEW).await;
    let told = world.postponements(&sold).await;
    assert_eq!((told.len(), dates(&told[0])), (1, (OLD, NEW)));
    let event = told[0].order.as_ref().unwrap().event.as_ref().unwrap();
    assert_eq!(event.title, "Later Show");
    world.end().await;
}

#[tokio::test]
async fn killed_in_the_middle_it_tells_everybody_once() {
    let mut world = World::start().await;
    let mut sold = Vec::new();
    for _ in 0..8 {
        sold.push(world.sold().await);
    }
    world.tickets.postpone_event(NEW, "");
    for _ in 0..4 {
        world.crash();
        world.restart().await;
        world.hurry().await;
    }
    world.until_known(NEW).await;
    world.look_again().await;
    for placed in &sold {
        assert_eq!(world.postponements(placed).await.len(), 1);
    }
    world.end().await;
}

#[tokio::test]
async fn an_order_that_turns_up_with_older_facts_is_told_and_newer_ones_are_kept() {
    let world = World::start().await;
    let (late, ahead) = (world.sold().await, world.sold().await);
    world.tickets.postpone_event(NEW, "");
    world.until_known(NEW).await;
    // As if its tickets had come with the facts of before, and were recorded only now.
    sqlx::query("UPDATE orders SET event_version = 1, event_date_time = $2 WHERE id = $1")
        .bind(late.order.id.parse::<uuid::Uuid>().unwrap())
        .bind(OLD)
        .execute(&world.pool)
        .await
        .unwrap();
    // And another with those of a change that was not read yet.
    sqlx::query("UPDATE orders SET event_version = 9, event_date_time = $2 WHERE id = $1")
        .bind(ahead.order.id.parse::<uuid::Uuid>().unwrap())
        .bind(NEWER)
        .execute(&world.pool)
        .await
        .unwrap();
    eventually("the late one is told", PATIENCE, || async {
        world.hurry().await;
        (world.postponements(&late).await.len() == 2).then_some(())
    })
    .await;
    world.look_again().await;
    assert_eq!(world.postponements(&ahead).await.len(), 1);
    let shown = world.order(&ahead, false).await;
    assert_eq!(shown.event_date_time, Some(proto::timestamp(NEWER)));
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_event_has_no_new_date() {
    let world = World::start().await;
    let (sold, free) = (world.sold().await, world.free().await);
    world.tickets.cancel_event("The hall is gone.");
    world.until(&sold, OrderStatus::Refunded).await;
    eventually("both are told", PATIENCE, || async {
        world.hurry().await;
        (!world.told(&free).await.is_empty()).then_some(())
    })
    .await;
    world.tickets.postpone_event(NEW, "");
    // Nothing was paid for it that could go back, so it is fulfilled still.
    world.until_known(NEW).await;
    for placed in [&sold, &free] {
        let told = world.told(placed).await;
        assert!(
            matches!(told.as_slice(), [Payload::OrderCancelled(_)]),
            "{told:?}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn an_event_that_is_over_is_left_alone() {
    let world = World::start().await;
    let sold = world.sold().await;
    world
        .tickets
        .postpone_event(datetime!(2024-01-01 18:00 UTC), "");
    let at_rest = "SELECT count(*) FROM event_moves WHERE next_scan_at IS NULL";
    eventually("it is at rest", PATIENCE, || async {
        (world.count(at_rest).await == 1).then_some(())
    })
    .await;
    assert!(world.told(&sold).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn whoever_unsubscribed_hears_of_nothing_but_receipts() {
    let world = World::start().await;
    let open = world.placed().await;
    world.sql("UPDATE orders SET notices = false").await;
    world.pay(&open.order).await;
    world.until(&open, OrderStatus::Fulfilled).await;
    assert_eq!(
        world
            .count("SELECT count(*) FROM outbox WHERE kind = 'order_paid'")
            .await,
        1
    );

    world.tickets.postpone_event(NEW, "");
    world.until_known(NEW).await;
    let refund = world.refund(tickets(&open, 1)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    world.tickets.cancel_event("");
    world.until(&open, OrderStatus::Refunded).await;
    assert!(world.told(&open).await.is_empty());
    let kept = "SELECT string_agg(reason, ' ' ORDER BY id) FROM order_events
                WHERE reason LIKE 'withheld:%'";
    let kept: String = sqlx::query_scalar(kept)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(kept, "withheld:order_refunded withheld:order_cancelled");
    // That is for the doctor, and nothing for the order's page.
    let shown = world.order(&open, false).await;
    assert!(
        shown
            .timeline
            .iter()
            .all(|entry| !entry.what.contains("withheld"))
    );
    world.end().await;
}

#[tokio::test]
async fn nobody_is_told_at_an_address_that_was_corrected_meanwhile() {
    let world = World::start().await;
    let sold = world.sold().await;
    let mut correcting = world.pool.begin().await.unwrap();
    sqlx::query("UPDATE orders SET email = 'right@example.org', secret_generation = 2")
        .execute(&mut *correcting)
        .await
        .unwrap();
    world.tickets.postpone_event(NEW, "");
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("whoever tells waits for the order", PATIENCE, || async {
        (world.count(waits).await > 0).then_some(())
    })
    .await;
    correcting.commit().await.unwrap();
    world.until_known(NEW).await;
    let told = world.told(&sold).await;
    let [Payload::OrderPostponed(told)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(told.order.as_ref().unwrap().email, "right@example.org");
    world.end().await;
}
