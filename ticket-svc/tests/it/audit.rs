//! The auditor: what was changed past the service stops the sale of its pool within seconds, and a sale
//! that is only busy never does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use base::{EventId, TicketTypeId};
use kit::{Bind, ErrorReason, Shutdown};
use proto::{
    Peer,
    ticket::{self as api, Availability, Witness, hold_service_client::HoldServiceClient},
};
use testkit::{Patient, eventually, keys, on_time};
use tokio::task::JoinHandle;
use tonic::Status;
use uuid::Uuid;

use crate::shop::{Channel, Shop, Trusting, by, config, fact, refused, refused_field};

/// The promise.
const HALTED_WITHIN: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);

impl Shop {
    async fn pool(&self, ticket_type: TicketTypeId) -> Uuid {
        sqlx::query_scalar("SELECT pool_id FROM ticket_types WHERE id = $1")
            .bind(ticket_type.uuid())
            .fetch_one(&self.db)
            .await
            .unwrap()
    }

    /// Waits until a checkpoint of the pool has everything that its ledger has now.
    async fn audited(&self, pool: Uuid) {
        self.make_recounts_due().await;
        eventually("the pool is audited", PATIENCE, || async {
            let audited: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pool_audits WHERE pool_id = $1 AND up_to >= COALESCE(
                     (SELECT MAX(at) FROM inventory_ledger WHERE pool_id = $1), '-infinity'))",
            )
            .bind(pool)
            .fetch_one(&self.db)
            .await
            .unwrap();
            if !audited {
                self.make_recounts_due().await;
            }
            audited.then_some(())
        })
        .await;
    }

    /// As if a while had passed since the last recounts.
    async fn make_recounts_due(&self) {
        self.tamper(
            "UPDATE pool_audits SET audited_at = '-infinity'",
            Uuid::nil(),
        )
        .await;
    }

    /// `$1` is the pool.
    async fn tamper(&self, sql: &'static str, pool: Uuid) {
        let done = sqlx::query(sql);
        let done = if sql.contains("$1") {
            done.bind(pool)
        } else {
            done
        };
        done.execute(&self.db).await.unwrap();
    }

    /// When and why the pool was halted, once it is.
    async fn halted(&self, pool: Uuid) -> (time::OffsetDateTime, String) {
        eventually("the pool is halted", PATIENCE, || async {
            sqlx::query_as(
                "SELECT halted_at, halt_reason FROM pools WHERE id = $1 AND halted_at IS NOT NULL",
            )
            .bind(pool)
            .fetch_optional(&self.db)
            .await
            .unwrap()
        })
        .await
    }

    async fn halted_count(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM pools WHERE halted_at IS NOT NULL")
            .fetch_one(&self.db)
            .await
            .unwrap()
    }

    async fn halted_pools(&self, role: &str) -> Result<Vec<api::HaltedPool>, Status> {
        let request = by(
            &format!("{role}:{}", self.owner),
            api::ListHaltedPoolsRequest {},
        );
        let list = self.audit.clone().list_halted_pools(request).await?;
        Ok(list.into_inner().pools)
    }

    async fn try_resume(
        &self,
        pool: Uuid,
        believe: Witness,
    ) -> Result<api::ResumePoolResponse, Status> {
        let request = api::ResumePoolRequest {
            pool_id: pool.to_string(),
            believe: believe.into(),
            note: "Looked into it.".to_owned(),
        };
        let request = by(&format!("superadmin:{}", self.owner), request);
        Ok(self.audit.clone().resume_pool(request).await?.into_inner())
    }

    async fn resume(&self, pool: Uuid, believe: Witness) -> api::PoolUnits {
        let resumed = self.try_resume(pool, believe).await.unwrap();
        resumed.counters.unwrap()
    }

    async fn hold_of(&self, event: EventId, lines: &[TicketTypeId]) -> Result<(), Status> {
        let lines: Vec<_> = lines.iter().map(|id| (*id, 1)).collect();
        let held = self.try_hold(event, &lines, &keys::idempotency_key()).await;
        held.map(|_| ())
    }

    async fn availability(&self, event: EventId) -> (Availability, Vec<Availability>) {
        let request = api::GetEventRequest {
            id_or_slug: event.to_string(),
        };
        let found = self
            .catalog
            .clone()
            .get_event(request)
            .await
            .unwrap()
            .into_inner();
        let types = found.ticket_types.iter().map(api::TicketType::availability);
        (found.event.unwrap().availability(), types.collect())
    }
}

