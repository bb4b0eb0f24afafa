//! Some changes of one's own account take its password beside the token: whoever found an open browser does
//! not know it.

use base::UserId;
use kit::{Admin, FieldProblem};
use sqlx::PgConnection;

use crate::{
    app::App,
    attempts,
    domain::{Password, check_presented_password},
    error::Error,
    passwords::{Place, StoredPassword},
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
) -> Result<Owner, Error> {
    let password = Password::typed(password);
    if let Some(problem) = check_presented_password(&password) {
        let problem = FieldProblem::new(field, problem.rule);
        return Err(Error::Invalid(vec![problem]));
    }
    let place = app.passwords.place()?;
    let attempt = attempts::of_owner(app, admin.id).await?;
    match prove(app, place, admin.id, &password).await {
        Ok(owner) => {
            attempts::forgive(app, attempt).await?;
            Ok(owner)
        }
        // Stays counted.
        Err(Error::InvalidCredentials) => Err(Error::InvalidCredentials),
        Err(error) => {
            attempts::withdraw(app, attempt).await;
            Err(error)
        }
    }
}

async fn prove(app: &App, place: Place, id: UserId, password: &Password) -> Result<Owner, Error> {
    let owner = app
        .db
        .read(id, |conn, id| Box::pin(find(conn, *id)))
        .await?
        .ok_or(Error::AccountGone)?;
    let stored = Some(owner.password.clone());
    if !app.passwords.verify_at(place, stored, password).await? {
        return Err(Error::InvalidCredentials);
    }
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
