use base::UserId;
use db::DbError;
use kit::Admin;
use proto::user::GetMeResponse;
use sqlx::PgConnection;

use crate::{app::App, domain::Account, error::Error, store::role_from_word};

/// The account behind the token, as it is now: a role that changed since shows at once.
pub(crate) async fn get_me(app: &App, admin: Admin) -> Result<GetMeResponse, Error> {
    let (account, second_factor) = app
        .db
        .read(admin.id, |conn, id| Box::pin(find_active(conn, *id)))
        .await?
        .ok_or(Error::AccountGone)?;
    Ok(GetMeResponse {
        user: Some(account.to_wire()),
        second_factor,
    })
}

async fn find_active(
    conn: &mut PgConnection,
    id: UserId,
) -> Result<Option<(Account, bool)>, DbError> {
    let row = sqlx::query!(
        r#"SELECT email, role,
                  EXISTS (SELECT FROM second_factors f
                          WHERE f.user_id = $1 AND f.confirmed_at IS NOT NULL) AS "second_factor!"
           FROM users WHERE id = $1 AND status = 'active'"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let account = Account {
            id,
            email: row.email,
            role: role_from_word(&row.role),
        };
        (account, row.second_factor)
    }))
}
