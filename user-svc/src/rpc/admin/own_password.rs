//! Some changes of one's own account take its password beside the token: whoever found an open browser does
//! not know it.

use base::UserId;
use kit::{Admin, FieldProblem};
use sqlx::PgConnection;

use crate::{
    app::App, attempts, domain::check_presented_password, error::Error, passwords::StoredPassword,
};

/// The account of a token whose password came along.
pub(super) struct Owner {
    pub(super) email: String,
    pub(super) password: StoredPassword,
}

pub(super) async fn verify(
    app: &App,
    admin: Admin,
    (field, password): (&str, &str),
    network: &str,
) -> Result<Owner, Error> {
    if let Some(problem) = check_presented_password(password) {
        let problem = FieldProblem::new(field, problem.rule);
        return Err(Error::Invalid(vec![problem]));
    }
    let place = app.passwords.place()?;
    let attempt = attempts::of_owner(app, admin.id, network).await?;
    let owner = app
        .db
        .read(admin.id, |conn, id| Box::pin(find(conn, *id)))
        .await?
        .ok_or(Error::AccountGone)?;
    let stored = Some(owner.password.clone());
    if !app.passwords.verify_at(place, stored, password).await? {
        attempts::failed(app, attempt).await?;
        return Err(Error::InvalidCredentials);
    }
    attempts::forgive(app, attempt).await?;
    Ok(owner)
}

async fn find(conn: &mut PgConnection, id: UserId) -> Result<Option<Owner>, Error> {
    let row = sqlx::query!(
        "SELECT email, password_hash, pepper_key_id FROM users
         WHERE id = $1 AND status = 'active'",
        id.uuid(),
    );
    let row = row.fetch_optional(conn).await?;
    Ok(row.map(|row| Owner {
        email: row.email,
        password: StoredPassword {
            user_id: id,
            hash: row.password_hash,
            pepper_key_id: row.pepper_key_id,
        },
    }))
}
