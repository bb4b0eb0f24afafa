//! The way most box offices take stock: a transaction for each guest, on one hot row.

use std::time::Duration;

use proto::ticket::{
    GetHoldRequest, GetHoldResponse, HoldTicketsRequest, HoldTicketsResponse, ReleaseHoldRequest,
    ReleaseHoldResponse, hold_service_server::HoldService,
};
use sqlx::{PgConnection, PgPool, Row as _, postgres::PgPoolOptions};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::stub::held;

const CONNECTIONS: u32 = 64;

/// What the bench makes before: the least that a hold can be, so that the limit is as quick as it can be, under the
/// names that the audit reads. The control has no CHECK.
pub fn schema(guarded: bool) -> String {
    let check = if guarded {
        ", CONSTRAINT pools_capacity_not_exceeded CHECK (held + sold <= capacity)"
    } else {
        ""
    };
    format!(
        "CREATE TABLE pools (id uuid PRIMARY KEY, capacity bigint NOT NULL, held bigint NOT NULL DEFAULT 0,
             sold bigint NOT NULL DEFAULT 0{check});
         CREATE TABLE ticket_types (id uuid PRIMARY KEY, pool_id uuid NOT NULL);
         CREATE TABLE holds (id uuid PRIMARY KEY, event_id uuid NOT NULL, status text NOT NULL,
             expires_at timestamptz NOT NULL);
         CREATE TABLE hold_lines (hold_id uuid PRIMARY KEY, ticket_type_id uuid NOT NULL, quantity bigint NOT NULL);
         CREATE TABLE inventory_ledger (subject_id uuid PRIMARY KEY, pool_id uuid NOT NULL,
             held_delta bigint NOT NULL, sold_delta bigint NOT NULL)"
    )
}

#[derive(Debug)]
pub struct Naive {
    pool: PgPool,
    guarded: bool,
}

impl Naive {
    pub async fn connect(url: &str, guarded: bool) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .min_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(60))
            // A question before each use would make the limit slower than it is.
            .test_before_acquire(false)
            .connect(url)
            .await?;
        Ok(Self { pool, guarded })
    }

    /// False: sold out. The pool has the id of its type.
    async fn hold(&self, hold: Uuid, event: Uuid, pool: Uuid) -> Result<bool, sqlx::Error> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the naive way is what is measured here"
        )]
        let mut transaction = self.pool.begin().await?;
        let taken = if self.guarded {
            "UPDATE pools SET held = held + 1 WHERE id = $1 AND held + sold + 1 <= capacity"
        } else {
            let look = "SELECT capacity - held - sold AS free FROM pools WHERE id = $1";
            let look = sqlx::query(look).bind(pool);
            let free: i64 = look.fetch_one(&mut *transaction).await?.try_get("free")?;
            if free < 1 {
                return Ok(false);
            }
            "UPDATE pools SET held = held + 1 WHERE id = $1"
        };
        let taken = sqlx::query(taken).bind(pool);
        if taken.execute(&mut *transaction).await?.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO holds (id, event_id, status, expires_at)
             VALUES ($1, $2, 'active', clock_timestamp() + interval '10 minutes')",
        )
        .bind(hold)
        .bind(event)
        .execute(&mut *transaction)
        .await?;
        if !self.guarded {
            note(&mut transaction, hold, pool).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

/// What the audit counts; the limit leaves it out, to be quicker.
async fn note(connection: &mut PgConnection, hold: Uuid, pool: Uuid) -> Result<(), sqlx::Error> {
    for statement in [
        "INSERT INTO hold_lines (hold_id, ticket_type_id, quantity) VALUES ($1, $2, 1)",
        "INSERT INTO inventory_ledger (subject_id, pool_id, held_delta, sold_delta)
         VALUES ($1, $2, 1, 0)",
    ] {
        sqlx::query(statement)
            .bind(hold)
            .bind(pool)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a limit is as plain as tonic lets it be"
)]
#[tonic::async_trait]
impl HoldService for Naive {
    async fn hold_tickets(
        &self,
        request: Request<HoldTicketsRequest>,
    ) -> Result<Response<HoldTicketsResponse>, Status> {
        let request = request.into_inner();
        let line = request.lines.first();
        let line = line.ok_or_else(|| Status::invalid_argument("no line"))?;
        let ids = line
            .ticket_type_id
            .parse()
            .and_then(|pool| Ok((request.event_id.parse()?, pool)));
        let (event, pool) = ids.map_err(|_: uuid::Error| Status::invalid_argument("no id"))?;
        let id = Uuid::from_u128(key_number(&request.idempotency_key));
        match self.hold(id, event, pool).await {
            Ok(true) => Ok(Response::new(held(id, request))),
            Ok(false) => Err(Status::failed_precondition("sold out")),
            Err(error) => Err(Status::unavailable(error.to_string())),
        }
    }

    async fn get_hold(
        &self,
        _: Request<GetHoldRequest>,
    ) -> Result<Response<GetHoldResponse>, Status> {
        Err(Status::unimplemented("only holds are measured"))
    }

    async fn release_hold(
        &self,
        _: Request<ReleaseHoldRequest>,
    ) -> Result<Response<ReleaseHoldResponse>, Status> {
        Err(Status::unimplemented("only holds are measured"))
    }
}

/// The bench's keys differ in their last letters, and each makes another id.
fn key_number(key: &str) -> u128 {
    let (mut high, mut low) = (0xCBF2_9CE4_8422_2325_u64, 0x8422_2325_CBF2_9CE4_u64);
    for byte in key.bytes() {
        high = (high ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        low = low.rotate_left(7).wrapping_add(u64::from(byte)) ^ high;
    }
    (u128::from(high) << 64) | u128::from(low)
}
