//! The second factor of an account, as signing in needs it.

use base::UserId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::totp::{is_code, recovery_code_hash, step_of},
    error::Error,
};

/// A factor that is confirmed, or one that is begun.
pub(crate) struct Factor {
    pub(crate) sealed_secret: Vec<u8>,
    pub(crate) last_step: i64,
}

/// What proves the second factor. It is used up in the transaction of what it is for.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// The account has none.
    NotNeeded,
    Step(i64),
    RecoveryCode([u8; 32]),
}

pub(crate) fn seal_purpose(of: UserId) -> String {
    format!("second-factor {of}")
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    of: UserId,
    confirmed: bool,
) -> Result<Option<Factor>, Error> {
    let factor = sqlx::query_as!(
        Factor,
        "SELECT sealed_secret, last_step FROM second_factors
         WHERE user_id = $1 AND (confirmed_at IS NOT NULL) = $2",
        of.uuid(),
        confirmed,
    );
    Ok(factor.fetch_optional(conn).await?)
}

/// The step of a code of this factor.
pub(crate) fn step(
    app: &App,
    of: UserId,
    factor: &Factor,
    code: &str,
) -> Result<Option<i64>, Error> {
    let opened = app.sealer.open(&seal_purpose(of), &factor.sealed_secret);
    let secret = opened.ok_or_else(|| {
        Error::Internal("SIGNING_SEAL_KEY does not open the secret of a second factor".into())
    })?;
    Ok(step_of(
        &secret,
        code,
        (app.sources.now(), factor.last_step),
    ))
}

/// What a code proves, for somebody whose password was right. Whether a recovery code is one shows when it
/// is used up.
pub(crate) async fn prove(app: &App, of: UserId, code: &str) -> Result<Proof, Error> {
    let factor = app
        .db
        .read(of, |conn, of| Box::pin(find(conn, *of, true)))
        .await?;
    let Some(factor) = factor else {
        return Ok(Proof::NotNeeded);
    };
    match code.trim() {
        "" => Err(Error::SecondFactorRequired),
        code if is_code(code) => step(app, of, &factor, code)?
            .map(Proof::Step)
            .ok_or(Error::InvalidCredentials),
        code => Ok(Proof::RecoveryCode(recovery_code_hash(code))),
    }
}

/// Uses a proof up. False where it was used for something else, or is none any more.
pub(crate) async fn use_up(
    conn: &mut PgConnection,
    (of, proof): (UserId, &Proof),
    (used_for, now): (Uuid, OffsetDateTime),
) -> Result<bool, Error> {
    let used = match proof {
        // One that was confirmed meanwhile is asked for the next time.
        Proof::NotNeeded => return Ok(true),
        Proof::Step(step) => {
            sqlx::query!(
                "UPDATE second_factors SET last_step = $2, used_for = $3
             WHERE user_id = $1 AND confirmed_at IS NOT NULL AND (last_step < $2 OR used_for = $3)",
                of.uuid(),
                step,
                used_for,
            )
            .execute(conn)
            .await?
        }
        Proof::RecoveryCode(hash) => {
            sqlx::query!(
                "UPDATE recovery_codes SET used_at = $3, used_for = $4
             WHERE user_id = $1 AND code_hash = $2 AND (used_at IS NULL OR used_for = $4)",
                of.uuid(),
                &hash[..],
                now,
                used_for,
            )
            .execute(conn)
            .await?
        }
    };
    Ok(used.rows_affected() == 1)
}

/// The factor and its codes are gone. False where there was none.
pub(crate) async fn remove(conn: &mut PgConnection, of: UserId) -> Result<bool, Error> {
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", of.uuid())
        .execute(&mut *conn)
        .await?;
    let removed = sqlx::query!(
        "DELETE FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL",
        of.uuid(),
    );
    Ok(removed.execute(conn).await?.rows_affected() == 1)
}
