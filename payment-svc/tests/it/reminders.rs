//! Guests are reminded of an event that begins soon: once per date, by day, and only who wants it.

use std::time::Duration;

use proto::{
    event::{OrderReminder, envelope::Payload},
    payment::{OrderStatus, TransferTicketRequest},
};
use testkit::eventually;
use time::{OffsetDateTime, macros::datetime};

use crate::{
    till::{everything, tickets},
    world::{Placed, World},
};

const PATIENCE: Duration = Duration::from_secs(60);
const REMINDERS: &str = "SELECT count(*) FROM outbox WHERE kind = 'order_reminder'";

/// A zone in which it is that hour now.
pub fn zone_at(hour: u8) -> String {
    let east = i16::from(hour) - i16::from(OffsetDateTime::now_utc().hour());
    let east = match east {
        ..=-12 => east + 24,
        13.. => east - 24,
        _ => east,
    };
    // The sign of these is the other way round.
    format!("Etc/GMT{:+}", -east)
}

pub fn in_hours(hours: i64) -> OffsetDateTime {
    let at = OffsetDateTime::now_utc() + time::Duration::hours(hours);
    at.replace_nanosecond(0).unwrap()
}

impl World {
    /// Tickets for an event at that time and place, bought some days ago.
    pub async fn has_tickets(&self, placed: &Placed, at: OffsetDateTime, zone: &str) {
        sqlx::query(
            "UPDATE orders SET event_date_time = $2, event_timezone = $3, event_version = 9,
                 paid_at = paid_at - interval '5 days' WHERE id = $1",
        )
        .bind(placed.order.id.parse::<uuid::Uuid>().unwrap())
        .bind(at)
        .bind(zone)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    async fn edit(&self, placed: &Placed, set: &'static str) {
        let statement = sqlx::AssertSqlSafe(format!("UPDATE orders SET {set} WHERE id = $1"));
        sqlx::query(statement)
            .bind(placed.order.id.parse::<uuid::Uuid>().unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
    }

    pub async fn reminders(&self, placed: &Placed) -> Vec<OrderReminder> {
        let told = self.told(placed).await.into_iter();
        told.filter_map(|told| match told {
            Payload::OrderReminder(told) => Some(told),
            _ => None,
        })
        .collect()
    }

    /// Another process: its first round is at once.
    pub async fn next_round(&mut self) {
        self.crash();
        self.restart().await;
    }

    /// Reminds this one, by when the round has come past everybody of before.
    pub async fn until_reminded(&self, placed: &Placed, times: usize) -> Vec<OrderReminder> {
        eventually("a reminder", PATIENCE, || async {
            Some(self.reminders(placed).await).filter(|told| told.len() == times)
        })
        .await
    }
}

#[tokio::test]
async fn once_per_date_and_only_who_has_tickets_and_wants_it() {
    let mut world = World::start().await;
    let (noon, soon) = (zone_at(12), in_hours(20));
    let mut everyone = Vec::new();
    for _ in 0..6 {
        everyone.push(world.sold().await);
    }
    let [wants, unwilling, unsubscribed, late, back, partly] = everyone.as_slice() else {
        unreachable!("six orders");
    };
    let free = world.free().await;
    world.refund(everything(back)).await.unwrap();
    world.refund(tickets(partly, 1)).await.unwrap();
    world.until(back, OrderStatus::Refunded).await;
    world.until(partly, OrderStatus::PartiallyRefunded).await;
    world.edit(unwilling, "reminder = false").await;
    world.edit(unsubscribed, "notices = false").await;
    for placed in everyone.iter().chain([&free]) {
        world.has_tickets(placed, soon, &noon).await;
    }
    // Paid after it was time for a reminder: the receipt is one.
    world.edit(late, "paid_at = clock_timestamp()").await;
    world.next_round().await;

    for (placed, left) in [(wants, 2), (&free, 1), (partly, 1)] {
        let told = world.until_reminded(placed, 1).await;
        let facts = told[0].order.as_ref().unwrap();
        assert_eq!((told[0].number, told[0].tickets), (1, left));
        let event = facts.event.as_ref().unwrap();
        assert_eq!(event.date_time, Some(proto::timestamp(soon)));
        assert!(!facts.sealed_unsubscribe_link.is_empty());
    }
    // A round comes past all of an event's orders, so a further one has come past these.
    world.edit(unwilling, "reminder = true").await;
    world.next_round().await;
    world.until_reminded(unwilling, 1).await;
    for placed in [unsubscribed, late, back] {
        assert!(world.reminders(placed).await.is_empty());
    }
    assert_eq!(world.count(REMINDERS).await, 4);

    // Another date, for which nobody was reminded.
    world.has_tickets(wants, in_hours(19), &noon).await;
    world.next_round().await;
    let told = world.until_reminded(wants, 2).await;
    assert_eq!(told[1].number, 2);
    assert_eq!(world.count(REMINDERS).await, 5);
    world.end().await;
}

#[tokio::test]
async fn of_tickets_that_went_to_others_the_buyer_is_not_reminded() {
    let mut world = World::start().await;
    let (noon, soon) = (zone_at(12), in_hours(20));
    let (one_left, none_left, taken_back) =
        (world.sold().await, world.sold().await, world.sold().await);
    let witness = world.sold().await;
    for (placed, gone) in [(&one_left, 1), (&none_left, 2), (&taken_back, 2)] {
        for ticket in world.tickets_of(placed).await.iter().take(gone) {
            let wish = world.handing_on(placed, &ticket.id);
            world.hand_on(wish).await.unwrap();
        }
    }
    // Handed on to oneself it is one's own again.
    let ticket = world.tickets_of(&taken_back).await[0].id.clone();
    let back = TransferTicketRequest {
        email: "Ada@example.org".to_owned(),
        ..world.handing_on(&taken_back, &ticket)
    };
    world.hand_on(back).await.unwrap();
    for placed in [&one_left, &none_left, &taken_back, &witness] {
        world.has_tickets(placed, soon, &noon).await;
    }
    world.next_round().await;
    for (placed, left) in [(&one_left, 1), (&taken_back, 1), (&witness, 2)] {
        let told = world.until_reminded(placed, 1).await;
        assert_eq!(told[0].tickets, left);
    }
    // A round comes past all of an event's orders, so a further one has come past this one.
    world.has_tickets(&witness, in_hours(19), &noon).await;
    world.next_round().await;
    world.until_reminded(&witness, 2).await;
    assert!(world.reminders(&none_left).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn not_at_night_not_too_early_and_not_after_other_news_of_the_date() {
    let mut world = World::start().await;
    let noon = zone_at(12);
    let moved = world.sold().await;
    world
        .tickets
        .postpone_event(datetime!(2031-09-01 17:00 UTC), "");
    eventually("news of the date", PATIENCE, || async {
        (world.told(&moved).await.len() == 1).then_some(())
    })
    .await;
    let (night, early, over) = (world.sold().await, world.sold().await, world.sold().await);
    let told = world.sold().await;
    world.has_tickets(&night, in_hours(20), &zone_at(2)).await;
    world.has_tickets(&early, in_hours(30), &noon).await;
    world.has_tickets(&over, in_hours(-1), &noon).await;
    // Its guest has just heard of the date in another way.
    world.has_tickets(&moved, in_hours(20), &noon).await;
    world.has_tickets(&told, in_hours(21), &noon).await;
    world.next_round().await;
    world.until_reminded(&told, 1).await;
    // The order of events within a round is not told.
    world.has_tickets(&told, in_hours(22), &noon).await;
    world.next_round().await;
    world.until_reminded(&told, 2).await;
    for (who, placed) in [
        ("night", &night),
        ("early", &early),
        ("over", &over),
        ("moved", &moved),
    ] {
        assert_eq!(world.reminders(placed).await.len(), 0, "{who}");
    }

    world.end().await;
}

#[tokio::test]
async fn nobody_is_reminded_of_a_cancelled_event() {
    let mut world = World::start().await;
    let (noon, gone) = (zone_at(12), world.free().await);
    // Its order stays fulfilled: nothing was paid that could go back.
    world.tickets.cancel_event("");
    eventually("it is told", PATIENCE, || async {
        world.hurry().await;
        (world.told(&gone).await.len() == 1).then_some(())
    })
    .await;
    world.has_tickets(&gone, in_hours(20), &noon).await;
    world.tickets.have_another_event();
    let told = world.sold().await;
    world.has_tickets(&told, in_hours(20), &noon).await;
    world.next_round().await;
    world.until_reminded(&told, 1).await;
    world.has_tickets(&told, in_hours(21), &noon).await;
    world.next_round().await;
    world.until_reminded(&told, 2).await;
    assert!(world.reminders(&gone).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn processes_beside_each_other_remind_once() {
    let mut world = World::start().await;
    let mut sold = Vec::new();
    for _ in 0..6 {
        sold.push(world.sold().await);
    }
    let (noon, soon) = (zone_at(12), in_hours(20));
    for placed in &sold {
        world.has_tickets(placed, soon, &noon).await;
    }
    let mut beside = Vec::new();
    for _ in 0..3 {
        beside.push(world.leave_running());
        world.restart().await;
    }
    for placed in &sold {
        world.until_reminded(placed, 1).await;
    }
    // Another round comes past all of these, and past one more.
    let last = world.sold().await;
    world.has_tickets(&last, soon, &noon).await;
    world.next_round().await;
    world.until_reminded(&last, 1).await;
    world.edit(&last, "reminder = false").await;
    world.next_round().await;
    let later = world.sold().await;
    world.has_tickets(&later, soon, &noon).await;
    world.next_round().await;
    world.until_reminded(&later, 1).await;
    assert_eq!(world.count(REMINDERS).await, 8);
    for process in beside {
        process.shutdown_background();
    }
    world.end().await;
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let mut world = World::start_with(&[("--reminder-before-hours", "0")]).await;
    let placed = world.sold().await;
    world.has_tickets(&placed, in_hours(20), &zone_at(12)).await;
    world.next_round().await;
    world.reconfigure(|config| config.reminder_before_hours = 24);
    let none_yet = world.reminders(&placed).await.is_empty();
    world.next_round().await;
    world.until_reminded(&placed, 1).await;
    assert!(none_yet);
    world.end().await;
}
