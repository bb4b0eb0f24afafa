//! W9: a hundred thousand holds expire at one moment, and other guests come again and again for what they had.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    admin::{Admin, OnSale},
    audit::Audit,
    bench::Bench,
    drive::{self, Guest, Until},
    hold_guest::{History, HoldGuest, Wish},
    mesh::BoxOffice,
    report::{Entry, Source},
    sql,
    stats::{per_op, rate},
};

const GUESTS: usize = 256;
/// Time for the guests to be there when it happens.
const AHEAD: Duration = Duration::from_millis(1500);
/// The wave and all who come for it must be over by then.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often guests come again who found no room.
const ENCORES: usize = 100;
/// A guest comes again after this long.
const AGAIN: Duration = Duration::from_millis(50);

/// What one wave brought.
#[derive(Clone, Copy, Debug)]
struct Wave {
    /// From the first release to the last.
    freed_per_second: f64,
    bulk_per_second: f64,
    cpu_us: f64,
    /// From the moment of expiry.
    all_free: Duration,
    /// From the first release, as far as the database says when it was.
    first_resale: Duration,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W9 expiry wave", 2 + bench.rounds());
    let office = bench
        .open("w9", &[("HOLD_TTL_SECS", "3600".to_owned())])
        .await?;
    let source = Source {
        workload: "w9_expiry",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut run = Run {
        bench,
        admin: office.admin().await?,
        tickets: office.connect("tickets").await?,
        office,
        audit: Audit::default(),
    };
    let mut waves = Vec::new();
    for number in 1..=bench.rounds() {
        bench.progress.step(format!("wave {number}"));
        waves.push(run.wave().await?);
    }
    bench.progress.step("asking the doctor");
    run.audit.doctor(&run.office).await?;
    let entries = entries(&source, &waves, bench.size(30_000, 100_000), &run.audit);
    run.office.stop().await?;
    Ok(entries)
}

fn entries(source: &Source, waves: &[Wave], holds: u64, audit: &Audit) -> Vec<Entry> {
    let each = |of: fn(&Wave) -> f64| -> Vec<f64> { waves.iter().map(of).collect() };
    let pairs = waves
        .iter()
        .map(|wave| [wave.freed_per_second, wave.bulk_per_second]);
    let cpu = crate::stats::median(&each(|wave| wave.cpu_us));
    let all = [
        source
            .against(
                "holds freed, sales meanwhile",
                "holds/s",
                "one bulk UPDATE",
                pairs.collect(),
            )
            .cpu(cpu, None)
            .at_least(0.5),
        source
            .figure(
                &format!("all of {holds} free after"),
                "ms",
                &each(|wave| wave.all_free.as_secs_f64() * 1000.0),
            )
            .at_most(3000.0),
        source
            .figure(
                "first resale after the first release",
                "ms",
                &each(|wave| wave.first_resale.as_secs_f64() * 1000.0),
            )
            .at_most(100.0),
    ];
    all.into_iter().map(|entry| entry.audited(audit)).collect()
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    admin: Admin,
    tickets: PgConnection,
    audit: Audit,
}

impl Run<'_> {
    async fn wave(&mut self) -> anyhow::Result<Wave> {
        let bench = self.bench;
        let capacity = bench.size(30_000, 100_000);
        let on_sale = self.admin.on_sale("A wave", capacity).await?;
        let first = self.hold_all(&on_sale).await?;
        let bulk = bulk_update(&mut self.tickets, &on_sale, capacity).await?;

        let wanted = bench.size(3_000, 10_000).min(capacity);
        let left = Arc::new(AtomicU64::new(wanted));
        let hopeful = self.wish(&on_sale).guests(GUESTS).await?;
        let hopeful = hopeful.into_iter().map(|guest| Hopeful {
            guest,
            left: left.clone(),
        });
        let hopeful = hopeful.collect();
        let due = expire_soon(&mut self.tickets, &on_sale, capacity).await?;
        let meter = self.office.meter();
        let before = meter.read();
        // Sleeps: until shortly before the holds expire.
        tokio::time::sleep_until((due - AHEAD / 10).into()).await;
        let mut eyes = self.office.connect("tickets").await?;
        let (ran, free_at) = tokio::join!(
            drive::closed(hopeful, Until::after(PATIENCE)),
            watch(&mut eyes, &on_sale),
        );
        let cpu = meter.read().saturating_sub(before);
        let second = ran?.guests.into_iter().map(|hopeful| hopeful.guest.history);
        let second = History::merge(second);
        let free_at = free_at?;
        let first_release = first_release(&mut self.tickets, &on_sale, due).await?;
        let first_grant = second.granted.iter().map(|(_, at)| *at).min();
        self.audit.check(
            second.granted.len() as u64 >= wanted,
            format!(
                "{} of {wanted} guests got what had expired",
                second.granted.len()
            ),
        );
        let first_resale =
            first_grant.map_or(PATIENCE, |at| at.saturating_duration_since(first_release));
        self.audit
            .sale(
                &mut self.tickets,
                &on_sale,
                &History::merge([first, second]),
            )
            .await?;
        let wave = Wave {
            freed_per_second: rate(capacity, free_at.saturating_duration_since(first_release)),
            bulk_per_second: bulk,
            cpu_us: per_op(cpu, capacity),
            all_free: free_at.saturating_duration_since(due),
            first_resale,
        };
        bench.progress.say(&format!("  {wave:?}"));
        Ok(wave)
    }

