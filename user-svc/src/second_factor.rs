//! The second factor of an account, as signing in needs it.

use base::UserId;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    accounts,
    app::App,
    attempts::{self, Attempt},
    domain::totp::{BEGUN_FOR, is_code, recovery_code_hash, step_of},
    error::Error,
    store::{self, AuditEntry},
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
    Step(i64, Attempt),
    RecoveryCode {
        hash: [u8; 32],
        attempt: Attempt,
        audit: Box<AuditEntry>,
    },
}

impl Proof {
    /// The code as it was counted.
    pub(crate) fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::NotNeeded => None,
            Self::Step(_, attempt) | Self::RecoveryCode { attempt, .. } => Some(attempt),
        }
    }
}

pub(crate) fn seal_purpose(of: UserId) -> String {
    format!("second-factor {of}")
}

async fn find_confirmed(conn: &mut PgConnection, of: UserId) -> Result<Option<Factor>, Error> {
    let factor = sqlx::query_as!(
        Factor,
        "SELECT sealed_secret, last_step FROM second_factors
         WHERE user_id = $1 AND confirmed_at IS NOT NULL",
        of.uuid(),
    );
    Ok(factor.fetch_optional(conn).await?)
}

/// One that was begun a short while ago.
pub(crate) async fn find_begun(
    conn: &mut PgConnection,
    of: UserId,
    now: OffsetDateTime,
) -> Result<Option<Factor>, Error> {
    let factor = sqlx::query_as!(
        Factor,
        "SELECT sealed_secret, last_step FROM second_factors
         WHERE user_id = $1 AND confirmed_at IS NULL AND created_at > $2",
        of.uuid(),
        now - BEGUN_FOR,
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

/// What a code proves, for somebody whose password was right. It is counted before it is looked at. Whether a
/// recovery code is one shows when it is used up.
pub(crate) async fn prove(app: &App, of: UserId, code: &str) -> Result<Proof, Error> {
    let factor = app
        .db
        .read(of, |conn, of| Box::pin(find_confirmed(conn, *of)))
        .await?;
    let Some(factor) = factor else {
        return Ok(Proof::NotNeeded);
    };
    let code = code.trim();
    if code.is_empty() {
        return Err(Error::SecondFactorRequired);
    }
    let attempt = attempts::of_code(app, of).await?;
    if !is_code(code) {
        let (action, object) = ("user.recovery_code_used", ("user", of.uuid()));
        return Ok(Proof::RecoveryCode {
            hash: recovery_code_hash(code),
            attempt,
            audit: Box::new(AuditEntry::new(&app.sources, Some(of), action, object)),
        });
    }
    match step(app, of, &factor, code) {
        Ok(Some(step)) => Ok(Proof::Step(step, attempt)),
        Ok(None) => Err(Error::InvalidCredentials),
        Err(error) => {
            attempts::withdraw(app, attempt).await;
            Err(error)
        }
    }
}

/// Uses a proof up, for an account that is locked. Error::InvalidCredentials where it was used for something
/// else, or is none any more.
pub(crate) async fn use_up(
    conn: &mut PgConnection,
    (of, proof): (UserId, &Proof),
    (used_for, now): (Uuid, OffsetDateTime),
) -> Result<(), Error> {
    let used = match proof {
        // Whoever confirmed one meanwhile has locked the account before.
        Proof::NotNeeded => {
            return match find_confirmed(conn, of).await? {
                Some(_) => Err(Error::SecondFactorRequired),
                None => Ok(()),
            };
        }
        Proof::Step(step, _) => use_step(conn, (of, *step), used_for).await?,
        Proof::RecoveryCode { hash, audit, .. } => {
            let used = use_recovery_code(conn, (of, hash), (used_for, now)).await?;
            if used {
                let left = recovery_codes_left(conn, of).await?;
                let audit = AuditEntry::clone(audit);
                let audit = audit.after(json!({"session": used_for, "left": left}));
                store::audit(conn, &audit).await?;
            }
            used
        }
    };
    if !used {
        return Err(Error::InvalidCredentials);
    }
    if let Some(attempt) = proof.attempt() {
        attempts::succeeded(conn, attempt).await?;
    }
    Ok(())
}

async fn use_step(
    conn: &mut PgConnection,
    (of, step): (UserId, i64),
    used_for: Uuid,
) -> Result<bool, Error> {
    let used = sqlx::query!(
        "UPDATE second_factors SET last_step = $2, used_for = $3
         WHERE user_id = $1 AND confirmed_at IS NOT NULL AND (last_step < $2 OR used_for = $3)",
        of.uuid(),
        step,
        used_for,
    );
    Ok(used.execute(conn).await?.rows_affected() == 1)
}

async fn use_recovery_code(
    conn: &mut PgConnection,
    (of, hash): (UserId, &[u8; 32]),
    (used_for, now): (Uuid, OffsetDateTime),
) -> Result<bool, Error> {
    let used = sqlx::query!(
        "UPDATE recovery_codes SET used_at = $3, used_for = $4
         WHERE user_id = $1 AND code_hash = $2 AND (used_at IS NULL OR used_for = $4)",
        of.uuid(),
        &hash[..],
        now,
        used_for,
    );
    Ok(used.execute(conn).await?.rows_affected() == 1)
}

async fn recovery_codes_left(conn: &mut PgConnection, of: UserId) -> Result<i64, Error> {
    let left = sqlx::query_scalar!(
        r#"SELECT count(*) AS "left!" FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL"#,
        of.uuid(),
    );
    Ok(left.fetch_one(conn).await?)
}

/// The factor and its codes are gone. False where there was none.
pub(crate) async fn remove(conn: &mut PgConnection, of: UserId) -> Result<bool, Error> {
    accounts::lock(conn, of).await?;
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", of.uuid())
        .execute(&mut *conn)
        .await?;
    let removed = sqlx::query!(
        "DELETE FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL",
        of.uuid(),
    );
    Ok(removed.execute(conn).await?.rows_affected() == 1)
}
