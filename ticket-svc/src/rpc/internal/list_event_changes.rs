//! What changed in the programme after a reader's cursor, oldest first. Numbers are given under a
//! lock that is kept to the commit, so no change appears behind one that was read.

use proto::ticket::{EventChange, ListEventChangesRequest, ListEventChangesResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    domain::limits::{CHANGES_DEFAULT, CHANGES_MAX},
    error::Error,
    rpc::{fields::Fields, view},
    store::catalog::{self, Event},
};

/// Changes of what an order remembers of its event.
const UPDATED: &str = "event.updated";
const POSTPONED: &str = "event.postponed";

#[derive(Debug)]
struct Cursor {
    after_seq: i64,
    limit: u32,
}

pub async fn list_event_changes(
    app: &App,
    request: &ListEventChangesRequest,
) -> Result<ListEventChangesResponse, Error> {
    let mut fields = Fields::default();
    if request.after_seq < 0 {
        fields.refuse("after_seq", "must be 0 or the seq of a change");
    }
    if request.limit > CHANGES_MAX {
        fields.refuse("limit", format!("must be between 1 and {CHANGES_MAX}"));
    }
    fields.done()?;
    let cursor = Cursor {
        after_seq: request.after_seq,
        limit: match request.limit {
            0 => CHANGES_DEFAULT,
            limit => limit,
        },
    };
    let changes = app
        .db
        .read(cursor, |conn, cursor| Box::pin(read(conn, cursor)))
        .await?;
    Ok(ListEventChangesResponse { changes })
}

async fn read(conn: &mut PgConnection, cursor: &Cursor) -> Result<Vec<EventChange>, Error> {
    // A cancellation is final, so what the event says of it is what was said then.
    let rows = sqlx::query!(
        r#"
        SELECT c.seq, c.event_id, c.change, c.changed_at,
               CASE c.change WHEN 'event.cancelled' THEN COALESCE(e.cancel_reason, '') ELSE '' END
                   AS "cancel_reason!"
        FROM event_changes c LEFT JOIN events e ON e.id = c.event_id
        WHERE c.seq > $1 ORDER BY c.seq LIMIT $2
        "#,
        cursor.after_seq,
        i64::from(cursor.limit),
    )
    .fetch_all(&mut *conn)
    .await?;
    let moved = rows.iter().filter(|row| has_facts(&row.change));
    let moved: Vec<Uuid> = moved.map(|row| row.event_id).collect();
    let events = catalog::events(conn, &moved).await?;
    let changes = rows.into_iter().map(|row| {
        let event = find(&events, row.event_id).filter(|_| has_facts(&row.change));
        EventChange {
            seq: row.seq,
            event_id: row.event_id.to_string(),
            changed_at: Some(proto::timestamp(row.changed_at)),
            cancel_reason: row.cancel_reason,
            event: event.map(view::event_facts),
            postpone_reason: event
                .map(|event| event.postpone_reason.clone())
                .unwrap_or_default(),
            change: row.change,
        }
    });
    Ok(changes.collect())
}

fn has_facts(change: &str) -> bool {
    change == UPDATED || change == POSTPONED
}

/// None where it was deleted since.
fn find(events: &[Event], id: Uuid) -> Option<&Event> {
    events.iter().find(|event| event.id == id)
}
