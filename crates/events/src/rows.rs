//! The rows of the outbox: taking them, and putting them back.

use std::time::Duration;

use db::{Db, DbError};
use prost::Message as _;
use proto::event::Envelope;
use sqlx::{Row as _, postgres::PgRow};
use uuid::Uuid;

/// What a round takes at most; each of them may wait for an acknowledgement at the same time.
pub(crate) const BATCH_ROWS: i64 = 64;
/// Who took a row has it for so long, and longer than a round takes at its worst. Not confirmed by
/// then, because its publisher crashed, or the broker forgot it, or the confirmation was lost, it is
/// due again under the next generation: after 20 s, 40 s, then every minute.
pub(crate) const LEASE: Duration = Duration::from_secs(20);
const MAX_LEASE_SECS: f64 = 60.0;
/// A row whose receiver could not be reached is put back, and due after 2 s, 4 s … half a minute.
const RETRY_SECS: f64 = 2.0;
const MAX_RETRY_SECS: f64 = 30.0;

/// A row that was taken.
pub(crate) struct OpenRow {
    pub id: Uuid,
    pub kind: String,
    /// 1 when it was taken for the first time. Nobody else ever gets the row with this generation.
    pub generation: i32,
    pub envelope: Envelope,
}

/// Takes rows that are due. A short statement: the work is done outside it, under the lease.
pub(crate) async fn claim(db: &Db) -> Result<Vec<OpenRow>, DbError> {
    let rows = db
        .run_statement((), |tx, ()| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "UPDATE outbox
                     SET generation = generation + 1,
                         next_attempt_at = clock_timestamp()
                             + make_interval(secs => least($2, $3 * (generation + 1)))
                     WHERE id = ANY (ARRAY(
                         SELECT id FROM outbox
                         WHERE confirmed_at IS NULL AND next_attempt_at <= clock_timestamp()
                         ORDER BY next_attempt_at
                         LIMIT $1
                         FOR UPDATE SKIP LOCKED))
                     RETURNING id, kind, generation, envelope",
                )
                .bind(BATCH_ROWS)
                .bind(MAX_LEASE_SECS)
                .bind(LEASE.as_secs_f64())
                .fetch_all(tx)
                .await?;
                Ok::<_, DbError>(rows)
            })
        })
        .await?;
    let rows: Vec<Option<OpenRow>> = rows.iter().map(open_row).collect::<Result<_, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

/// Ends the lease of rows that reached nobody. Whoever took one meanwhile keeps it.
pub(crate) async fn put_back(db: &Db, rows: &[OpenRow]) -> Result<(), DbError> {
    let taken: (Vec<Uuid>, Vec<i32>) = rows.iter().map(|row| (row.id, row.generation)).unzip();
    db.run(taken, |tx, (ids, generations)| {
        Box::pin(async move {
            sqlx::query(
                "UPDATE outbox
                 SET next_attempt_at = clock_timestamp()
                     + make_interval(secs => least($3, $4 * generation))
                 WHERE id = ANY (ARRAY(
                     SELECT o.id FROM outbox o
                     JOIN UNNEST($1::uuid[], $2::int[]) AS taken (id, generation)
                         ON o.id = taken.id AND o.generation = taken.generation
                     WHERE o.confirmed_at IS NULL
                     ORDER BY o.id FOR UPDATE OF o))",
            )
            .bind(ids)
            .bind(generations)
            .bind(MAX_RETRY_SECS)
            .bind(RETRY_SECS)
            .execute(tx)
            .await?;
            Ok(())
        })
    })
    .await
}

/// None if the row cannot be read. It stays open, and harms no other.
fn open_row(row: &PgRow) -> Result<Option<OpenRow>, sqlx::Error> {
    let id: Uuid = row.try_get("id")?;
    let generation: i32 = row.try_get("generation")?;
    match Envelope::decode(row.try_get::<&[u8], _>("envelope")?) {
        Ok(mut envelope) => {
            envelope.generation = generation.unsigned_abs();
            let kind = row.try_get("kind")?;
            Ok(Some(OpenRow {
                id,
                kind,
                generation,
                envelope,
            }))
        }
        Err(error) => {
            tracing::error!(message_id = %id, %error, "outbox row is not an envelope");
            Ok(None)
        }
    }
}
