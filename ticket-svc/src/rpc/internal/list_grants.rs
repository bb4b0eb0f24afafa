//! The events of one admin, the newest first.

use base::{EventId, UserId};
use proto::ticket::{ListGrantsRequest, ListGrantsResponse};
use sqlx::PgConnection;

use crate::{app::App, domain::limits::GRANTS_MAX, error::Error, rpc::fields::Fields};

pub async fn list_grants(
    app: &App,
    request: &ListGrantsRequest,
) -> Result<ListGrantsResponse, Error> {
    let mut fields = Fields::default();
    let user_id: Option<UserId> = fields.parse("user_id", &request.user_id);
    let Some(user_id) = user_id else {
        return Err(fields.into_error());
    };
    let events = app
        .db
        .read(user_id, |conn, user_id| Box::pin(granted(conn, *user_id)))
        .await?;
    Ok(ListGrantsResponse {
        event_ids: events.iter().map(EventId::to_string).collect(),
    })
}

async fn granted(conn: &mut PgConnection, user_id: UserId) -> Result<Vec<EventId>, Error> {
    let events = sqlx::query_scalar!(
        r#"
        SELECT event_id FROM event_grants WHERE user_id = $1
        ORDER BY granted_at DESC, event_id DESC LIMIT $2
        "#,
        user_id.uuid(),
        GRANTS_MAX,
    );
    let events = events.fetch_all(conn).await?;
    Ok(events.into_iter().map(EventId::from).collect())
}
