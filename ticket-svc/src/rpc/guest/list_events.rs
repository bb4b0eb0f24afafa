//! Active events by date, soonest first.

use pages::{Page, Position};
use proto::ticket::{ListEventsRequest, ListEventsResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    rpc::{fields::Fields, view},
    store::catalog::{self, Event, TicketType},
};

#[derive(Debug)]
struct Search {
    /// LIKE patterns, each of which must match somewhere.
    anywhere: Vec<String>,
    in_location: Vec<String>,
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    page: Page,
}

pub async fn list_events(
    app: &App,
    request: &ListEventsRequest,
) -> Result<ListEventsResponse, Error> {
    let mut fields = Fields::default();
    let search = Search {
        anywhere: fields.patterns("query", &request.query),
        in_location: fields.patterns("location", &request.location),
        from: fields.time("from", request.from.as_ref()),
        to: fields.time("to", request.to.as_ref()),
        page: fields.page(request.page_size, &request.page_token),
    };
    fields.done()?;
    let found = app
        .db
        .read(search, |conn, search| Box::pin(read(conn, search)))
        .await?;
    let (events, types, next_page_token) = found;
    let events = events
        .iter()
        .map(|event| view::event(event, &types))
        .collect();
    Ok(ListEventsResponse {
        events,
        next_page_token,
    })
}

async fn read(
    conn: &mut PgConnection,
    search: &Search,
) -> Result<(Vec<Event>, Vec<TicketType>, String), Error> {
    let after = search.page.after;
    let found = sqlx::query_as!(
        Position,
        r#"
        SELECT date_time AS at, id FROM events
        WHERE status = 'active'
          AND (title || ' ' || location || ' ' || description) ILIKE ALL ($1::text[])
          AND location ILIKE ALL ($2::text[])
          AND ($3::timestamptz IS NULL OR date_time >= $3)
          AND ($4::timestamptz IS NULL OR date_time < $4)
          AND ($5::timestamptz IS NULL OR (date_time, id) > ($5, $6::uuid))
        ORDER BY date_time, id
        LIMIT $7
        "#,
        &search.anywhere,
        &search.in_location,
        search.from,
        search.to,
        after.map(|Position { at, .. }| at),
        after.map(|Position { id, .. }| id),
        search.page.rows(),
    )
    .fetch_all(&mut *conn);
    let mut found = found.await?;
    let next_page_token = search.page.cut(&mut found, |position| *position);
    let ids: Vec<Uuid> = found.iter().map(|position| position.id).collect();
    let events = catalog::events(conn, &ids).await?;
    let types = catalog::ticket_types(conn, &ids).await?;
    Ok((events, types, next_page_token))
}
