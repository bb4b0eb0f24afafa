//! Whoever a ticket was handed to hears what becomes of its event: once per address and order, with a link of
//! their own, and only while the ticket is theirs.

use std::time::Duration;

use kit::ErrorReason;
use prost::Message as _;
use proto::{
    event::{TicketNews, TicketNewsKind, envelope::Payload},
    payment::{OrderStatus, TransferTicketRequest},
};
use testkit::eventually;
use time::{OffsetDateTime, macros::datetime};

use crate::{
    desk::Clerk,
    reminders::{in_hours, zone_at},
    till::tickets,
    world::{Placed, World, failure},
};

const OLD: OffsetDateTime = datetime!(2031-06-12 18:00 UTC);
const NEW: OffsetDateTime = datetime!(2031-09-01 17:00 UTC);
const NEWER: OffsetDateTime = datetime!(2031-10-01 17:00 UTC);
const PATIENCE: Duration = Duration::from_secs(20);
const WAITING: &str = "SELECT count(*) FROM holder_news WHERE ended_at IS NULL";

impl World {
    /// Of three, so that its guest keeps one.
    async fn sold_three(&self) -> Placed {
        let placed = Placed::from(self.place(self.wish_for(3, 4500)).await.unwrap());
        self.pay(&placed.order).await;
        self.until(&placed, OrderStatus::Fulfilled).await;
        placed
    }

    async fn hands(&self, placed: &Placed, number: usize, email: &str) {
        let ticket = self.tickets_of(placed).await[number].id.clone();
        let wish = TransferTicketRequest {
            email: email.to_owned(),
            locale: "de".to_owned(),
            ..self.handing_on(placed, &ticket)
        };
        self.hand_on(wish).await.unwrap();
    }

    /// What those who were handed tickets were told, oldest first.
    async fn holders_told(&self, placed: &Placed) -> Vec<TicketNews> {
        eventually("holders are told", PATIENCE, || async {
            self.hurry().await;
            (self.count(WAITING).await == 0).then_some(())
        })
        .await;
        let told = self.told(placed).await.into_iter();
        told.filter_map(|payload| match payload {
            Payload::TicketNews(told) => Some(told),
            _ => None,
        })
        .collect()
    }

    /// The id and the secret at the end of a link in this message.
    fn link_in(&self, told: &TicketNews, purpose: &str) -> (String, String) {
        let order = told.order.as_ref().unwrap();
        let (sealed, path) = match purpose {
            "order-link" => (&order.sealed_order_link, "t"),
            _ => (&order.sealed_unsubscribe_link, "u"),
        };
        let link = self.open(purpose, sealed);
        let path = link
            .strip_prefix(&format!("https://shop.example/{path}/"))
            .unwrap();
        let (id, secret) = path.split_once('/').unwrap();
        (id.to_owned(), secret.to_owned())
    }

    /// Once the money of this many orders is on its way back.
    async fn cancel_and_note(&self, orders: i64) {
        self.tickets.cancel_event("The singer is ill.");
        eventually("the money is on its way", PATIENCE, || async {
            self.hurry().await;
            let noted = "SELECT count(*) FROM holder_news WHERE kind = 'cancelled'";
            (self.count(noted).await == orders).then_some(())
        })
        .await;
    }
}

fn to_whom(told: &[TicketNews]) -> Vec<(&str, u32)> {
    let told = told.iter();
    let mut to: Vec<_> = told
        .map(|told| (told.order.as_ref().unwrap().email.as_str(), told.tickets))
        .collect();
    to.sort_unstable();
    to
}

fn date_of(told: &TicketNews) -> OffsetDateTime {
    let event = told.order.as_ref().unwrap().event.as_ref().unwrap();
    proto::timestamp_from(event.date_time.as_ref().unwrap()).unwrap()
}

