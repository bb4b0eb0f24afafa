//! The hot path: what comes at the same moment is made together, and every guest still hears what is
//! true of them alone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base::{EventId, TicketTypeId};
use futures::future::join_all;
use kit::{Certainty, ErrorReason, Failure};
use proto::{
    Peer,
    ticket::{self as api, HoldStatus, hold_service_client::HoldServiceClient},
};
use sqlx::{Connection as _, PgConnection};
use testkit::{Direction, eventually, keys, on_time};
use tokio::task::JoinHandle;
use tonic::Status;
use uuid::Uuid;

use crate::shop::{Held, LOCK_TIMEOUT, Replica, Shop, euro, hold_request, in_one_wait, refused};

const PATIENCE: Duration = Duration::from_secs(60);

type Answer = Result<api::HoldTicketsResponse, Status>;

/// Keeps every pool of an event, so that a batch waits and others gather behind it.
struct Jam(PgConnection);

impl Jam {
    async fn of(shop: &Shop, event: EventId) -> Self {
        let pools = "SELECT id FROM pools WHERE event_id = $1 FOR UPDATE";
        Self::by(shop, pools, event.uuid()).await
    }

    /// Keeps a type's own pool alone.
    async fn of_type(shop: &Shop, ticket_type: TicketTypeId) -> Self {
        let pool = "SELECT id FROM pools
                    WHERE id = (SELECT pool_id FROM ticket_types WHERE id = $1) FOR UPDATE";
        Self::by(shop, pool, ticket_type.uuid()).await
    }

    async fn by(shop: &Shop, lock: &'static str, of: Uuid) -> Self {
        let mut session = PgConnection::connect(&shop.database_url).await.unwrap();
        sqlx::raw_sql("BEGIN").execute(&mut session).await.unwrap();
        let locked = sqlx::query(lock).bind(of).fetch_all(&mut session).await;
        assert!(!locked.unwrap().is_empty());
        Self(session)
    }

    async fn end(mut self) {
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut self.0)
            .await
            .unwrap();
    }
}

fn spawn_hold(
    shop: &Arc<Shop>,
    event: EventId,
    line: (TicketTypeId, u32),
    key: String,
) -> JoinHandle<Answer> {
    let shop = shop.clone();
    tokio::spawn(async move { shop.try_hold(event, &[line], &key).await })
}

fn spawn_at_replica(
    replica: &Arc<Replica>,
    event: EventId,
    line: (TicketTypeId, u32),
    key: &str,
) -> JoinHandle<Answer> {
    let (replica, key) = (replica.clone(), key.to_owned());
    tokio::spawn(async move { replica.try_hold(event, &[line], &key).await })
}

/// Stops the sale from a type's own pool, or takes that back.
async fn halt(shop: &Shop, ticket_type: TicketTypeId, halted: bool) {
    let halt = sqlx::query(
        "UPDATE pools SET halted_at = CASE WHEN $2 THEN clock_timestamp() END,
                          halt_reason = CASE WHEN $2 THEN 'a test' ELSE '' END
         WHERE id = (SELECT pool_id FROM ticket_types WHERE id = $1)",
    );
    let halt = halt.bind(ticket_type.uuid()).bind(halted);
    halt.execute(&shop.db).await.unwrap();
}

/// On the same connections, so whoever hears an answer to it knows that the calls have arrived.
async fn all_arrived(shop: &Shop, event: EventId) {
    for _ in 0..20 {
        shop.own_event(event).await;
    }
}

fn hold_id(answer: &Answer) -> String {
    answer.as_ref().unwrap().hold.as_ref().unwrap().id.clone()
}

/// Lets these calls meet in one batch: behind a hold that waits for a jammed pool.
async fn in_one_batch(
    shop: &Arc<Shop>,
    event: EventId,
    calls: Vec<((TicketTypeId, u32), String)>,
) -> Vec<Answer> {
    let jam = Jam::of(shop, event).await;
    let first = spawn_hold(shop, event, calls[0].0, keys::idempotency_key());
    shop.waiting(1).await;
    let calls: Vec<_> = calls
        .into_iter()
        .map(|(line, key)| spawn_hold(shop, event, line, key))
        .collect();
    all_arrived(shop, event).await;
    jam.end().await;
    first.await.unwrap().unwrap();
    let answers = join_all(calls).await;
    answers.into_iter().map(|answer| answer.unwrap()).collect()
}

