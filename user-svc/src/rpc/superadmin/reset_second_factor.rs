use base::UserId;
use kit::{Admin, Failure, FieldProblem};
use proto::user::{ResetSecondFactorRequest, ResetSecondFactorResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    error::Error,
    rpc::admin::remove_second_factor,
    store::{AuditEntry, select_accounts},
};

/// For somebody who has lost authenticator and recovery codes: their password alone signs in again. A person
/// has to judge whether they are who they say.
pub(crate) async fn reset_second_factor(
    app: &App,
    admin: Admin,
    request: ResetSecondFactorRequest,
) -> Result<ResetSecondFactorResponse, Error> {
    let absent = || Error::from(Failure::not_found("account"));
    let id: UserId = request.user_id.parse().map_err(|_| absent())?;
    if id == admin.id {
        // Whoever has only the session must not get rid of it.
        let rule = "must be somebody else's; your own is removed with your password";
        return Err(Error::Invalid(vec![FieldProblem::new("user_id", rule)]));
    }
    let object = ("user", id.uuid());
    let action = "user.second_factor_removed";
    let audit = AuditEntry::new(&app.sources, Some(admin.id), action, object);
    app.db
        .run((id, audit), |conn, (of, audit)| {
            Box::pin(reset(conn, *of, audit))
        })
        .await?;
    Ok(ResetSecondFactorResponse {})
}

async fn reset(conn: &mut PgConnection, of: UserId, audit: &AuditEntry) -> Result<(), Error> {
    let known = select_accounts(conn, Some(of.uuid()), uuid::Uuid::nil(), 1).await?;
    if known.is_empty() {
        return Err(Failure::not_found("account").into());
    }
    remove_second_factor::remove(conn, of, audit).await
}
