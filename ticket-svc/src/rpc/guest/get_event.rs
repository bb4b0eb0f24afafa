//! One active event by id or slug, with its ticket types and what is left of them.

use base::EventId;
use proto::ticket::{GetEventRequest, GetEventResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    domain::event_status::EventStatus,
    error::Error,
    rpc::view,
    store::catalog::{self, Event, TicketType},
};

pub async fn get_event(app: &App, request: GetEventRequest) -> Result<GetEventResponse, Error> {
    let wanted = request.id_or_slug;
    let (event, types) = app
        .db
        .read(wanted, |conn, wanted| Box::pin(read(conn, wanted)))
        .await?;
    Ok(GetEventResponse {
        event: Some(view::event(&event, &types)),
        ticket_types: view::ticket_types(&event, &types),
    })
}

async fn read(conn: &mut PgConnection, wanted: &str) -> Result<(Event, Vec<TicketType>), Error> {
    let id = match wanted.parse::<EventId>() {
        Ok(id) => Some(id),
        Err(_) => id_of_slug(conn, wanted).await?,
    };
    let event = match id {
        Some(id) => catalog::event(conn, id).await?,
        None => None,
    };
    let event = event.filter(|event| event.status() == EventStatus::Active);
    let event = event.ok_or(Error::NotFound("event"))?;
    let types = catalog::ticket_types(conn, &[event.id]).await?;
    Ok((event, types))
}

async fn id_of_slug(conn: &mut PgConnection, slug: &str) -> Result<Option<EventId>, Error> {
    // No slug has other characters, and Postgres takes no NUL.
    if !slug
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Ok(None);
    }
    let id = sqlx::query_scalar!("SELECT id FROM events WHERE slug = $1", slug);
    Ok(id.fetch_optional(conn).await?.map(EventId::from))
}
