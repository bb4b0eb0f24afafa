//! Whether an admin was granted an event. An absent event was granted to nobody.

use base::{EventId, UserId};
use proto::ticket::{CheckGrantRequest, CheckGrantResponse};
use sqlx::PgConnection;

use crate::{app::App, error::Error, rpc::fields::Fields};

pub async fn check_grant(
    app: &App,
    request: &CheckGrantRequest,
) -> Result<CheckGrantResponse, Error> {
    let mut fields = Fields::default();
    let user_id: Option<UserId> = fields.parse("user_id", &request.user_id);
    let event_id: Option<EventId> = fields.parse("event_id", &request.event_id);
    let (Some(user_id), Some(event_id)) = (user_id, event_id) else {
        return Err(fields.into_error());
    };
    let granted = app
        .db
        .read((user_id, event_id), |conn, (user_id, event_id)| {
            Box::pin(is_granted(conn, *user_id, *event_id))
        })
        .await?;
    Ok(CheckGrantResponse { granted })
}

async fn is_granted(
    conn: &mut PgConnection,
    user_id: UserId,
    event_id: EventId,
) -> Result<bool, Error> {
    let granted = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1 FROM event_grants WHERE event_id = $1 AND user_id = $2
        ) AS "granted!"
        "#,
        event_id.uuid(),
        user_id.uuid(),
    );
    Ok(granted.fetch_one(conn).await?)
}
