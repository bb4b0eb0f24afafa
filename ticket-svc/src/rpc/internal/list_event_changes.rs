//! What changed in the programme after a reader's cursor, oldest first. Numbers are given under a
//! lock that is kept to the commit, so no change appears behind one that was read.

use proto::ticket::{EventChange, ListEventChangesRequest, ListEventChangesResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    domain::limits::{CHANGES_DEFAULT, CHANGES_MAX},
    error::Error,
    rpc::fields::Fields,
};

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
    .fetch_all(conn)
    .await?;
    let changes = rows.into_iter().map(|row| EventChange {
        seq: row.seq,
        event_id: row.event_id.to_string(),
        change: row.change,
        changed_at: Some(proto::timestamp(row.changed_at)),
        cancel_reason: row.cancel_reason,
    });
    Ok(changes.collect())
}