fn units(held: i64, sold: i64) -> api::PoolUnits {
    api::PoolUnits {
        held,
        sold,
        blocked: 0,
    }
}

const ONE_MORE_HELD: &str = "UPDATE pools SET held = held + 1 WHERE id = $1";
const ONE_MORE_SOLD: &str = "INSERT INTO inventory_ledger
     (subject_id, pool_id, line, transition, held_delta, sold_delta)
     VALUES (gen_random_uuid(), $1, 0, 'resell', 0, 1)";

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_counter_halts_its_pool_and_no_other() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(10)).await;
    let (order, _) = shop.paying(event, stalls, 2).await;
    let held = shop.hold(event, stalls, 1).await;
    let pool = shop.pool(stalls).await;
    shop.audited(pool).await;

    shop.tamper(ONE_MORE_HELD, pool).await;
    let (_, reason) = shop.halted(pool).await;
    assert_eq!(
        reason,
        "held 4, sold 0, blocked 0; the ledger says 3, 0 and 0"
    );
    for lines in [&[stalls][..], &[balcony, stalls]] {
        let refusal = refused(shop.hold_of(event, lines).await, ErrorReason::SalesHalted);
        assert_eq!(fact(&refusal, "ticket_type_id"), Some(&*stalls.to_string()));
    }
    shop.hold_of(event, &[balcony]).await.unwrap();
    let seen = shop.availability(event).await;
    assert_eq!(
        seen,
        (
            Availability::OnSale,
            vec![Availability::Halted, Availability::OnSale]
        )
    );
    // What is held may still be bought, and given back.
    assert_eq!(shop.commit(order).await.tickets.len(), 2);
    shop.release_hold(&held).await.unwrap();
    assert_eq!(shop.halted_count().await, 1);

    refused(
        shop.halted_pools("admin").await,
        ErrorReason::PermissionDenied,
    );
    let list = shop.halted_pools("superadmin").await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(
        (&list[0].id, &list[0].event_id),
        (&pool.to_string(), &event.to_string())
    );
    assert_eq!(
        (list[0].counters, list[0].ledger),
        (Some(units(1, 2)), Some(units(0, 2)))
    );
    assert_eq!(
        (&list[0].categories, list[0].capacity),
        (&vec!["Stalls".to_owned()], Some(10))
    );
    assert_eq!(list[0].reason, reason);

    assert_eq!(shop.resume(pool, Witness::Ledger).await, units(0, 2));
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    assert_eq!(shop.halted_count().await, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_counter_is_found_within_seconds() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    let pool = shop.pool(stalls).await;
    on_time("a changed counter is found", HALTED_WITHIN, 1, async || {
        shop.audited(pool).await;
        shop.tamper(ONE_MORE_HELD, pool).await;
        let begun = Instant::now();
        shop.halted(pool).await;
        let took = begun.elapsed();
        shop.resume(pool, Witness::Ledger).await;
        took
    })
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_ledger_halts_its_pool() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(10)).await;
    let (pool, other) = (shop.pool(stalls).await, shop.pool(balcony).await);
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    shop.audited(other).await;

    shop.tamper(ONE_MORE_SOLD, pool).await;
    shop.halted(pool).await;
    refused(
        shop.hold_of(event, &[stalls]).await,
        ErrorReason::SalesHalted,
    );
    shop.hold_of(event, &[balcony]).await.unwrap();

    // The row is a lie; the ledger says so itself from now on.
    assert_eq!(shop.resume(pool, Witness::Counters).await, units(1, 0));
    let corrected: (i64, i64) = sqlx::query_as(
        "SELECT held_delta, sold_delta FROM inventory_ledger WHERE pool_id = $1 AND transition = 'correct'",
    )
    .bind(pool)
    .fetch_one(&shop.db)
    .await
    .unwrap();
    assert_eq!(corrected, (0, -1));
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    assert_eq!(shop.halted_count().await, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_row_of_long_ago_is_found_by_the_recount() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let pool = shop.pool(stalls).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    shop.tamper(
        "UPDATE inventory_ledger SET held_delta = 2 WHERE pool_id = $1",
        pool,
    )
    .await;
    shop.make_recounts_due().await;
    let (_, reason) = shop.halted(pool).await;
    assert_eq!(
        reason,
        "held 1, sold 0, blocked 0; the ledger says 2, 0 and 0"
    );
    shop.tamper(
        "UPDATE inventory_ledger SET held_delta = 1 WHERE pool_id = $1",
        pool,
    )
    .await;
    shop.resume(pool, Witness::Ledger).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_checkpoint_halts_nothing_and_is_drawn_anew() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let pool = shop.pool(stalls).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    // As a clock that was set back could make it.
    shop.tamper(
        "UPDATE pool_audits SET held = held + 5 WHERE pool_id = $1",
        pool,
    )
    .await;
    eventually("the checkpoint is right again", PATIENCE, || async {
        let held: i64 = sqlx::query_scalar("SELECT held FROM pool_audits WHERE pool_id = $1")
            .bind(pool)
            .fetch_one(&shop.db)
            .await
            .unwrap();
        (held == 1).then_some(())
    })
    .await;
    assert_eq!(shop.halted_count().await, 0);
    shop.close().await;
}

