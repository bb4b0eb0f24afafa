//! The events of one admin, the newest first.

use base::{EventId, UserId};
use proto::{
    Grant, common,
    ticket::{ListGrantsRequest, ListGrantsResponse},
};
use sqlx::PgConnection;

use crate::{
    app::App, domain::limits::GRANTS_MAX, error::Error, rpc::fields::Fields, store::grants::words,
};

pub async fn list_grants(
    app: &App,
    request: &ListGrantsRequest,
) -> Result<ListGrantsResponse, Error> {
    let mut fields = Fields::default();
    let user_id: Option<UserId> = fields.parse("user_id", &request.user_id);
    let Some(user_id) = user_id else {
        return Err(fields.into_error());
    };
    let wanted = (user_id, words(&wanted(request)));
    let events = app
        .db
        .read(wanted, |conn, (user_id, roles)| {
            Box::pin(granted(conn, *user_id, roles))
        })
        .await?;
    Ok(ListGrantsResponse {
        event_ids: events.iter().map(EventId::to_string).collect(),
    })
}

/// A caller that names none is of a version that knew owners only, and lets them edit.
fn wanted(request: &ListGrantsRequest) -> Vec<Grant> {
    if request.grants.is_empty() {
        return vec![Grant::Owner, Grant::Editor];
    }
    let all = Grant::ALL.into_iter();
    all.filter(|grant| {
        request
            .grants()
            .any(|one| one == common::Grant::from(*grant))
    })
    .collect()
}

async fn granted(
    conn: &mut PgConnection,
    user_id: UserId,
    roles: &[String],
) -> Result<Vec<EventId>, Error> {
    let events = sqlx::query_scalar!(
        r#"
        SELECT event_id FROM event_grants WHERE user_id = $1 AND role = ANY($3)
        ORDER BY granted_at DESC, event_id DESC LIMIT $2
        "#,
        user_id.uuid(),
        GRANTS_MAX,
        roles,
    );
    let events = events.fetch_all(conn).await?;
    Ok(events.into_iter().map(EventId::from).collect())
}