#[tokio::test]
async fn whoever_has_the_ticket_now_hears_of_a_new_date_with_their_own_link() {
    let world = World::start().await;
    let (placed, back) = (world.sold_three().await, world.sold().await);
    // Grace had the first one, and it went on to Alan, who got the second one, too.
    world.hands(&placed, 0, "grace@example.org").await;
    world.hands(&placed, 0, "alan@example.org").await;
    world.hands(&placed, 1, "Alan@example.org").await;
    // To oneself: one hears it as the guest of the order.
    world.hands(&placed, 2, "ADA@example.org").await;
    world.hands(&back, 1, "void@example.org").await;
    // The last issued one goes back.
    world.refund(tickets(&back, 1)).await.unwrap();
    world.until(&back, OrderStatus::PartiallyRefunded).await;

    world.tickets.postpone_event(NEW, "The hall is flooded.");
    world.until_known(NEW).await;
    let told = world.holders_told(&placed).await;
    assert_eq!(to_whom(&told), [("Alan@example.org", 2)]);
    let news = &told[0];
    assert_eq!(
        (news.kind(), news.number, news.explanation.as_str()),
        (TicketNewsKind::Postponed, 1, "The hall is flooded.")
    );
    assert_eq!(news.previous_date_time, Some(proto::timestamp(OLD)));
    assert_eq!(date_of(news), NEW);
    let facts = news.order.as_ref().unwrap();
    assert_eq!(
        (facts.name.as_str(), facts.locale.as_str(), &facts.total),
        ("Grace", "de", &None)
    );
    let (id, secret) = world.link_in(news, "order-link");
    assert_eq!(
        world.transferred(&id, &secret).await.unwrap().tickets.len(),
        1
    );
    // As it travels: what is printed leaves addresses out.
    let sent = news.encode_to_vec();
    assert!(!String::from_utf8_lossy(&sent).contains("ada@example.org"));
    assert!(world.holders_told(&back).await.is_empty());

    // Whoever gets it now hears of the date with the ticket, and of the next one as everybody.
    world.hands(&placed, 0, "late@example.org").await;
    world.tickets.postpone_event(NEWER, "");
    world.until_known(NEWER).await;
    let told = world.holders_told(&placed).await;
    assert_eq!(
        to_whom(&told[1..]),
        [("Alan@example.org", 1), ("late@example.org", 1)]
    );
    assert!(
        told[1..]
            .iter()
            .all(|news| news.number == 2 && date_of(news) == NEWER)
    );
    world.end().await;
}

#[tokio::test]
async fn whoever_unsubscribes_hears_no_more_and_others_do() {
    let world = World::start().await;
    let placed = world.sold_three().await;
    world.hands(&placed, 0, "grace@example.org").await;
    world.hands(&placed, 1, "alan@example.org").await;
    world.tickets.postpone_event(NEW, "");
    world.until_known(NEW).await;
    let told = world.holders_told(&placed).await;
    let of = |who: &str| {
        let told = told.iter();
        let mut told = told.filter(|news| news.order.as_ref().unwrap().email == who);
        world.link_in(told.next().unwrap(), "unsubscribe-link")
    };
    let (grace, alan) = (of("grace@example.org"), of("alan@example.org"));
    // The link of a ticket ends nothing of another one, nor of the order; its own secret opens nothing.
    for (id, token) in [(&grace.0, &alan.1), (&placed.order.id, &grace.1)] {
        let wrong = failure(world.unsubscribe(id, token).await);
        assert_eq!(wrong.reason, ErrorReason::NotFound);
    }
    let opened = failure(world.transferred(&grace.0, &grace.1).await);
    assert_eq!(opened.reason, ErrorReason::NotFound);
    for _ in 0..2 {
        world.unsubscribe(&grace.0, &grace.1).await.unwrap();
    }
    // It counts for the address, whatever else it gets of this order.
    world.hands(&placed, 2, "Grace@Example.org").await;
    let preferences = world.order(&placed, false).await.preferences.unwrap();
    assert!(preferences.notices, "its guest hears as before");
    world.tickets.postpone_event(NEWER, "");
    world.until_known(NEWER).await;
    let told = world.holders_told(&placed).await;
    assert_eq!(to_whom(&told[2..]), [("alan@example.org", 1)]);
    world.end().await;
}

