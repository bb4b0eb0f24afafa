//! Every event of the caller, whatever its status, newest date first. Archived ones are a list of
//! their own.

use proto::ticket::{ListOwnEventsRequest, ListOwnEventsResponse};
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::actor;
use crate::{
    app::App,
    error::Error,
    rpc::{
        fields::Fields,
        page::{Page, Position},
        view,
    },
    store::{
        catalog::{self, Event, TicketType},
        changes::Actor,
        grants,
    },
};

pub async fn list_own_events(
    app: &App,
    request: Request<ListOwnEventsRequest>,
) -> Result<ListOwnEventsResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let page = Page::read(&mut fields, request.page_size, &request.page_token);
    fields.done()?;
    let wanted = (actor, request.archived, page);
    let (events, types, next_page_token) = app
        .db
        .read(wanted, |conn, (actor, archived, page)| {
            Box::pin(read(conn, actor, *archived, page))
        })
        .await?;
    let events = events
        .iter()
        .map(|event| view::event(event, &types))
        .collect();
    Ok(ListOwnEventsResponse {
        events,
        next_page_token,
    })
}

async fn read(
    conn: &mut PgConnection,
    actor: &Actor,
    archived: bool,
    page: &Page,
) -> Result<(Vec<Event>, Vec<TicketType>, String), Error> {
    let found = sqlx::query_as!(
        Position,
        r#"
        SELECT date_time, id FROM events
        WHERE ($1 OR EXISTS (
                SELECT 1 FROM event_grants g WHERE g.event_id = events.id AND g.user_id = $2 AND g.role = ANY($7)
              ))
          AND (archived_at IS NOT NULL) = $6
          AND ($3::timestamptz IS NULL OR (date_time, id) < ($3, $4::uuid))
        ORDER BY date_time DESC, id DESC
        LIMIT $5
        "#,
        actor.superadmin,
        actor.user_id.uuid(),
        page.after.map(|Position { date_time, .. }| date_time),
        page.after.map(|Position { id, .. }| id),
        page.rows(),
        archived,
        &grants::words(actor.grants),
    )
    .fetch_all(&mut *conn);
    let mut found = found.await?;
    let next_page_token = page.cut(&mut found);
    let ids: Vec<Uuid> = found.iter().map(|position| position.id).collect();
    let events = catalog::events(conn, &ids).await?;
    let types = catalog::ticket_types(conn, &ids).await?;
    Ok((events, types, next_page_token))
}