async fn count(shop: &Shop, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&shop.db).await.unwrap()
}

async fn close(shop: Arc<Shop>) {
    Arc::into_inner(shop).unwrap().close().await;
}

fn reason(answer: &Answer) -> Option<ErrorReason> {
    let status = answer.as_ref().err()?;
    let failure = Failure::from_status(status);
    assert_eq!(failure.certainty, Certainty::NotDone, "{status:?}");
    Some(failure.reason)
}

/// Wants one ticket, and comes back with the same key where there was no room for the call. None: it is held.
async fn insist(shop: &Shop, event: EventId, ticket_type: TicketTypeId) -> Option<ErrorReason> {
    let key = keys::idempotency_key();
    eventually("an answer", PATIENCE, async || {
        let answer = shop.try_hold(event, &[(ticket_type, 1)], &key).await;
        let reason = reason(&answer);
        (reason != Some(ErrorReason::Overloaded)).then_some(reason)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_guests_get_exactly_a_hundred_tickets_in_a_few_batches() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(100).await;
    let guests = (0..1_000).map(|_| {
        let shop = shop.clone();
        tokio::spawn(async move { insist(&shop, event, ticket_type).await })
    });
    let guests: Vec<_> = guests.collect();
    let mut held = 0;
    for guest in guests {
        match guest.await.unwrap() {
            None => held += 1,
            Some(reason) => assert_eq!(reason, ErrorReason::HeldByOthers),
        }
    }
    assert_eq!(held, 100);
    assert_eq!(shop.counters(ticket_type).await, (100, 0));
    assert_eq!(count(&shop, "SELECT COUNT(*) FROM holds").await, 100);
    let batches = count(&shop, "SELECT COUNT(DISTINCT xmin::text) FROM holds").await;
    assert!(batches < 50, "{batches} transactions made 100 holds");
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_services_sell_what_one_would() {
    let shop = Arc::new(Shop::open().await);
    let replica = Arc::new(shop.replica().await);
    let (event, ticket_type) = shop.on_sale(150).await;
    let guests = (0..600).map(|number| {
        let (shop, replica) = (shop.clone(), replica.clone());
        tokio::spawn(async move {
            let (key, lines) = (keys::idempotency_key(), [(ticket_type, 1)]);
            // Some ask both, as one whose first answer is late.
            match number % 4 {
                0 => vec![shop.try_hold(event, &lines, &key).await],
                1 => vec![replica.try_hold(event, &lines, &key).await],
                _ => {
                    let (one, two) = tokio::join!(
                        shop.try_hold(event, &lines, &key),
                        replica.try_hold(event, &lines, &key)
                    );
                    if one.is_ok() && two.is_ok() {
                        assert_eq!(hold_id(&one), hold_id(&two));
                    }
                    vec![one, two]
                }
            }
        })
    });
    let guests: Vec<_> = guests.collect();
    let mut held = 0;
    for guest in guests {
        let reasons: Vec<_> = guest.await.unwrap().iter().map(reason).collect();
        for refusal in reasons.iter().flatten() {
            assert_eq!(*refusal, ErrorReason::HeldByOthers);
        }
        held += i64::from(reasons.contains(&None));
    }
    // Whoever asked twice may have been refused first and served then.
    assert_eq!(held, 150);
    assert_eq!(shop.counters(ticket_type).await, (150, 0));
    assert_eq!(count(&shop, "SELECT COUNT(*) FROM holds").await, 150);
    Arc::into_inner(replica).unwrap().close().await;
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_keys_at_two_services_at_once_are_one_hold() {
    let shop = Arc::new(Shop::open().await);
    let replica = Arc::new(shop.replica().await);
    let (event, ticket_type) = shop.on_sale(100).await;
    let (line, jam) = ((ticket_type, 1), Jam::of(&shop, event).await);
    // Alone in its batch at both.
    let key = keys::idempotency_key();
    let here = spawn_hold(&shop, event, line, key.clone());
    shop.waiting(1).await;
    let there = spawn_at_replica(&replica, event, line, &key);
    shop.waiting(2).await;
    // And these together with others.
    let pairs = (0..30).map(|_| {
        let key = keys::idempotency_key();
        let there = spawn_at_replica(&replica, event, line, &key);
        (spawn_hold(&shop, event, line, key), there)
    });
    let mut pairs: Vec<_> = pairs.collect();
    all_arrived(&shop, event).await;
    jam.end().await;
    pairs.push((here, there));
    for (here, there) in pairs {
        let (here, there) = (here.await.unwrap(), there.await.unwrap());
        assert_eq!(hold_id(&here), hold_id(&there));
    }
    assert_eq!(shop.counters(ticket_type).await, (31, 0));
    let batches = count(&shop, "SELECT COUNT(DISTINCT xmin::text) FROM holds").await;
    assert!(batches < 10, "{batches} transactions made 31 holds");
    Arc::into_inner(replica).unwrap().close().await;
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_for_two_events_at_two_services_at_once_is_one_hold_and_a_refusal() {
    let shop = Arc::new(Shop::open().await);
    let replica = Arc::new(shop.replica().await);
    let (event, ticket_type) = shop.on_sale(10).await;
    let (other_event, other_type) = shop.on_sale(10).await;
    let (jam, other_jam) = (
        Jam::of(&shop, event).await,
        Jam::of(&shop, other_event).await,
    );
    let key = keys::idempotency_key();
    let here = spawn_hold(&shop, event, (ticket_type, 1), key.clone());
    let there = spawn_at_replica(&replica, other_event, (other_type, 1), &key);
    shop.waiting(2).await;
    jam.end().await;
    here.await.unwrap().unwrap();
    other_jam.end().await;
    refused(there.await.unwrap(), ErrorReason::IdempotencyKeyReused);
    assert_eq!(shop.counters(other_type).await, (0, 0));
    Arc::into_inner(replica).unwrap().close().await;
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_stored_while_a_batch_waits_is_not_refused() {
    let shop = Arc::new(Shop::open().await);
    let replica = Arc::new(shop.replica().await);
    let (event, ticket_type) = shop.on_sale(1_000).await;
    let (here, there) = in_one_wait(async || {
        let (line, key) = ((ticket_type, 1), keys::idempotency_key());
        let jam = Jam::of(&shop, event).await;
        let begun = Instant::now();
        let there = spawn_at_replica(&replica, event, line, &key);
        shop.waiting(1).await;
        // Who waits for a row gets it in turn: the hold is stored, the pool is halted, and then the
        // other batch has it.
        let halted = tokio::spawn({
            let shop = shop.clone();
            async move { halt(&shop, ticket_type, true).await }
        });
        shop.waiting(2).await;
        let here = spawn_hold(&shop, event, line, key);
        shop.waiting(3).await;
        jam.end().await;
        let answers = (here.await.unwrap(), there.await.unwrap());
        halted.await.unwrap();
        halt(&shop, ticket_type, false).await;
        (begun, answers)
    })
    .await;
    assert_eq!(hold_id(&here), hold_id(&there));
    Arc::into_inner(replica).unwrap().close().await;
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_keys_of_one_batch_are_one_hold() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(10).await;
    let (key, other) = (keys::idempotency_key(), keys::idempotency_key());
    let call = |quantity, key: &str| ((ticket_type, quantity), key.to_owned());
    let calls = vec![call(1, &key), call(1, &key), call(2, &other), call(1, &key)];
    let answers = in_one_batch(&shop, event, calls).await;
    let ids: Vec<_> = answers.iter().map(hold_id).collect();
    assert!(
        ids[0] == ids[1] && ids[1] == ids[3] && ids[0] != ids[2],
        "{ids:?}"
    );
    // One of them made the batch wait.
    assert_eq!(shop.counters(ticket_type).await, (4, 0));
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_with_two_bodies_in_one_batch_is_one_hold_and_a_refusal() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(10).await;
    let key = keys::idempotency_key();
    let calls = vec![((ticket_type, 1), key.clone()), ((ticket_type, 3), key)];
    let answers = in_one_batch(&shop, event, calls).await;
    let reasons: Vec<_> = answers.iter().filter_map(reason).collect();
    assert_eq!(reasons, [ErrorReason::IdempotencyKeyReused]);
    assert_eq!(count(&shop, "SELECT COUNT(*) FROM holds").await, 2);
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeated_call_finds_its_hold_behind_a_wrong_one_with_its_key() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(100).await;
    let key = keys::idempotency_key();
    let stored = shop.try_hold(event, &[(ticket_type, 2)], &key).await;
    let calls = [1, 2, 3, 2].map(|quantity| ((ticket_type, quantity), key.clone()));
    let answers = in_one_batch(&shop, event, calls.to_vec()).await;
    let reused = Some(ErrorReason::IdempotencyKeyReused);
    let reasons: Vec<_> = answers.iter().map(reason).collect();
    assert_eq!(reasons, [reused, None, reused, None]);
    for answer in [&answers[1], &answers[3]] {
        assert_eq!(hold_id(answer), hold_id(&stored));
    }
    assert_eq!(shop.counters(ticket_type).await, (3, 0));
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_the_pool_of_a_wish_that_is_refused() {
    let shop = Arc::new(Shop::open().await);
    let (event, stalls) = shop.on_sale(1_000).await;
    let balcony = shop.ticket_type(event, Some(10)).await;
    halt(&shop, balcony, true).await;
    let key = keys::idempotency_key;
    let halted = ErrorReason::SalesHalted;
    refused(shop.try_hold(event, &[(balcony, 1)], &key()).await, halted);
    on_time("two answers", LOCK_TIMEOUT, 1, async || {
        let jam = Jam::of_type(&shop, stalls).await;
        // Who looks into a halted pool keeps it.
        let auditor = Jam::of_type(&shop, balcony).await;
        let first = spawn_hold(&shop, event, (stalls, 1), key());
        shop.waiting(1).await;
        let of_stalls = spawn_hold(&shop, event, (stalls, 1), key());
        let of_balcony = spawn_hold(&shop, event, (balcony, 1), key());
        all_arrived(&shop, event).await;
        jam.end().await;
        let begun = Instant::now();
        first.await.unwrap().unwrap();
        of_stalls.await.unwrap().unwrap();
        refused(of_balcony.await.unwrap(), halted);
        let took = begun.elapsed();
        auditor.end().await;
        took
    })
    .await;
    halt(&shop, balcony, false).await;
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_ids_are_not_looked_up_again_and_again() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    shop.hold(event, ticket_type, 1).await;
    for absent in [false, true] {
        let (event, no_type) = if absent {
            (EventId::new(&shop.sources), ticket_type)
        } else {
            (event, TicketTypeId::new(&shop.sources))
        };
        let ask = async || {
            let key = keys::idempotency_key();
            shop.try_hold(event, &[(no_type, 1)], &key).await
        };
        // A reading waits for the table; the second answer comes without one, if the machine is not
        // so slow that a reading is due again.
        eventually("an answer without a reading", PATIENCE, || async {
            ask().await.unwrap_err();
            let mut keeper = shop.db.begin().await.unwrap();
            sqlx::raw_sql("LOCK TABLE ticket_types IN ACCESS EXCLUSIVE MODE")
                .execute(&mut *keeper)
                .await
                .unwrap();
            let answer = tokio::time::timeout(Duration::from_millis(500), ask()).await;
            keeper.rollback().await.unwrap();
            answer.ok().map(Result::unwrap_err)
        })
        .await;
    }
    shop.hold(event, ticket_type, 1).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_does_not_fit_leaves_room_for_who_does() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(5).await;
    // The one before the batch takes 4.
    let calls = [4, 4, 1, 4].map(|quantity| ((ticket_type, quantity), keys::idempotency_key()));
    let answers = in_one_batch(&shop, event, calls.to_vec()).await;
    let reasons: Vec<_> = answers.iter().map(reason).collect();
    let held_by_others = Some(ErrorReason::HeldByOthers);
    assert_eq!(
        reasons,
        [held_by_others, held_by_others, None, held_by_others]
    );
    assert_eq!(shop.counters(ticket_type).await, (5, 0));
    // A refusal leaves nothing behind.
    assert_eq!(count(&shop, "SELECT COUNT(*) FROM holds").await, 2);
    assert_eq!(count(&shop, "SELECT COUNT(*) FROM hold_lines").await, 2);
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hold_that_cannot_be_stored_fails_nobody_else() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(20).await;
    sqlx::raw_sql("ALTER TABLE hold_lines ADD CONSTRAINT not_seven CHECK (quantity <> 7)")
        .execute(&shop.db)
        .await
        .unwrap();
    let calls = [1, 7, 2].map(|quantity| ((ticket_type, quantity), keys::idempotency_key()));
    let answers = in_one_batch(&shop, event, calls.to_vec()).await;
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    let failure = Failure::from_status(answers[1].as_ref().unwrap_err());
    assert_eq!(
        (failure.reason, failure.certainty),
        (ErrorReason::Internal, Certainty::NotDone)
    );
    assert_eq!(shop.counters(ticket_type).await, (4, 0));
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_key_is_answered_from_its_row_whatever_memory_says() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let (event, ticket_type) = shop.on_sale(2).await;
    let lines = [(ticket_type, 1)];
    let (here, there) = (keys::idempotency_key(), keys::idempotency_key());
    let first = shop.try_hold(event, &lines, &here).await.unwrap();
    let second = replica.try_hold(event, &lines, &there).await.unwrap();
    // Both know by now that nothing is left.
    for _ in 0..2 {
        let (one, two) = (keys::idempotency_key(), keys::idempotency_key());
        let held_by_others = ErrorReason::HeldByOthers;
        refused(shop.try_hold(event, &lines, &one).await, held_by_others);
        refused(replica.try_hold(event, &lines, &two).await, held_by_others);
    }
    let again = shop.try_hold(event, &lines, &there).await.unwrap();
    assert_eq!((again.hold, again.secret), (second.hold, second.secret));
    let again = replica.try_hold(event, &lines, &here).await.unwrap();
    assert_eq!((again.hold, again.secret), (first.hold, first.secret));
    refused(
        replica.try_hold(event, &[(ticket_type, 2)], &here).await,
        ErrorReason::IdempotencyKeyReused,
    );
    replica.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_stored_hold_that_cannot_be_read_nobody_hears_that_it_was_not_made() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let (key, lines) = (keys::idempotency_key(), [(ticket_type, 1)]);
    let stored = shop.try_hold(event, &lines, &key).await;
    let rename = async |sql: &'static str| sqlx::raw_sql(sql).execute(&shop.db).await.unwrap();
    // Nothing is left, so it is looked for, and found.
    rename("ALTER TABLE hold_lines RENAME TO lines_elsewhere").await;
    let unread = shop.try_hold(event, &lines, &key).await.unwrap_err();
    let failure = Failure::from_status(&unread);
    assert_eq!(failure.certainty, Certainty::Unknown, "{unread:?}");
    rename("ALTER TABLE lines_elsewhere RENAME TO hold_lines").await;
    let again = shop.try_hold(event, &lines, &key).await;
    assert_eq!(hold_id(&again), hold_id(&stored));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_service_changed_is_true_here_at_once() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    let lines = [(ticket_type, 3)];
    let hold = async || {
        let key = keys::idempotency_key();
        replica.try_hold(event, &lines, &key).await
    };
    let held = Held::from(hold().await.unwrap());
    // The replica has learnt the price, and that nothing is left.
    refused(hold().await, ErrorReason::HeldByOthers);
    shop.release_hold(&held).await.unwrap();
    let raise = api::UpdateTicketTypeRequest {
        ticket_type_id: ticket_type.to_string(),
        price: Some(euro(9_900)),
        ..Default::default()
    };
    shop.update_type(raise).await.unwrap();
    let held = Held::from(hold().await.unwrap());
    assert_eq!(held.total, euro(29_700));
    shop.release_hold(&held).await.unwrap();
    shop.set_event_status(event, "inactive").await;
    refused(hold().await, ErrorReason::EventNotActive);
    shop.set_event_status(event, "active").await;
    hold().await.unwrap();
    // A type that the replica has never seen.
    let balcony = [(shop.ticket_type(event, None).await, 1)];
    let key = keys::idempotency_key();
    replica.try_hold(event, &balcony, &key).await.unwrap();
    replica.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_made_while_the_event_was_paused_is_sold_once_it_is_active() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(3).await;
    let hold = async |ticket_type| {
        let key = keys::idempotency_key();
        shop.try_hold(event, &[(ticket_type, 1)], &key).await
    };
    shop.set_event_status(event, "inactive").await;
    // From here on memory shows an inactive event with one type.
    refused(hold(stalls).await, ErrorReason::EventNotActive);
    let balcony = shop.ticket_type(event, Some(3)).await;
    refused(hold(balcony).await, ErrorReason::EventNotActive);
    let circle = shop.ticket_type(event, Some(3)).await;
    shop.set_event_status(event, "active").await;
    hold(circle).await.unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_pool_is_not_held_from() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    shop.hold(event, ticket_type, 1).await;
    let hold = async || {
        let key = keys::idempotency_key();
        shop.try_hold(event, &[(ticket_type, 1)], &key).await
    };
    halt(&shop, ticket_type, true).await;
    refused(hold().await, ErrorReason::SalesHalted);
    halt(&shop, ticket_type, false).await;
    hold().await.unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_held_of_an_event_once_its_cancellation_is_answered() {
    let shop = Arc::new(Shop::open().await);
    for _ in 0..3 {
        let under_way = in_one_wait(async || Box::pin(cancelled_under_holds(&shop)).await).await;
        under_way.unwrap();
    }
    close(shop).await;
}

/// The answer to the hold that was under way then.
async fn cancelled_under_holds(shop: &Arc<Shop>) -> (Instant, Answer) {
    let (event, ticket_type) = shop.on_sale(1_000).await;
    shop.hold(event, ticket_type, 1).await;
    let jam = Jam::of(shop, event).await;
    let begun = Instant::now();
    let under_way = spawn_hold(shop, event, (ticket_type, 1), keys::idempotency_key());
    shop.waiting(1).await;
    let others =
        (0..64).map(|_| spawn_hold(shop, event, (ticket_type, 1), keys::idempotency_key()));
    let others: Vec<_> = others.collect();
    let cancelled = tokio::spawn({
        let shop = shop.clone();
        async move { shop.cancel_event(event, "").await }
    });
    shop.waiting(2).await;
    jam.end().await;
    cancelled.await.unwrap();
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    let under_way = under_way.await.unwrap();
    for other in others {
        let answer = other.await.unwrap();
        if let Some(reason) = reason(&answer) {
            assert_eq!(reason, ErrorReason::EventNotActive);
        }
    }
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    (begun, under_way)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_that_ends_serves_who_waits() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(100).await;
    shop.hold(event, ticket_type, 1).await;
    let jam = Jam::of(&shop, event).await;
    let first = spawn_hold(&shop, event, (ticket_type, 1), keys::idempotency_key());
    shop.waiting(1).await;
    let others =
        (0..30).map(|_| spawn_hold(&shop, event, (ticket_type, 1), keys::idempotency_key()));
    let others: Vec<_> = others.collect();
    all_arrived(&shop, event).await;
    shop.begin_shutdown();
    jam.end().await;
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(shop.counters(ticket_type).await, (32, 0));
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_commit_had_no_answer_is_made_once() {
    let (shop, wire) = Shop::open_behind_a_proxy().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    shop.hold(event, ticket_type, 1).await;
    // The category is in the statement that makes holds, and in no other.
    wire.cut_after(Direction::Up, "Stalls", 1);
    let held = shop.hold(event, ticket_type, 2).await;
    assert_eq!(shop.get_hold(&held).await.status(), HoldStatus::Active);
    assert_eq!(shop.counters(ticket_type).await, (3, 0));
    assert_eq!(count(&shop, "SELECT COUNT(*) FROM holds").await, 2);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_said_to_be_busy_and_found_again() {
    let (shop, wire) = Shop::open_behind_a_proxy().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    shop.hold(event, ticket_type, 1).await;
    wire.refuse(true);
    wire.reset_connected();
    let key = keys::idempotency_key();
    let wish = hold_request(event, &[(ticket_type, 1)], &key);
    let mut holds = HoldServiceClient::new(shop.impatient(Peer::Gateway));
    let lost = holds.hold_tickets(wish).await;
    let failure = Failure::from_status(&lost.unwrap_err());
    let unavailable = [ErrorReason::Overloaded, ErrorReason::OutcomeUnknown];
    assert!(unavailable.contains(&failure.reason), "{failure:?}");
    wire.refuse(false);
    eventually("the hold", PATIENCE, async || {
        let again = shop.try_hold(event, &[(ticket_type, 1)], &key).await;
        again.ok()
    })
    .await;
    assert_eq!(shop.counters(ticket_type).await, (2, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_the_ledger_knows_is_not_deleted() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    shop.hold(event, ticket_type, 1).await;
    let delete =
        "ALTER TABLE ticket_types DROP CONSTRAINT ticket_types_pool_id_fkey; DELETE FROM pools";
    let mut session = PgConnection::connect(&shop.database_url).await.unwrap();
    let refused = sqlx::raw_sql(delete)
        .execute(&mut session)
        .await
        .unwrap_err();
    let refused = refused.into_database_error().unwrap();
    assert_eq!(refused.constraint(), Some("inventory_ledger_pool_id_fkey"));
    shop.close().await;
}