const SLOW_RECOUNTS: &str = concat!(
    "CREATE FUNCTION slow_recount() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ",
    // Sleeps: a recount draws the checkpoint anew, and takes as long as that.
    "PERFORM pg_sleep(9);",
    " RETURN NEW; END $$;
     CREATE TRIGGER slow_recounts BEFORE INSERT OR UPDATE OF audited_at ON pool_audits
     FOR EACH ROW EXECUTE FUNCTION slow_recount()",
);
const RECOUNTS_AS_EVER: &str = "DROP TRIGGER slow_recounts ON pool_audits";

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_that_takes_too_long_to_recount_is_halted() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let pool = shop.pool(stalls).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    sqlx::raw_sql(SLOW_RECOUNTS)
        .execute(&shop.db)
        .await
        .unwrap();
    shop.tamper(ONE_MORE_HELD, pool).await;
    let reason = eventually("the pool is halted", PATIENCE, || async {
        sqlx::query_scalar::<_, String>(
            "SELECT NULLIF(halt_reason, '') FROM pools WHERE id = $1 AND halted_at IS NOT NULL",
        )
        .bind(pool)
        .fetch_optional(&shop.db)
        .await
        .unwrap()
    })
    .await;
    assert_eq!(
        reason,
        "suspected, for a recount took too long: held 2, sold 0, blocked 0; \
         checkpoint and newer rows say 1, 0 and 0"
    );
    shop.tamper(RECOUNTS_AS_EVER, pool).await;
    shop.resume(pool, Witness::Ledger).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.close().await;
}

