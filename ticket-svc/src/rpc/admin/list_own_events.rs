//! Every event of the caller, whatever its status, newest date first. Archived ones are a list of
//! their own.

use pages::{Page, Position};
use proto::ticket::{ListOwnEventsRequest, ListOwnEventsResponse};
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::actor;
use crate::{
    app::App,
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog::{self, Event, TicketType},
        changes::Actor,
        grants,
    },
};

pub(super) struct Wanted {
    pub actor: Actor,
    pub archived: bool,
    /// LIKE patterns, each of which must match somewhere.
    pub words: Vec<String>,
    pub page: Page,
}

pub async fn list_own_events(
    app: &App,
    request: Request<ListOwnEventsRequest>,
) -> Result<ListOwnEventsResponse, Error> {
    let actor = actor(app, &request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let page = fields.page(request.page_size, &request.page_token);
    let wanted = Wanted {
        actor,
        archived: request.archived,
        words: fields.patterns("query", &request.query),
        page,
    };
    fields.done()?;
    let (events, types, next_page_token) = app
        .db
        .read(wanted, |conn, wanted| Box::pin(read(conn, wanted)))
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
    wanted: &Wanted,
) -> Result<(Vec<Event>, Vec<TicketType>, String), Error> {
    let (events, next_page_token) = page(conn, wanted).await?;
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let types = catalog::ticket_types(conn, &ids).await?;
    Ok((events, types, next_page_token))
}

/// A page of the events that the caller may see by one of their grants, and the token of the next one.
pub(super) async fn page(
    conn: &mut PgConnection,
    wanted: &Wanted,
) -> Result<(Vec<Event>, String), Error> {
    let Wanted { actor, page, .. } = wanted;
    let found = sqlx::query_as!(
        Position,
        r#"
        SELECT date_time AS at, id FROM events
        WHERE ($1 OR EXISTS (
                SELECT 1 FROM event_grants g WHERE g.event_id = events.id AND g.user_id = $2 AND g.role = ANY($7)
              ))
          AND (archived_at IS NOT NULL) = $6
          AND (title || ' ' || location) ILIKE ALL ($8::text[])
          AND ($3::timestamptz IS NULL OR (date_time, id) < ($3, $4::uuid))
        ORDER BY date_time DESC, id DESC
        LIMIT $5
        "#,
        actor.superadmin,
        actor.user_id.uuid(),
        page.after.map(|Position { at, .. }| at),
        page.after.map(|Position { id, .. }| id),
        page.rows(),
        wanted.archived,
        &grants::words(actor.grants),
        &wanted.words,
    )
    .fetch_all(&mut *conn);
    let mut found = found.await?;
    let next_page_token = page.cut(&mut found, |position| *position);
    let ids: Vec<Uuid> = found.iter().map(|position| position.id).collect();
    Ok((catalog::events(conn, &ids).await?, next_page_token))
}