    /// Every ticket of the type. Guests for whom there was no room come again.
    async fn hold_all(&self, on_sale: &OnSale) -> anyhow::Result<History> {
        let mut all = History::default();
        for _ in 0..ENCORES {
            let left = on_sale.capacity - all.granted.len() as u64;
            let guests = self.wish(on_sale).guests(GUESTS).await?;
            let ran = drive::closed(guests, Until::visits(left)).await?;
            let heard = ran.guests.into_iter().map(|one| one.history);
            all = History::merge(heard.chain([all]));
            if all.granted.len() as u64 == on_sale.capacity {
                return Ok(all);
            }
        }
        let (held, refused) = (all.granted.len(), all.refused);
        anyhow::bail!("only {held} of {} were held: {refused:?}", on_sale.capacity)
    }

    fn wish(&self, on_sale: &OnSale) -> Wish {
        Wish {
            doors: self.office.doors(),
            on_sale: on_sale.clone(),
            nonce: self.bench.nonce(),
            repeat_per_cent: 0,
        }
    }
}

/// Comes until as many as wanted have got one.
struct Hopeful {
    guest: HoldGuest,
    left: Arc<AtomicU64>,
}

impl Guest for Hopeful {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        let before = self.guest.history.granted.len();
        let at = self.guest.visit(number).await?;
        if self.guest.history.granted.len() > before {
            let _ = self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
        } else {
            // Sleeps: refused, so the guest waits a moment.
            tokio::time::sleep(AGAIN).await;
        }
        Ok(at)
    }

    fn over(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

/// Lets every hold expire at one moment, and answers when that is.
async fn expire_soon(
    database: &mut PgConnection,
    on_sale: &OnSale,
    holds: u64,
) -> anyhow::Result<Instant> {
    let event: Uuid = on_sale.event.parse()?;
    // So much later that the statement itself is over by then.
    let later = 5.0 + holds as f64 / 10_000.0;
    let due: f64 = sqlx::query_scalar(
        "WITH due AS (SELECT clock_timestamp() + make_interval(secs => $2) AS at),
         moved AS (
             UPDATE holds SET expires_at = due.at FROM due
             WHERE event_id = $1 AND status = 'active' RETURNING 1
         )
         SELECT extract(epoch FROM due.at)::float8 FROM due, (SELECT count(*) FROM moved) AS done",
    )
    .bind(event)
    .bind(later)
    .fetch_one(&mut *database)
    .await?;
    let left = due - database_now(database).await?;
    ensure!(
        left > AHEAD.as_secs_f64(),
        "this machine is too slow for the wave: {left} s left"
    );
    Ok(Instant::now() + Duration::from_secs_f64(left))
}

async fn database_now(database: &mut PgConnection) -> anyhow::Result<f64> {
    Ok(
        sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp())::float8")
            .fetch_one(database)
            .await?,
    )
}

/// When the last hold of the wave had ended.
async fn watch(eyes: &mut PgConnection, on_sale: &OnSale) -> anyhow::Result<Instant> {
    let event: Uuid = on_sale.event.parse()?;
    let until = Instant::now() + PATIENCE;
    // Holds of the wave alone: those that are sold anew last an hour.
    let left = "SELECT EXISTS (SELECT FROM holds WHERE event_id = $1 AND status = 'active'
                AND expires_at < clock_timestamp() + interval '5 minutes')";
    loop {
        let left: bool = sqlx::query_scalar(left)
            .bind(event)
            .fetch_one(&mut *eyes)
            .await?;
        let now = Instant::now();
        if !left {
            return Ok(now);
        }
        ensure!(now < until, "the wave is not over after {PATIENCE:?}");
        // Sleeps: between two looks.
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// When the first hold of the wave ended, by the database's clock.
async fn first_release(
    database: &mut PgConnection,
    on_sale: &OnSale,
    due: Instant,
) -> anyhow::Result<Instant> {
    let event: Uuid = on_sale.event.parse()?;
    let since: Option<f64> = sqlx::query_scalar(
        "SELECT extract(epoch FROM min(ended_at) - min(expires_at))::float8
         FROM holds WHERE event_id = $1 AND status = 'expired'",
    )
    .bind(event)
    .fetch_one(database)
    .await?;
    Ok(due + Duration::from_secs_f64(since.unwrap_or(0.0).max(0.0)))
}

/// The limit: the same rows in a table of their own with the same indexes, ended by one statement. Holds per second.
async fn bulk_update(
    database: &mut PgConnection,
    on_sale: &OnSale,
    holds: u64,
) -> anyhow::Result<f64> {
    let event: Uuid = on_sale.event.parse()?;
    sql::execute(
        database,
        "DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench;
         CREATE TABLE bench.holds (LIKE public.holds INCLUDING ALL)",
    )
    .await?;
    sqlx::query(
        "INSERT INTO bench.holds (id, event_id, status, expires_at, body_hash, secret_key_id,
             secret_generation, currency, total_minor)
         SELECT id, event_id, status, clock_timestamp(), body_hash, secret_key_id,
             secret_generation, currency, total_minor
         FROM holds WHERE event_id = $1",
    )
    .bind(event)
    .execute(&mut *database)
    .await?;
    let began = Instant::now();
    let done = sqlx::query(
        "UPDATE bench.holds SET status = 'expired', ended_at = clock_timestamp()
         WHERE status = 'active' AND expires_at <= clock_timestamp()",
    )
    .execute(&mut *database)
    .await?;
    let took = began.elapsed();
    ensure!(
        done.rows_affected() == holds,
        "the limit ended {} holds",
        done.rows_affected()
    );
    sql::execute(database, "DROP SCHEMA bench CASCADE").await?;
    Ok(rate(holds, took))
}
