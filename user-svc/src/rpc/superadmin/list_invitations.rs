use proto::user::{AccountRequest, ListInvitationsResponse};
use sqlx::PgConnection;

use crate::{app::App, error::Error, invitations::Row};

const MOST: i64 = 500;

/// Who was invited and has not come yet, and who asks to be, the latest first.
pub(crate) async fn list_invitations(app: &App) -> Result<ListInvitationsResponse, Error> {
    app.db.read((), |conn, ()| Box::pin(select(conn))).await
}

async fn select(conn: &mut PgConnection) -> Result<ListInvitationsResponse, Error> {
    let invitations = sqlx::query_as!(
        Row,
        "SELECT id, email, role, created_at, sent_at, expires_at FROM invitations
         WHERE accepted_at IS NULL AND revoked_at IS NULL ORDER BY sent_at DESC, id LIMIT $1",
        MOST,
    );
    let invitations = invitations.fetch_all(&mut *conn).await?;
    let requests = sqlx::query!(
        "SELECT id, email, note, created_at FROM account_requests
         WHERE decided_at IS NULL ORDER BY created_at DESC, id LIMIT $1",
        MOST,
    );
    let requests = requests.fetch_all(conn).await?.into_iter();
    Ok(ListInvitationsResponse {
        invitations: invitations.iter().map(Row::to_wire).collect(),
        requests: requests
            .map(|row| AccountRequest {
                id: row.id.to_string(),
                email: row.email,
                note: row.note,
                created_at: Some(proto::timestamp(row.created_at)),
            })
            .collect(),
    })
}
