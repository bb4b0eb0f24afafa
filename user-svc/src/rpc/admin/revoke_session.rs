use base::UserId;
use kit::{Admin, Failure};
use proto::user::{RevokeSessionRequest, RevokeSessionResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    sessions::{self, End, Ending},
};

/// Ends a session of one's own, or as a superadmin anybody's. Its access tokens are refused everywhere
/// within seconds. One that has ended stays so.
pub(crate) async fn revoke_session(
    app: &App,
    admin: Admin,
    request: RevokeSessionRequest,
) -> Result<RevokeSessionResponse, Error> {
    let absent = || Error::from(Failure::not_found("session"));
    let wish = Wish {
        session_id: request.session_id.parse().map_err(|_| absent())?,
        admin,
        end: End::new(&app.sources, Ending::Revoked),
    };
    let found = app
        .db
        .run(wish, |conn, wish| Box::pin(revoke(conn, wish)))
        .await?;
    if !found {
        return Err(absent());
    }
    app.board.nudge();
    Ok(RevokeSessionResponse {})
}

struct Wish {
    session_id: Uuid,
    admin: Admin,
    end: End,
}

/// False for absent and foreign alike.
async fn revoke(conn: &mut PgConnection, wish: &Wish) -> Result<bool, Error> {
    let owner = sqlx::query_scalar!(
        "SELECT user_id FROM sessions WHERE id = $1 AND ($2 OR user_id = $3)",
        wish.session_id,
        wish.admin.superadmin,
        wish.admin.id.uuid(),
    );
    let Some(owner) = owner.fetch_optional(&mut *conn).await? else {
        return Ok(false);
    };
    let session = (wish.session_id, UserId::from(owner));
    sessions::end(conn, &wish.end, session, Some(wish.admin.id)).await?;
    Ok(true)
}