/// Rows that come and go, so many at once that no look adds them up.
const A_LONG_TAIL: &str = "INSERT INTO inventory_ledger
     (subject_id, pool_id, line, transition, held_delta, sold_delta, at)
     SELECT md5((n / 2)::text)::uuid, $1, 0, CASE n % 2 WHEN 0 THEN 'hold' ELSE 'free' END,
            CASE n % 2 WHEN 0 THEN 1 ELSE -1 END, 0, clock_timestamp()
     FROM generate_series(0, 419999) n";

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_with_a_long_tail_is_suspected_all_the_same() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let pool = shop.pool(stalls).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    // So only a look can find what is changed.
    sqlx::raw_sql(SLOW_RECOUNTS)
        .execute(&shop.db)
        .await
        .unwrap();
    shop.tamper(A_LONG_TAIL, pool).await;
    shop.tamper(ONE_MORE_HELD, pool).await;
    let reason = eventually("the pool is halted", 2 * PATIENCE, || async {
        sqlx::query_scalar::<_, String>(
            "SELECT NULLIF(halt_reason, '') FROM pools WHERE id = $1 AND halted_at IS NOT NULL",
        )
        .bind(pool)
        .fetch_optional(&shop.db)
        .await
        .unwrap()
    })
    .await;
    assert!(reason.starts_with("suspected"), "{reason}");
    shop.tamper(RECOUNTS_AS_EVER, pool).await;
    // Both add up the whole ledger, in more steps than one.
    let list = shop.halted_pools("superadmin").await.unwrap();
    assert_eq!(
        (list[0].counters, list[0].ledger),
        (Some(units(2, 0)), Some(units(1, 0)))
    );
    assert_eq!(shop.resume(pool, Witness::Ledger).await, units(1, 0));
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.tamper(
        "DELETE FROM inventory_ledger WHERE pool_id = $1 AND subject_id NOT IN (SELECT id FROM holds)",
        pool,
    )
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_pool_while_its_ledger_is_added_up() {
    let shop = Arc::new(Shop::open().await);
    let (event, stalls) = shop.on_sale(10).await;
    let pool = shop.pool(stalls).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    shop.tamper(ONE_MORE_HELD, pool).await;
    shop.halted(pool).await;
    let mut keeper = shop.db.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE inventory_ledger IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *keeper)
        .await
        .unwrap();
    let resumed = tokio::spawn({
        let shop = shop.clone();
        async move { shop.resume(pool, Witness::Ledger).await }
    });
    eventually("the ledger is added up", PATIENCE, || async {
        let adds_up: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
               AND wait_event_type = 'Lock' AND query LIKE '%AS \"live!\"%')",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        adds_up.then_some(())
    })
    .await;
    let locked = sqlx::query("SELECT id FROM pools WHERE id = $1 FOR UPDATE NOWAIT");
    let locked = locked.bind(pool).execute(&shop.db).await;
    keeper.rollback().await.unwrap();
    assert_eq!(locked.expect("nobody keeps the pool").rows_affected(), 1);
    assert_eq!(resumed.await.unwrap(), units(1, 0));
    let shop = Arc::into_inner(shop).unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recount_of_before_a_decision_halts_nothing() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let pool = shop.pool(stalls).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    // The recount has seen the difference, and waits for the row while it is put right.
    let mut decision = shop.db.begin().await.unwrap();
    sqlx::query("SELECT id FROM pools WHERE id = $1 FOR NO KEY UPDATE")
        .bind(pool)
        .execute(&mut *decision)
        .await
        .unwrap();
    shop.tamper(
        "UPDATE inventory_ledger SET held_delta = 2 WHERE pool_id = $1",
        pool,
    )
    .await;
    shop.make_recounts_due().await;
    shop.waiting(1).await;
    for sql in [
        "UPDATE inventory_ledger SET held_delta = 1 WHERE pool_id = $1",
        // As `ResumePool` does.
        "UPDATE pools SET generation = generation + 1 WHERE id = $1",
    ] {
        sqlx::query(sql)
            .bind(pool)
            .execute(&mut *decision)
            .await
            .unwrap();
    }
    decision.commit().await.unwrap();
    shop.audited_since_now().await;
    assert_eq!(shop.halted_count().await, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_payment_waits_for_the_decision() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let (order, held) = shop.paying(event, stalls, 2).await;
    shop.age(&held).await;
    eventually("the hold is swept", PATIENCE, || async {
        (shop.counters(stalls).await == (0, 0)).then_some(())
    })
    .await;
    let pool = shop.pool(stalls).await;
    shop.audited(pool).await;
    shop.tamper(ONE_MORE_HELD, pool).await;
    shop.halted(pool).await;
    let request = api::CommitOrderRequest {
        order_id: order.to_string(),
        ..Default::default()
    };
    let answer = shop.inventory.clone().commit_order(request).await;
    refused(answer, ErrorReason::SalesHalted);
    shop.resume(pool, Witness::Ledger).await;
    assert_eq!(
        shop.commit(order).await.answer(),
        api::OrderAnswer::Committed
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_recorded_once_and_must_be_possible() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(3).await;
    let pool = shop.pool(stalls).await;
    shop.hold_of(event, &[stalls]).await.unwrap();
    shop.audited(pool).await;
    for _ in 0..3 {
        shop.tamper(ONE_MORE_SOLD, pool).await;
    }
    shop.halted(pool).await;
    refused(
        shop.try_resume(pool, Witness::Ledger).await,
        ErrorReason::CapacityTooSmall,
    );
    shop.tamper(
        "INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
         VALUES (gen_random_uuid(), $1, 0, 'return', 0, -4)",
        pool,
    )
    .await;
    refused_field(shop.try_resume(pool, Witness::Ledger).await, "believe");
    refused_field(shop.try_resume(pool, Witness::Unspecified).await, "believe");
    refused(
        shop.try_resume(Uuid::nil(), Witness::Ledger).await,
        ErrorReason::NotFound,
    );
    assert_eq!(shop.halted_count().await, 1);

    for _ in 0..2 {
        assert_eq!(shop.resume(pool, Witness::Counters).await, units(1, 0));
    }
    let records: Vec<(Uuid, serde_json::Value, serde_json::Value)> = sqlx::query_as(
        "SELECT actor, before, after FROM audit_log WHERE action = 'pool.resumed' AND object_id = $1",
    )
    .bind(pool)
    .fetch_all(&shop.db)
    .await
    .unwrap();
    let [(actor, before, after)] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(*actor, shop.owner.uuid());
    assert_eq!(before["ledger"]["sold"], -1);
    assert_eq!(
        (&after["believed"], &after["note"]),
        (&"counters".into(), &"Looked into it.".into())
    );
    // What is left of the tampering adds up to nothing.
    shop.tamper(
        "DELETE FROM inventory_ledger WHERE pool_id = $1 AND transition <> 'hold'",
        pool,
    )
    .await;
    shop.close().await;
}

/// Another ticket-svc on the same database, with hurried auditors.
struct Replica {
    holds: HoldServiceClient<Channel>,
    shutdown: Shutdown,
    server: JoinHandle<anyhow::Result<()>>,
}

impl Replica {
    async fn of(shop: &Shop) -> Self {
        let mut config = config(
            &shop.database_url,
            &keys::mesh_key(),
            &shop.ticket_code_keys,
        );
        config.audit_pause_ms = 10;
        let (bind, addr) = Bind::loopback().await.unwrap();
        let identity = config.mesh.key.as_ref().unwrap().identity(Peer::Gateway);
        let sources = shop.sources.clone();
        let server = ticket_svc::build_with_verifier(&config, bind, sources, Arc::new(Trusting));
        let server = server.await.unwrap();
        let shutdown = Shutdown::new();
        let channel = Patient(kit::client::channel(&format!("http://{addr}"), identity).unwrap());
        Self {
            holds: HoldServiceClient::new(channel),
            server: tokio::spawn(server.serve(shutdown.clone())),
            shutdown,
        }
    }

    /// A guest who holds a ticket and gives it back.
    async fn come_and_go(&self, event: EventId, ticket_type: TicketTypeId) -> Result<(), Status> {
        let request = api::HoldTicketsRequest {
            event_id: event.to_string(),
            lines: vec![api::HoldTicketsLine {
                ticket_type_id: ticket_type.to_string(),
                quantity: 1,
            }],
            idempotency_key: keys::idempotency_key(),
        };
        let held = self.holds.clone().hold_tickets(request).await?.into_inner();
        let request = api::ReleaseHoldRequest {
            hold_id: held.hold.unwrap().id,
            secret: held.secret,
        };
        self.holds.clone().release_hold(request).await?;
        Ok(())
    }

    async fn close(self) {
        self.shutdown.begin();
        self.server.await.unwrap().unwrap();
    }
}

/// Checkpoints that are not the sum of their part of the ledger, in one snapshot.
const WRONG_CHECKPOINTS: &str = "SELECT format('%s up to %s', a.pool_id, a.up_to) FROM pool_audits a
     WHERE (a.held, a.sold, a.blocked) <> (
         SELECT COALESCE(SUM(held_delta), 0), COALESCE(SUM(sold_delta), 0), COALESCE(SUM(blocked_delta), 0)
         FROM inventory_ledger l WHERE l.pool_id = a.pool_id AND l.at <= a.up_to)";

async fn wrong_checkpoints(shop: &Shop) -> Vec<String> {
    sqlx::query_scalar(WRONG_CHECKPOINTS)
        .fetch_all(&shop.db)
        .await
        .unwrap()
}

/// A writer that takes its time between its row and its commit.
const SLOW_WRITER: [&str; 4] = [
    "SELECT id FROM pools WHERE id = $1 FOR UPDATE",
    "INSERT INTO inventory_ledger
         (subject_id, pool_id, line, transition, held_delta, sold_delta, blocked_delta)
     VALUES (gen_random_uuid(), $1, 0, 'block', 0, 0, 1)",
    "UPDATE pools SET blocked = blocked + 1 WHERE id = $1",
    // Sleeps: that it takes long is what it is for.
    "SELECT pg_sleep(0.15)",
];

async fn write_slowly(shop: &Shop, pool: Uuid) {
    let mut slow = shop.db.begin().await.unwrap();
    for sql in SLOW_WRITER {
        let statement = sqlx::query(sql);
        let statement = if sql.contains("$1") {
            statement.bind(pool)
        } else {
            statement
        };
        statement.execute(&mut *slow).await.unwrap();
    }
    slow.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_busy_sale_on_two_replicas_raises_no_alarm() {
    let shop = Arc::new(Shop::open().await);
    let event = shop.event().await;
    let mut types = Vec::new();
    for _ in 0..4 {
        types.push(shop.ticket_type(event, Some(100_000)).await);
    }
    let replicas = [
        Arc::new(Replica::of(&shop).await),
        Arc::new(Replica::of(&shop).await),
    ];
    let (over, bought) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let mut busy = Vec::new();
    for guest in 0..16_usize {
        let (over, bought) = (over.clone(), bought.clone());
        let (replica, ticket_type) = (replicas[guest % 2].clone(), types[guest / 2 % 4]);
        busy.push(tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                replica.come_and_go(event, ticket_type).await.unwrap();
                bought.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    let slow_pool = shop.pool(types[3]).await;
    busy.push(tokio::spawn({
        let (shop, over) = (shop.clone(), over.clone());
        async move {
            while !over.load(Ordering::SeqCst) {
                write_slowly(&shop, slow_pool).await;
            }
        }
    }));
    // Checkpoints are drawn again and again, and each time that they are seen they are exact.
    for _ in 0..6 {
        shop.audited_since_now().await;
        assert_eq!(wrong_checkpoints(&shop).await, [""; 0]);
        assert_eq!(shop.halted_count().await, 0);
    }
    eventually("a sale that is worth the name", PATIENCE, || async {
        (bought.load(Ordering::SeqCst) > 100).then_some(())
    })
    .await;
    over.store(true, Ordering::SeqCst);
    for one in busy {
        one.await.unwrap();
    }

    // Both see what is really wrong, and it is halted once.
    let pool = shop.pool(types[1]).await;
    shop.tamper(ONE_MORE_HELD, pool).await;
    let first = shop.halted(pool).await;
    shop.audited_since_now().await;
    assert_eq!(
        (shop.halted(pool).await, shop.halted_count().await),
        (first, 1)
    );
    shop.resume(pool, Witness::Ledger).await;
    for replica in replicas {
        Arc::into_inner(replica).unwrap().close().await;
    }
    Arc::into_inner(shop).unwrap().close().await;
}

impl Shop {
    /// Waits until every pool that sells was recounted after this moment, with its checkpoint drawn
    /// anew.
    async fn audited_since_now(&self) {
        let now: time::OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()")
            .fetch_one(&self.db)
            .await
            .unwrap();
        self.make_recounts_due().await;
        eventually("the pools are recounted", PATIENCE, || async {
            let left: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM pools p LEFT JOIN pool_audits a ON a.pool_id = p.id
                 WHERE p.halted_at IS NULL AND COALESCE(a.audited_at, '-infinity') < $1",
            )
            .bind(now)
            .fetch_one(&self.db)
            .await
            .unwrap();
            (left == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_checkpoint_passes_an_open_transaction() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(10)).await;
    let pool = shop.pool(stalls).await;
    let replica = Replica::of(&shop).await;
    shop.audited(pool).await;
    let mut open = shop.db.begin().await.unwrap();
    // It has the newest id for some rounds, so that a mark falls right behind it.
    for sql in SLOW_WRITER {
        let statement = sqlx::query(sql);
        let statement = if sql.contains("$1") {
            statement.bind(pool)
        } else {
            statement
        };
        statement.execute(&mut *open).await.unwrap();
    }
    let stamped: time::OffsetDateTime =
        sqlx::query_scalar("SELECT MAX(at) FROM inventory_ledger WHERE pool_id = $1")
            .bind(pool)
            .fetch_one(&mut *open)
            .await
            .unwrap();
    for _ in 0..5 {
        // Others go on, and their commits have higher ids than the open one.
        shop.hold_of(event, &[balcony]).await.unwrap();
        shop.audited_since_now().await;
        let up_to: Vec<time::OffsetDateTime> = sqlx::query_scalar("SELECT up_to FROM pool_audits")
            .fetch_all(&shop.db)
            .await
            .unwrap();
        assert!(
            up_to.iter().all(|up_to| *up_to < stamped),
            "{up_to:?} {stamped}"
        );
    }
    open.commit().await.unwrap();
    shop.audited(pool).await;
    assert_eq!(wrong_checkpoints(&shop).await, [""; 0]);
    assert_eq!(shop.halted_count().await, 0);
    replica.close().await;
    shop.close().await;
}

const MANY_ROWS: [&str; 3] = [
    "SELECT id FROM pools WHERE id = $1 FOR UPDATE",
    "INSERT INTO inventory_ledger
         (subject_id, pool_id, line, transition, held_delta, sold_delta, blocked_delta)
     SELECT gen_random_uuid(), $1, n, 'block', 0, 0, 1 FROM generate_series(1, 1200) n",
    "UPDATE pools SET blocked = blocked + 1200 WHERE id = $1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_move_a_checkpoint_on_once() {
    let shop = Shop::open().await;
    let (_, stalls) = shop.on_sale(100_000).await;
    let pool = shop.pool(stalls).await;
    let replicas = [Replica::of(&shop).await, Replica::of(&shop).await];
    shop.audited(pool).await;
    for _ in 0..8 {
        // More than is worth adding up each time.
        let mut many = shop.db.begin().await.unwrap();
        for sql in MANY_ROWS {
            sqlx::query(sql)
                .bind(pool)
                .execute(&mut *many)
                .await
                .unwrap();
        }
        many.commit().await.unwrap();
        eventually("the checkpoint moves on", PATIENCE, || async {
            let moved: bool = sqlx::query_scalar(
                "SELECT COUNT(*) < 1000 FROM inventory_ledger l JOIN pool_audits a USING (pool_id)
                 WHERE l.pool_id = $1 AND l.at > a.up_to",
            )
            .bind(pool)
            .fetch_one(&shop.db)
            .await
            .unwrap();
            moved.then_some(())
        })
        .await;
        assert_eq!(wrong_checkpoints(&shop).await, [""; 0]);
    }
    assert_eq!(shop.halted_count().await, 0);
    for replica in replicas {
        replica.close().await;
    }
    shop.close().await;
}
