use base::EmailAddress;
use kit::Admin;
use proto::user::{ChangePasswordRequest, ChangePasswordResponse};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::own_password;
use crate::{
    accounts,
    app::App,
    domain::{Password, check_named},
    error::Error,
    passwords::StoredPassword,
    sessions::{End, Ending},
    store::{self, AuditEntry},
};

/// Another password for one's own account. A token alone is not enough: whoever found an open browser does
/// not know the password that it has. Every other session ends.
pub(crate) async fn change_password(
    app: &App,
    admin: Admin,
    request: ChangePasswordRequest,
) -> Result<ChangePasswordResponse, Error> {
    let current = ("current_password", request.current_password.as_str());
    let owner = own_password::verify(app, admin, current).await?;
    let address: Option<EmailAddress> = owner.email.parse().ok();
    let password = Password::typed(&request.new_password);
    let problem = check_named("new_password", &password, address.as_ref());
    if let Some(problem) = problem {
        return Err(Error::Invalid(vec![problem]));
    }
    let password = app
        .passwords
        .hash(admin.id, &password, app.sources.bytes())
        .await?;
    let object = ("user", admin.id.uuid());
    let change = Change {
        before: owner.password.hash,
        password,
        session: admin.session,
        end: End::new(&app.sources, Ending::Password),
        audit: AuditEntry::new(
            &app.sources,
            Some(admin.id),
            "user.password_changed",
            object,
        ),
    };
    app.db
        .run(change, |conn, change| Box::pin(apply(conn, change)))
        .await?;
    app.board.nudge();
    Ok(ChangePasswordResponse {})
}

struct Change {
    before: String,
    password: StoredPassword,
    session: Option<Uuid>,
    end: End,
    audit: AuditEntry,
}

async fn apply(conn: &mut PgConnection, change: &Change) -> Result<(), Error> {
    // Of two changes at once the second meets a password that is not what it has verified.
    if !accounts::set_password(conn, &change.password, Some(&change.before)).await? {
        return Err(Error::InvalidCredentials);
    }
    let of = change.password.user_id;
    accounts::end_resets(conn, of, change.end.at()).await?;
    let others = (of, change.session);
    let ended = accounts::end_sessions(conn, &change.end, others, of).await?;
    let audit = change.audit.clone().after(json!({"sessions_ended": ended}));
    store::audit(conn, &audit).await?;
    Ok(())
}
