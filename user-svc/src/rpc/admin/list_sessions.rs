use base::UserId;
use kit::{Admin, Failure};
use proto::user::{ListSessionsRequest, ListSessionsResponse, Session};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::session::{SESSION_IDLE, session_end},
    error::Error,
};

const SESSIONS_MAX: i64 = 100;

/// Where an account is signed in: one's own, or for superadmins anybody's.
pub(crate) async fn list_sessions(
    app: &App,
    admin: Admin,
    request: ListSessionsRequest,
) -> Result<ListSessionsResponse, Error> {
    let of = whose(admin, &request.user_id)?;
    let now = app.sources.now();
    let found = app
        .db
        .read((of, now), |conn, (of, now)| {
            Box::pin(select(conn, *of, *now))
        })
        .await?;
    let to_wire = |row: Row| Session {
        current: Some(row.id) == admin.session,
        id: row.id.to_string(),
        created_at: Some(proto::timestamp(row.created_at)),
        last_used_at: Some(proto::timestamp(row.last_used_at)),
        expires_at: Some(proto::timestamp(session_end(
            row.last_used_at,
            row.expires_at,
        ))),
        network: row.network.unwrap_or_default(),
        user_agent: row.user_agent.unwrap_or_default(),
    };
    Ok(ListSessionsResponse {
        sessions: found.into_iter().map(to_wire).collect(),
    })
}

/// Whose sessions or keys an admin may see. One answer for absent and foreign alike.
pub(super) fn whose(admin: Admin, user_id: &str) -> Result<UserId, Error> {
    if user_id.is_empty() {
        return Ok(admin.id);
    }
    let asked = user_id.parse::<UserId>().ok();
    asked
        .filter(|asked| admin.superadmin || *asked == admin.id)
        .ok_or_else(|| Failure::not_found("account").into())
}

struct Row {
    id: Uuid,
    created_at: OffsetDateTime,
    last_used_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    network: Option<String>,
    user_agent: Option<String>,
}

async fn select(
    conn: &mut PgConnection,
    of: UserId,
    now: OffsetDateTime,
) -> Result<Vec<Row>, Error> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE id = $1) AS "known!""#,
        of.uuid(),
    );
    if !known.fetch_one(&mut *conn).await? {
        return Err(Failure::not_found("account").into());
    }
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, created_at, last_used_at, expires_at, network, user_agent FROM sessions
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND last_used_at > $3
         ORDER BY last_used_at DESC, id DESC LIMIT $4",
        of.uuid(),
        now,
        now - SESSION_IDLE,
        SESSIONS_MAX,
    );
    Ok(rows.fetch_all(conn).await?)
}
