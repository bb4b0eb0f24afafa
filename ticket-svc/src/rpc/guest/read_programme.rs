//! Everything that guests see, in the order of ids: for members that keep a copy of it.

use base::EventId;
use proto::ticket::{ProgrammeEntry, ReadProgrammeRequest, ReadProgrammeResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        event_status::EventStatus,
        limits::{PROGRAMME_PAGE_DEFAULT, PROGRAMME_PAGE_MAX},
    },
    error::Error,
    rpc::{fields::Fields, view},
    store::catalog::{self, Event, TicketType},
};

#[derive(Debug)]
struct Wanted {
    /// Empty: all of them.
    ids: Vec<Uuid>,
    after: Uuid,
    size: u32,
}

struct Read {
    seq: i64,
    as_of: OffsetDateTime,
    /// Set if there is more: where the next page begins.
    next_after: Option<Uuid>,
    events: Vec<Event>,
    types: Vec<TicketType>,
}

pub async fn read_programme(
    app: &App,
    request: &ReadProgrammeRequest,
) -> Result<ReadProgrammeResponse, Error> {
    let wanted = wanted(request)?;
    let read = app
        .db
        .read(wanted, |conn, wanted| Box::pin(read(conn, wanted)))
        .await?;
    let entry = |event: &Event| {
        let own = |one: &&TicketType| one.event_id == event.id;
        let types: Vec<TicketType> = read.types.iter().filter(own).cloned().collect();
        ProgrammeEntry {
            event: Some(view::event(event, &types)),
            ticket_types: view::ticket_types(event, &types),
        }
    };
    Ok(ReadProgrammeResponse {
        entries: read.events.iter().map(entry).collect(),
        next_after_id: read
            .next_after
            .map_or_else(String::new, |id| id.to_string()),
        seq: read.seq,
        as_of: Some(proto::timestamp(read.as_of)),
    })
}

fn wanted(request: &ReadProgrammeRequest) -> Result<Wanted, Error> {
    let mut fields = Fields::default();
    if request.event_ids.len() > PROGRAMME_PAGE_MAX as usize {
        fields.refuse("event_ids", format!("must be {PROGRAMME_PAGE_MAX} at most"));
    }
    if request.page_size > PROGRAMME_PAGE_MAX {
        let rule = format!("must be between 1 and {PROGRAMME_PAGE_MAX}");
        fields.refuse("page_size", rule);
    }
    let ids = request.event_ids.iter();
    let ids = ids.filter_map(|id| fields.parse::<EventId>("event_ids", id));
    let ids: Vec<Uuid> = ids.map(|id| id.uuid()).collect();
    let after = match request.after_id.as_str() {
        "" => Some(Uuid::nil()),
        id => fields.parse::<EventId>("after_id", id).map(|id| id.uuid()),
    };
    fields.done()?;
    Ok(Wanted {
        ids,
        after: after.unwrap_or_default(),
        size: match request.page_size {
            0 => PROGRAMME_PAGE_DEFAULT.max(u32::try_from(request.event_ids.len()).unwrap_or(0)),
            size => size,
        },
    })
}

async fn read(conn: &mut PgConnection, wanted: &Wanted) -> Result<Read, Error> {
    // First of all, so that what is read is no older than it says.
    let began =
        sqlx::query!(r#"SELECT last_seq, clock_timestamp() AS "as_of!" FROM event_change_seq"#)
            .fetch_one(&mut *conn)
            .await?;
    let mut ids = sqlx::query_scalar!(
        r#"
        SELECT id FROM events
        WHERE status = 'active' AND id > $1 AND (CARDINALITY($2::uuid[]) = 0 OR id = ANY ($2))
        ORDER BY id LIMIT $3
        "#,
        wanted.after,
        &wanted.ids,
        i64::from(wanted.size) + 1,
    )
    .fetch_all(&mut *conn)
    .await?;
    // Of the ids: an event that leaves the programme before the next statement ends no page.
    let size = wanted.size as usize;
    let is_more = ids.len() > size;
    ids.truncate(size);
    let next_after = ids.last().copied().filter(|_| is_more);
    let events = catalog::events(conn, &ids).await?;
    // One that was paused since the statement before is not the programme's any more.
    let events = events.into_iter();
    let events = events.filter(|event| event.status() == EventStatus::Active);
    Ok(Read {
        seq: began.last_seq,
        as_of: began.as_of,
        next_after,
        events: events.collect(),
        types: catalog::ticket_types(conn, &ids).await?,
    })
}
