//! What a piece of work cost: CPU of every process that serves, of PostgreSQL alone, log bytes and flushes.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use crate::{cpu::Meter, mesh::BoxOffice, stats::per_op};

/// PostgreSQL publishes its counters about once a second.
const PUBLISHED: Duration = Duration::from_millis(1300);

/// For each operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub cpu_us: f64,
    pub postgres_us: f64,
    /// None where this PostgreSQL does not count it.
    pub wal_bytes: Option<f64>,
    pub flushes: Option<f64>,
}

/// The meters before.
#[derive(Debug)]
pub struct Reading {
    all: (Meter, Duration),
    postgres: (Meter, Duration),
    wal: Option<(f64, f64)>,
}

impl Reading {
    pub async fn take(office: &BoxOffice, database: &mut PgConnection) -> anyhow::Result<Self> {
        // What was done before is published first.
        tokio::time::sleep(PUBLISHED).await;
        let (all, postgres) = (office.meter(), office.meter().postgres());
        Ok(Self {
            wal: wal(database).await,
            postgres: (postgres.clone(), postgres.read()),
            all: (all.clone(), all.read()),
        })
    }

    /// The difference to now, for each of so many operations.
    pub async fn cost(self, database: &mut PgConnection, operations: u64) -> anyhow::Result<Cost> {
        let spent = |(meter, before): (Meter, Duration)| {
            per_op(meter.read().saturating_sub(before), operations)
        };
        let (cpu_us, postgres_us) = (spent(self.all), spent(self.postgres));
        tokio::time::sleep(PUBLISHED).await;
        let each = |before: f64, now: f64| (now - before) / operations.max(1) as f64;
        let both = self.wal.zip(wal(database).await);
        Ok(Cost {
            cpu_us,
            postgres_us,
            wal_bytes: both.map(|(before, now)| each(before.0, now.0)),
            flushes: both.map(|(before, now)| each(before.1, now.1)),
        })
    }
}

/// Bytes and flushes so far. Later versions count flushes elsewhere.
async fn wal(database: &mut PgConnection) -> Option<(f64, f64)> {
    let row = sqlx::query(
        "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS bytes, wal_sync::float8 AS flushes
         FROM pg_stat_wal",
    )
    .fetch_one(database)
    .await
    .ok()?;
    Some((row.try_get("bytes").ok()?, row.try_get("flushes").ok()?))
}
