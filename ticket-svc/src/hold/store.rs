//! The statements of the hot path. One makes a whole batch of holds, or none of it; the other looks.

use base::PoolId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::decide::Level;
use crate::error::Error;

/// What a batch asks of the database, column by column.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Of every wish; those that are stored already come back.
    pub ids: Vec<Uuid>,
    /// The same of other days.
    pub ids_beside: Vec<Uuid>,
    pub needs: Needs,
    pub holds: Holds,
    pub lines: Lines,
    pub secret_key_id: String,
    pub ttl_secs: f64,
    /// The holds may be made from then on, and before then.
    pub opens_at: Option<OffsetDateTime>,
    pub closes_at: Option<OffsetDateTime>,
}

/// Units per hold, pool and line. Each pool that is asked about has a row without units besides, so
/// that it is told, and by `make` locked, in any case.
#[derive(Debug, Default)]
pub struct Needs {
    pub hold_ids: Vec<Uuid>,
    pub pool_ids: Vec<Uuid>,
    pub lines: Vec<i32>,
    pub quantities: Vec<i64>,
    /// Of the pool, as far as memory knows.
    pub generations: Vec<i64>,
}

#[derive(Debug, Default)]
pub struct Holds {
    pub ids: Vec<Uuid>,
    pub event_ids: Vec<Uuid>,
    pub body_hashes: Vec<Vec<u8>>,
    pub currencies: Vec<String>,
    pub totals: Vec<i64>,
}

#[derive(Debug, Default)]
pub struct Lines {
    pub hold_ids: Vec<Uuid>,
    pub lines: Vec<i32>,
    pub ticket_type_ids: Vec<Uuid>,
    pub categories: Vec<String>,
    pub quantities: Vec<i32>,
    pub prices: Vec<i64>,
    pub fees: Vec<i64>,
    pub tax_rates: Vec<i32>,
}

#[derive(Debug)]
pub struct Outcome {
    /// Whether the holds were made, all but those that were stored before.
    pub granted: bool,
    pub now: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    /// Wishes whose hold was there before.
    pub stored: Vec<Uuid>,
    /// The pools that were asked about, as they were found.
    pub pools: Vec<Seen>,
}

#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub pool_id: PoolId,
    pub generation: i64,
    pub level: Level,
}

/// THE statement: locks the pools in ascending order, and makes every hold of the sheet that is not
/// stored yet, with lines, ledger and counters, if on the locked rows all of them fit, nothing is
/// halted and the pools have the generations that the sheet was decided on. Otherwise it changes
/// nothing. In both cases it tells what it found.
///
/// It is a transaction of its own. A copy of a hold that another transaction makes at this moment
/// fails it by a key of the hold, its lines or its ledger. What is stored it tells from before it
/// waited for the pools, what they have from after. Counters are those of the locked rows, which are the newest: an UPDATE
/// tries its constraints first on the version from before the wait.
pub async fn make(conn: &mut PgConnection, sheet: &Sheet) -> Result<Outcome, Error> {
    let (needs, holds, lines) = (&sheet.needs, &sheet.holds, &sheet.lines);
    let row = sqlx::query_file!(
        "src/hold/make.sql",
        &sheet.ids,
        &needs.hold_ids,
        &needs.pool_ids,
        &needs.lines,
        &needs.quantities,
        &needs.generations,
        &holds.ids,
        &holds.event_ids,
        &holds.body_hashes,
        &holds.currencies,
        &holds.totals,
        &lines.hold_ids,
        &lines.lines,
        &lines.ticket_type_ids,
        &lines.categories,
        &lines.quantities,
        &lines.prices,
        &lines.fees,
        &lines.tax_rates,
        sheet.secret_key_id,
        sheet.ttl_secs,
        sheet.opens_at,
        sheet.closes_at,
        &sheet.ids_beside,
    )
    .fetch_one(conn)
    .await?;
    let pools = Columns {
        ids: row.pool_ids,
        generations: row.generations,
        free: row.free,
        returnable: row.returnable,
        halted: row.halted,
    };
    Ok(Outcome {
        granted: row.granted,
        now: row.now,
        expires_at: row.expires_at,
        stored: row.stored,
        pools: pools.seen(),
    })
}

/// Of all services that make holds about midnight.
const TURN_OF_THE_DAY: i64 = 0x686f_6c64_6461_7973;

/// `make` after everybody else who makes holds has ended, so that it tells of all that they stored.
pub async fn make_in_turn(conn: &mut PgConnection, sheet: &Sheet) -> Result<Outcome, Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", TURN_OF_THE_DAY)
        .execute(&mut *conn)
        .await?;
    make(conn, sheet).await
}

/// What `make` would find, without a lock and without a change.
pub async fn look(conn: &mut PgConnection, sheet: &Sheet) -> Result<Outcome, Error> {
    let row = sqlx::query!(
        r#"
        WITH seen AS MATERIALIZED (
            SELECT id, generation, capacity - held - sold - blocked AS free,
                   capacity - sold - blocked AS returnable, halted_at IS NOT NULL AS halted
            FROM pools WHERE id = ANY($2)
        )
        SELECT clock_timestamp() AS "now!",
               (SELECT COALESCE(array_agg(id), '{}') FROM holds WHERE id = ANY($1::uuid[] || $3::uuid[])) AS "stored!",
               COALESCE(array_agg(id), '{}') AS "pool_ids!",
               COALESCE(array_agg(generation), '{}') AS "generations!",
               COALESCE(array_agg(free), '{}') AS "free!: Vec<Option<i64>>",
               COALESCE(array_agg(returnable), '{}') AS "returnable!: Vec<Option<i64>>",
               COALESCE(array_agg(halted), '{}') AS "halted!"
        FROM seen
        "#,
        &sheet.ids,
        &sheet.needs.pool_ids,
        &sheet.ids_beside,
    )
    .fetch_one(conn)
    .await?;
    let pools = Columns {
        ids: row.pool_ids,
        generations: row.generations,
        free: row.free,
        returnable: row.returnable,
        halted: row.halted,
    };
    Ok(Outcome {
        granted: false,
        now: row.now,
        expires_at: row.now,
        stored: row.stored,
        pools: pools.seen(),
    })
}

/// Which of a hold's rows is the first to meet its copy is PostgreSQL's choice: of several inserts in
/// one statement the last one is made first.
const OF_ONE_HOLD: [&str; 3] = ["holds_pkey", "hold_lines_pkey", "inventory_ledger_pkey"];

/// Whether another transaction has just stored a hold that was to be made.
pub fn is_a_copy(error: &Error) -> bool {
    let Error::Db(error) = error else {
        return false;
    };
    let constraint = error.constraint();
    constraint.is_some_and(|name| OF_ONE_HOLD.contains(&name))
}

struct Columns {
    ids: Vec<Uuid>,
    generations: Vec<i64>,
    free: Vec<Option<i64>>,
    returnable: Vec<Option<i64>>,
    halted: Vec<bool>,
}

impl Columns {
    fn seen(self) -> Vec<Seen> {
        let levels = self
            .free
            .into_iter()
            .zip(self.returnable)
            .zip(self.halted)
            .map(|((free, returnable), halted)| Level {
                free,
                returnable,
                halted,
            });
        let pools = self.ids.into_iter().zip(self.generations).zip(levels);
        pools
            .map(|((id, generation), level)| Seen {
                pool_id: id.into(),
                generation,
                level,
            })
            .collect()
    }
}
