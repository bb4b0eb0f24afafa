//! Lets a halted pool sell again. Counters and ledger agree afterwards, on the side that the admin
//! believes; what was decided, and why, is in the audit log.

use base::PoolId;
use proto::ticket::{PoolUnits, ResumePoolRequest, ResumePoolResponse, Witness};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;
use uuid::Uuid;

use super::actor;
use crate::{
    app::App,
    domain::limits::RESUME_NOTE_MAX_CHARS,
    error::Error,
    rpc::fields::Fields,
    store::{
        changes::{self, Actor, Change},
        ledger::{self, Sum, Units},
    },
};

#[derive(Debug)]
struct Resume {
    pool_id: PoolId,
    believe: Believe,
    note: String,
    actor: Actor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Believe {
    Ledger,
    Counters,
}

/// A pool as it stands in the audit log.
#[derive(Debug, Serialize)]
struct State {
    counters: Units,
    ledger: Units,
    #[serde(skip_serializing_if = "String::is_empty")]
    halt_reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    believed: Option<Believe>,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

struct Pool {
    event_id: Uuid,
    capacity: Option<i64>,
    counters: Units,
    is_halted: bool,
    halt_reason: String,
}

pub async fn resume_pool(
    app: &App,
    request: Request<ResumePoolRequest>,
) -> Result<ResumePoolResponse, Error> {
    let actor = actor(app, &request)?;
    let resume = read(actor, &request.into_inner())?;
    // A long ledger takes its time, and who waits for the pool has little.
    let pool_id = resume.pool_id;
    let settled = app.db.read((), |conn, ()| Box::pin(settled(conn)));
    let settled = settled.await?;
    let before = ledger::sum_up_to(&app.db, pool_id, settled).await?;
    app.db
        .run(
            (resume, settled, before),
            |conn, (resume, settled, before)| {
                Box::pin(find_or_resume(conn, resume, (*settled, *before)))
            },
        )
        .await
}

/// A time before which no row of this pool's ledger appears any more: rows are stamped before their
/// transaction has the pools locked, and no transaction lasts as long as this.
async fn settled(conn: &mut PgConnection) -> Result<OffsetDateTime, Error> {
    let settled = sqlx::query_scalar!(
        r#"SELECT clock_timestamp() - make_interval(secs => $1) AS "settled!""#,
        ledger::SETTLES_WITHIN_SECS,
    );
    Ok(settled.fetch_one(conn).await?)
}

fn read(actor: Actor, request: &ResumePoolRequest) -> Result<Resume, Error> {
    let pool_id = request
        .pool_id
        .parse()
        .map_err(|_| Error::NotFound("pool"))?;
    let mut fields = Fields::default();
    let believe = match request.believe() {
        Witness::Ledger => Some(Believe::Ledger),
        Witness::Counters => Some(Believe::Counters),
        Witness::Unspecified => {
            fields.refuse("believe", "must be the ledger or the counters");
            None
        }
    };
    let note = base::bounded_multiline("note", &request.note, 1, RESUME_NOTE_MAX_CHARS);
    let note = fields.text("note", note).unwrap_or_default();
    let Some(believe) = believe else {
        return Err(fields.into_error());
    };
    fields.done()?;
    Ok(Resume {
        pool_id,
        believe,
        note,
        actor,
    })
}

async fn find_or_resume(
    conn: &mut PgConnection,
    resume: &Resume,
    (settled, before): (OffsetDateTime, Sum),
) -> Result<ResumePoolResponse, Error> {
    let pool = lock(conn, resume.pool_id).await?;
    if !pool.is_halted {
        return Ok(answer(resume.pool_id, pool.counters, pool.capacity));
    }
    // It sees what was committed before the lock was there, and while the lock is held nothing is added.
    let since = ledger::sum_after(conn, resume.pool_id, settled).await?;
    let Sum {
        units: ledger,
        live,
    } = before.and(since);
    let counters = match resume.believe {
        Believe::Ledger => ledger,
        Believe::Counters => pool.counters,
    };
    must_be_possible(resume.believe, counters, live)?;
    if counters != ledger {
        correct(conn, resume, (counters, ledger)).await?;
    }
    go_on(conn, resume.pool_id, counters).await?;
    let (before, after) = (
        State {
            counters: pool.counters,
            ledger,
            halt_reason: pool.halt_reason,
            believed: None,
            note: String::new(),
        },
        State {
            counters,
            ledger: counters,
            halt_reason: String::new(),
            believed: Some(resume.believe),
            note: resume.note.clone(),
        },
    );
    let change = Change {
        action: "pool.resumed",
        event_id: pool.event_id.into(),
        object_id: resume.pool_id.uuid(),
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &resume.actor, &change).await?;
    Ok(answer(resume.pool_id, counters, pool.capacity))
}

/// What holds have set aside comes back yet, so no counter may be below it.
fn must_be_possible(believe: Believe, counters: Units, live: i64) -> Result<(), Error> {
    if [counters.held, counters.sold, counters.blocked]
        .iter()
        .any(|units| *units < 0)
    {
        let rule = "must be the counters: the ledger adds up to less than nothing";
        return Err(Error::field("believe", rule));
    }
    if believe == Believe::Counters && counters.held < live {
        let rule = "must be the ledger: the counters say that less is held than the holds have";
        return Err(Error::field("believe", rule));
    }
    Ok(())
}

fn answer(pool_id: PoolId, counters: Units, capacity: Option<i64>) -> ResumePoolResponse {
    ResumePoolResponse {
        pool_id: pool_id.to_string(),
        counters: Some(PoolUnits {
            held: counters.held,
            sold: counters.sold,
            blocked: counters.blocked,
        }),
        capacity,
    }
}

async fn lock(conn: &mut PgConnection, id: PoolId) -> Result<Pool, Error> {
    let row = sqlx::query!(
        r#"
        SELECT event_id, capacity, held, sold, blocked, halted_at IS NOT NULL AS "is_halted!", halt_reason
        FROM pools WHERE id = $1 FOR UPDATE
        "#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?
    .ok_or(Error::NotFound("pool"))?;
    Ok(Pool {
        event_id: row.event_id,
        capacity: row.capacity,
        counters: Units {
            held: row.held,
            sold: row.sold,
            blocked: row.blocked,
        },
        is_halted: row.is_halted,
        halt_reason: row.halt_reason,
    })
}

/// The ledger is never edited: a row of its own makes up the difference.
async fn correct(
    conn: &mut PgConnection,
    resume: &Resume,
    (counters, ledger): (Units, Units),
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta, blocked_delta)
        VALUES ($1, $2, 0, 'correct', $3, $4, $5)
        "#,
        resume.actor.audit_id,
        resume.pool_id.uuid(),
        counters.held - ledger.held,
        counters.sold - ledger.sold,
        counters.blocked - ledger.blocked,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The auditor begins anew with a recount from the first row; one that began before is too old to halt
/// the pool again, which shows by the generation.
async fn go_on(conn: &mut PgConnection, id: PoolId, counters: Units) -> Result<(), Error> {
    sqlx::query!(
        r#"
        WITH forgotten AS (DELETE FROM pool_audits WHERE pool_id = $1)
        UPDATE pools SET held = $2, sold = $3, blocked = $4, halted_at = NULL, halt_reason = '',
                         generation = generation + 1
        WHERE id = $1
        "#,
        id.uuid(),
        counters.held,
        counters.sold,
        counters.blocked,
    )
    .execute(conn)
    .await?;
    Ok(())
}