#[tokio::test]
async fn the_end_of_an_event_reaches_whoever_had_a_ticket_until_then() {
    let world = World::start().await;
    let (placed, free) = (world.sold_three().await, world.free().await);
    world.hands(&placed, 0, "grace@example.org").await;
    world.hands(&placed, 2, "void@example.org").await;
    world.hands(&free, 0, "free@example.org").await;
    // The last issued one, before it is cancelled.
    world.refund(tickets(&placed, 1)).await.unwrap();
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    world.cancel_and_note(2).await;
    let told = world.holders_told(&placed).await;
    assert_eq!(to_whom(&told), [("grace@example.org", 1)]);
    assert_eq!(
        (told[0].kind(), told[0].explanation.as_str(), told[0].number),
        (TicketNewsKind::Cancelled, "The singer is ill.", 1)
    );
    assert_eq!(told[0].previous_date_time, None);
    let told = world.holders_told(&free).await;
    assert_eq!(to_whom(&told), [("free@example.org", 1)]);
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.holders_told(&placed).await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_reminder_comes_once_per_date_whatever_the_buyer_wants_to_hear() {
    let mut world = World::start().await;
    let (noon, soon) = (zone_at(12), in_hours(20));
    let placed = world.sold_three().await;
    world.hands(&placed, 0, "grace@example.org").await;
    let handed_on = "UPDATE ticket_transfers SET ended_at = ended_at - interval '4 days'";
    sqlx::query(handed_on).execute(&world.pool).await.unwrap();
    // It is time: to this one the ticket is the reminder.
    world.hands(&placed, 1, "late@example.org").await;
    let mute = "UPDATE orders SET reminder = false, notices = false";
    sqlx::query(mute).execute(&world.pool).await.unwrap();
    for (times, at) in [(1, soon), (2, in_hours(19))] {
        world.has_tickets(&placed, at, &noon).await;
        for _ in 0..2 {
            world.next_round().await;
            let noted = eventually("they are reminded", PATIENCE, || async {
                let told = world.holders_told(&placed).await;
                (told.len() == times).then_some(told)
            });
            let told = noted.await;
            let last = told.last().unwrap();
            assert_eq!(last.order.as_ref().unwrap().email, "grace@example.org");
            assert_eq!(last.kind(), TicketNewsKind::Reminder);
            assert_eq!(date_of(last), at);
        }
    }
    assert!(world.reminders(&placed).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn while_a_ticket_is_on_its_way_its_news_waits_and_nothing_is_erased() {
    let world = World::start().await;
    let placed = world.sold().await;
    world.hands(&placed, 0, "grace@example.org").await;
    let ticket = world.tickets_of(&placed).await[0].id.clone();
    world.tickets.books().mood.transfer_away = true;
    let wish = TransferTicketRequest {
        email: "alan@example.org".to_owned(),
        ..world.handing_on(&placed, &ticket)
    };
    world.hand_on(wish).await.unwrap();
    world.tickets.postpone_event(NEW, "");
    world.until_known(NEW).await;
    eventually("somebody looked whose it is", PATIENCE, || async {
        world.hurry().await;
        let looked = "SELECT count(*) FROM holder_news
                      WHERE step_failures > 0 AND ended_at IS NULL";
        (world.count(looked).await == 1).then_some(())
    })
    .await;
    world.tickets.books().mood.transfer_away = false;
    // It went to Alan before anybody was told, with the new date in its mail.
    assert!(world.holders_told(&placed).await.is_empty());
    let handed_on = world.handed_on(&placed).await;
    let event = handed_on[1].order.as_ref().unwrap().event.as_ref().unwrap();
    assert_eq!(event.date_time, Some(proto::timestamp(NEW)));

    world.confirm_all().await;
    let unfinished = "UPDATE holder_news SET ended_at = NULL,
                          next_step_at = clock_timestamp() + interval '1 hour'";
    sqlx::query(unfinished).execute(&world.pool).await.unwrap();
    let clerk = Clerk::superadmin();
    let busy = failure(world.erase(clerk, &placed, false).await);
    assert_eq!(busy.reason, ErrorReason::OrderNotOpen);
    let due = "UPDATE holder_news SET next_step_at = clock_timestamp()";
    sqlx::query(due).execute(&world.pool).await.unwrap();
    world.holders_told(&placed).await;
    world.confirm_all().await;
    world.erase(clerk, &placed, false).await.unwrap();
    // Nobody is left to be told.
    world.tickets.postpone_event(NEWER, "");
    world.until_known(NEWER).await;
    eventually("nobody was found", PATIENCE, || async {
        world.hurry().await;
        (world.count(WAITING).await == 0).then_some(())
    })
    .await;
    let told = "SELECT count(*) FROM outbox WHERE kind = 'ticket_news'";
    assert_eq!(world.count(told).await, 0);
    let mut conn = world.pool.acquire().await.unwrap();
    let with = testkit::tables_with(&mut conn, "alan@example").await;
    assert_eq!(with, [""; 0]);
    drop(conn);
    world.end().await;
}

#[tokio::test]
async fn processes_beside_each_other_tell_once() {
    let mut world = World::start().await;
    let mut sold = Vec::new();
    for _ in 0..4 {
        let placed = world.sold().await;
        world.hands(&placed, 0, "grace@example.org").await;
        sold.push(placed);
    }
    let mut beside = Vec::new();
    for _ in 0..2 {
        beside.push(world.leave_running());
        world.restart().await;
    }
    for (times, date) in [(1, NEW), (2, NEWER)] {
        world.tickets.postpone_event(date, "");
        // No lease holds while this waits, so they all take the same steps.
        world.until_known(date).await;
        for placed in &sold {
            let told = world.holders_told(placed).await;
            assert_eq!(told.len(), times, "{told:?}");
        }
    }
    for process in beside {
        process.shutdown_background();
    }
    world.end().await;
}
