use base::UserId;
use kit::Admin;
use proto::user::{RemoveSecondFactorRequest, RemoveSecondFactorResponse};
use sqlx::PgConnection;

use super::own_password;
use crate::{
    app::App,
    error::Error,
    second_factor,
    store::{self, AuditEntry},
};

/// Signing in takes the password alone again. A repeat is no mistake.
pub(crate) async fn remove_second_factor(
    app: &App,
    admin: Admin,
    request: RemoveSecondFactorRequest,
) -> Result<RemoveSecondFactorResponse, Error> {
    let password = ("password", request.password.as_str());
    own_password::verify(app, admin, password).await?;
    let object = ("user", admin.id.uuid());
    let action = "user.second_factor_removed";
    let audit = AuditEntry::new(&app.sources, Some(admin.id), action, object);
    app.db
        .run((admin.id, audit), |conn, (of, audit)| {
            Box::pin(remove(conn, *of, audit))
        })
        .await?;
    Ok(RemoveSecondFactorResponse {})
}

pub(in crate::rpc) async fn remove(
    conn: &mut PgConnection,
    of: UserId,
    audit: &AuditEntry,
) -> Result<(), Error> {
    if second_factor::remove(conn, of).await? {
        store::audit(conn, audit).await?;
    }
    Ok(())
}
