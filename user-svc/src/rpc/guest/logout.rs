use base::UserId;
use proto::user::{LogoutRequest, LogoutResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    error::Error,
    sessions::{self, End, Ending},
};

/// Ends the session of a refresh token, also of one that was used up. One answer for all, so that nobody
/// learns what a token is worth.
pub(crate) async fn logout(app: &App, request: LogoutRequest) -> Result<LogoutResponse, Error> {
    let leaving = Leaving {
        hash: base::digest(request.refresh_token.as_bytes()),
        end: End::new(&app.sources, Ending::Logout),
    };
    let ended = app
        .db
        .run(leaving, |conn, leaving| Box::pin(leave(conn, leaving)))
        .await?;
    if ended {
        app.board.nudge();
    }
    Ok(LogoutResponse {})
}

struct Leaving {
    hash: [u8; 32],
    end: End,
}

async fn leave(conn: &mut PgConnection, leaving: &Leaving) -> Result<bool, Error> {
    let session = sqlx::query!(
        "SELECT s.id, s.user_id FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
         WHERE t.token_hash = $1",
        &leaving.hash[..],
    );
    let Some(session) = session.fetch_optional(&mut *conn).await? else {
        return Ok(false);
    };
    let owner = UserId::from(session.user_id);
    let ended = sessions::end(conn, &leaving.end, (session.id, owner), Some(owner)).await?;
    Ok(ended)
}
