//! One look: which events may have changed since the last one, and what is left of them now.

use proto::ticket::{EventAvailability, TicketTypeAvailability};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::event_status::EventStatus,
    error::Error,
    rpc::view,
    store::catalog::{self, Event, TicketType},
};

/// How far the looks before have seen.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Every transaction before this one had ended; absent before the first look.
    horizon: Option<String>,
    /// Of the list of changes.
    seq: i64,
    pub as_of: Option<OffsetDateTime>,
    /// When the next sale begins or ends by the clock.
    next_turn_of_clock: Option<OffsetDateTime>,
}

/// What one look found.
#[derive(Debug, Default)]
pub struct Found {
    pub sight: Sight,
    /// It was looked at everything.
    pub is_whole: bool,
    pub events: Vec<(Uuid, EventAvailability)>,
    /// Events that guests do not see any more.
    pub gone: Vec<Uuid>,
}

pub async fn look(conn: &mut PgConnection, before: &Sight) -> Result<Found, Error> {
    let now = changed(conn, before).await?;
    let is_whole = before.as_of.is_none();
    let mut sight = Sight {
        horizon: Some(now.horizon),
        seq: now.seq,
        as_of: Some(now.as_of),
        next_turn_of_clock: before.next_turn_of_clock,
    };
    let mut ids = if is_whole {
        every_active(conn).await?
    } else {
        now.events
    };
    let is_due = before.next_turn_of_clock.is_some_and(|at| at <= now.as_of);
    if is_due || is_whole || now.seq != before.seq {
        let since = before.as_of.unwrap_or(now.as_of);
        let clock = turns_of_clock(conn, since, now.as_of).await?;
        ids.extend(clock.passed);
        sight.next_turn_of_clock = clock.next;
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Found {
            sight,
            is_whole,
            ..Found::default()
        });
    }
    let events = catalog::events(conn, &ids).await?;
    let types = catalog::ticket_types(conn, &ids).await?;
    let (events, gone) = tell(&ids, &events, &types);
    Ok(Found {
        sight,
        is_whole,
        events,
        gone,
    })
}

struct Changed {
    horizon: String,
    seq: i64,
    as_of: OffsetDateTime,
    events: Vec<Uuid>,
}

/// Rows of pools say themselves which transaction wrote them. One that had not ended at the last
/// look has a number from that look's horizon on, so nothing is missed whatever the order of the
/// commits; and no writer has to leave a mark, least of all the hot path.
async fn changed(conn: &mut PgConnection, before: &Sight) -> Result<Changed, Error> {
    let row = sqlx::query!(
        r#"
        SELECT clock_timestamp() AS "as_of!",
               (pg_snapshot_xmin(pg_current_snapshot())::xid)::text AS "horizon!",
               (SELECT last_seq FROM event_change_seq) AS "seq!",
               ARRAY(
                   SELECT event_id FROM pools
                   WHERE age(pools.xmin) <= (SELECT age($1::text::xid))
                   UNION
                   SELECT event_id FROM event_changes WHERE $1 IS NOT NULL AND seq > $2
               ) AS "events!"
        "#,
        before.horizon.as_deref(),
        before.seq,
    )
    .fetch_one(conn)
    .await?;
    Ok(Changed {
        horizon: row.horizon,
        seq: row.seq,
        as_of: row.as_of,
        events: row.events,
    })
}

async fn every_active(conn: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
    let ids = sqlx::query_scalar!("SELECT id FROM events WHERE status = 'active'");
    Ok(ids.fetch_all(conn).await?)
}

struct Clock {
    passed: Vec<Uuid>,
    next: Option<OffsetDateTime>,
}

/// Events of which a sale began or ended by itself within this time, and when that happens next.
async fn turns_of_clock(
    conn: &mut PgConnection,
    after: OffsetDateTime,
    up_to: OffsetDateTime,
) -> Result<Clock, Error> {
    let row = sqlx::query!(
        r#"
        WITH turns AS (
            SELECT event_id, sales_start AS at FROM ticket_types
            UNION ALL SELECT event_id, sales_end FROM ticket_types
            UNION ALL SELECT id, date_time FROM events
        )
        SELECT ARRAY(SELECT DISTINCT event_id FROM turns WHERE at > $1 AND at <= $2) AS "passed!",
               (SELECT MIN(at) FROM turns WHERE at > $2) AS next
        "#,
        after,
        up_to,
    )
    .fetch_one(conn)
    .await?;
    Ok(Clock {
        passed: row.passed,
        next: row.next,
    })
}

type Told = Vec<(Uuid, EventAvailability)>;

fn tell(ids: &[Uuid], events: &[Event], types: &[TicketType]) -> (Told, Vec<Uuid>) {
    let is_seen = |event: &&Event| event.status() == EventStatus::Active;
    let seen: Vec<&Event> = events.iter().filter(is_seen).collect();
    let gone = ids
        .iter()
        .filter(|id| seen.iter().all(|event| event.id != **id));
    let gone = gone.copied().collect();
    let told = seen.iter().map(|event| (event.id, of_event(event, types)));
    (told.collect(), gone)
}

fn of_event(event: &Event, types: &[TicketType]) -> EventAvailability {
    let own = types.iter().filter(|one| one.event_id == event.id);
    EventAvailability {
        event_id: event.id().to_string(),
        availability: view::availability(event, types).into(),
        ticket_types: own.map(|one| of_type(event, one)).collect(),
    }
}

fn of_type(event: &Event, ticket_type: &TicketType) -> TicketTypeAvailability {
    TicketTypeAvailability {
        ticket_type_id: ticket_type.id().to_string(),
        remaining: ticket_type.free,
        availability: view::availability_of_type(event, ticket_type).into(),
    }
}
