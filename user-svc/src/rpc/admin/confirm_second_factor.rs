use base::UserId;
use kit::{Admin, FieldProblem};
use proto::user::{ConfirmSecondFactorRequest, ConfirmSecondFactorResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    accounts,
    app::App,
    attempts::{self, Attempt},
    domain::totp::{new_recovery_codes, recovery_code_hash},
    error::Error,
    second_factor,
    sessions::{End, Ending},
    store::{self, AuditEntry},
};

const WRONG: &str =
    "must be what the authenticator shows now, for the secret that was begun with a while ago";

/// From now on signing in takes a code. Sessions that were opened without one end, but for the one that asks.
/// Tries are counted like codes of a sign-in.
pub(crate) async fn confirm_second_factor(
    app: &App,
    admin: Admin,
    request: ConfirmSecondFactorRequest,
) -> Result<ConfirmSecondFactorResponse, Error> {
    let wrong = || Error::Invalid(vec![FieldProblem::new("code", WRONG)]);
    let begun = app
        .db
        .read((admin.id, app.sources.now()), |conn, (id, now)| {
            Box::pin(second_factor::find_begun(conn, *id, *now))
        })
        .await?
        .ok_or_else(wrong)?;
    let attempt = attempts::of_code(app, admin.id).await?;
    let step = match second_factor::step(app, admin.id, &begun, request.code.trim()) {
        Ok(step) => step.ok_or_else(wrong)?,
        Err(error) => {
            attempts::withdraw(app, attempt).await;
            return Err(error);
        }
    };
    let codes = new_recovery_codes(&app.sources);
    let object = ("user", admin.id.uuid());
    let new = Confirmed {
        of: admin.id,
        sealed_secret: begun.sealed_secret,
        step,
        attempt: attempt.clone(),
        hashes: codes
            .iter()
            .map(|code| recovery_code_hash(code.expose()).to_vec())
            .collect(),
        session: admin.session,
        at: app.sources.now(),
        end: End::new(&app.sources, Ending::SecondFactor),
        audit: AuditEntry::new(
            &app.sources,
            Some(admin.id),
            "user.second_factor_added",
            object,
        ),
    };
    let confirmed = app
        .db
        .run(new, |conn, new| Box::pin(confirm(conn, new)))
        .await;
    if let Err(error) = confirmed {
        attempts::withdraw(app, attempt).await;
        return Err(error);
    }
    app.board.nudge();
    Ok(ConfirmSecondFactorResponse {
        recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
    })
}

struct Confirmed {
    of: UserId,
    /// The secret whose code was right: begun anew meanwhile, it is another one.
    sealed_secret: Vec<u8>,
    step: i64,
    attempt: Attempt,
    hashes: Vec<Vec<u8>>,
    session: Option<Uuid>,
    at: OffsetDateTime,
    end: End,
    audit: AuditEntry,
}

async fn confirm(conn: &mut PgConnection, new: &Confirmed) -> Result<(), Error> {
    // Whoever signs in at this moment has opened a session, which ends below, or is asked for a code.
    accounts::lock(conn, new.of).await?;
    // An earlier attempt of this very call left the same time.
    let confirmed = sqlx::query!(
        "UPDATE second_factors SET confirmed_at = $2, last_step = $3
         WHERE user_id = $1 AND sealed_secret = $4
           AND (confirmed_at IS NULL OR confirmed_at = $2)",
        new.of.uuid(),
        new.at,
        new.step,
        new.sealed_secret,
    )
    .execute(&mut *conn)
    .await?;
    if confirmed.rows_affected() == 0 {
        let rule = "was begun anew, or is there already; then remove it first";
        let problem = FieldProblem::new("second_factor", rule);
        return Err(Error::Invalid(vec![problem]));
    }
    sqlx::query!(
        "DELETE FROM recovery_codes WHERE user_id = $1",
        new.of.uuid()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])",
        new.of.uuid(),
        &new.hashes,
    )
    .execute(&mut *conn)
    .await?;
    let others = (new.of, new.session);
    let ended = accounts::end_sessions(conn, &new.end, others, new.of).await?;
    attempts::succeeded(conn, &new.attempt).await?;
    let audit = new.audit.clone().after(json!({"sessions_ended": ended}));
    store::audit(conn, &audit).await?;
    Ok(())
}
