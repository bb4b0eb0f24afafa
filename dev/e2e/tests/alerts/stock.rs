//! Stock that is wrong, and nobody who says so.

use std::time::Duration;

use sqlx::{Executor as _, PgConnection};
use testkit::{TestDb, eventually};

use crate::{
    guests,
    harness::{BoxOffice, PATIENCE},
    watch::Watch,
};

/// In which a healthy auditor is round several times.
const NOBODY_AUDITS: Duration = Duration::from_secs(4);

pub async fn is_wrong(office: &BoxOffice, watch: &Watch) {
    has_wrong_counters(office, watch).await;
    is_not_looked_at(office, watch).await;
}

/// The counters of a pool are changed past the service, and then a hold dies.
pub async fn has_wrong_counters(office: &BoxOffice, watch: &Watch) {
    let on_sale = office.put_on_sale(50, 4500).await;
    let hold = guests::a_hold(office, &on_sale).await;
    let pool = office.databases.tickets.pool().await;
    eventually("the pool is audited", PATIENCE, async || {
        let left = "SELECT count(*) FROM pools WHERE id NOT IN (SELECT pool_id FROM pool_audits)";
        let left: i64 = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    watch
        .fires(&["PoolsHalted", "HoldsStuck"], async || {
            let low = "UPDATE pools SET held = 0 WHERE event_id = $1::uuid";
            let low = sqlx::query(low).bind(&on_sale.event_id);
            pool.execute(low).await.unwrap();
            let over = "UPDATE holds SET expires_at = clock_timestamp() WHERE id = $1::uuid";
            let over = sqlx::query(over).bind(hold["id"].as_str());
            pool.execute(over).await.unwrap();
            watch.until("pools_halted", |pools| pools > 0.0).await;
            watch.until("holds_stuck_total", |holds| holds > 0.0).await;
        })
        .await;
}

/// Somebody has locked what the auditor writes and the list of changes that gateways follow, and forgot. Holds go on.
async fn is_not_looked_at(office: &BoxOffice, watch: &Watch) {
    let lock = "BEGIN; LOCK TABLE pool_audits, event_changes IN ACCESS EXCLUSIVE MODE";
    let mut locked = None;
    watch
        .fires_while(&["ProgrammeStale", "AuditorStopped"], 2, async |look| {
            if look == 0 {
                locked = Some(transaction(&office.databases.tickets, lock).await);
                watch.until("programme_age_seconds", |age| age > 30.0).await;
            } else {
                // Sleeps: that nothing happens is seen by waiting.
                tokio::time::sleep(NOBODY_AUDITS).await;
            }
        })
        .await;
}

/// It stays open as long as its connection does.
pub async fn transaction(database: &TestDb, sql: &'static str) -> PgConnection {
    let mut connection = database.connect().await;
    connection.execute(sql).await.unwrap();
    connection
}
