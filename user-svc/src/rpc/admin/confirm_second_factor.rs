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
    domain::totp::{new_recovery_codes, recovery_code_hash},
    error::Error,
    second_factor,
    store::{self, AuditEntry},
};

/// From now on signing in takes a code. Sessions that were opened without one end, but for the one that asks.
pub(crate) async fn confirm_second_factor(
    app: &App,
    admin: Admin,
    request: ConfirmSecondFactorRequest,
) -> Result<ConfirmSecondFactorResponse, Error> {
    let begun = app
        .db
        .read(admin.id, |conn, id| {
            Box::pin(second_factor::find(conn, *id, false))
        })
        .await?;
    let step = match &begun {
        Some(factor) => second_factor::step(app, admin.id, factor, request.code.trim())?,
        None => None,
    };
    let Some(step) = step else {
        let rule = "must be what the authenticator shows now, for the secret that was begun with";
        return Err(Error::Invalid(vec![FieldProblem::new("code", rule)]));
    };
    let codes = new_recovery_codes(&app.sources);
    let object = ("user", admin.id.uuid());
    let new = Confirmed {
        of: admin.id,
        step,
        hashes: codes
            .iter()
            .map(|code| recovery_code_hash(code.expose()).to_vec())
            .collect(),
        session: admin.session,
        at: app.sources.now(),
        audit: AuditEntry::new(
            &app.sources,
            Some(admin.id),
            "user.second_factor_added",
            object,
        ),
    };
    app.db
        .run(new, |conn, new| Box::pin(confirm(conn, new)))
        .await?;
    app.board.nudge();
    Ok(ConfirmSecondFactorResponse {
        recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
    })
}

struct Confirmed {
    of: UserId,
    step: i64,
    hashes: Vec<Vec<u8>>,
    session: Option<Uuid>,
    at: OffsetDateTime,
    audit: AuditEntry,
}

async fn confirm(conn: &mut PgConnection, new: &Confirmed) -> Result<(), Error> {
    // An earlier attempt of this very call left the same time.
    let confirmed = sqlx::query!(
        "UPDATE second_factors SET confirmed_at = $2, last_step = $3
         WHERE user_id = $1 AND (confirmed_at IS NULL OR confirmed_at = $2)",
        new.of.uuid(),
        new.at,
        new.step,
    )
    .execute(&mut *conn)
    .await?;
    if confirmed.rows_affected() == 0 {
        let problem = FieldProblem::new("second_factor", "is there already, remove it first");
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
    let ended = accounts::end_sessions(conn, others, "second_factor", new.at).await?;
    let audit = new.audit.clone().after(json!({"sessions_ended": ended}));
    store::audit(conn, &audit).await?;
    Ok(())
}
