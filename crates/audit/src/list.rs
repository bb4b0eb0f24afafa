//! The query. The newest first; ties are broken by an id that no two services share, so that the edge can
//! put their lists together without a gap.

use db::DbError;
use proto::audit::AuditEntry;
use serde_json::Value;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Sight, wish::Wish};

pub async fn find(
    conn: &mut PgConnection,
    wish: &Wish,
    sight: Option<&Sight>,
) -> Result<Vec<AuditEntry>, DbError> {
    let (events, own) = match sight {
        None => (None, None),
        Some(Sight::Events(events)) => (Some(events.as_slice()), None),
        Some(Sight::Own(user)) => (None, Some(user.to_string())),
    };
    let rows = sqlx::query(
        r#"SELECT id, at, actor, action, object_kind, object, seq, event_id, before, after, reason,
                  trace_id, address
           FROM audit_entries
           WHERE ($1::uuid[] IS NULL OR event_id = ANY($1))
             AND ($2::text IS NULL OR $2 IN (actor, object))
             AND ($3::text IS NULL OR actor = $3)
             AND ($4::text IS NULL OR object = $4)
             AND ($5::text IS NULL OR $5 IN (action, split_part(action, '.', 1)))
             AND ($6::uuid IS NULL OR event_id = $6)
             AND ($7::timestamptz IS NULL OR at >= $7)
             AND ($8::timestamptz IS NULL OR at < $8)
             AND ($9::timestamptz IS NULL OR at <= $9 AND (at < $9 OR id COLLATE "C" < $10))
           ORDER BY at DESC, id COLLATE "C" DESC LIMIT $11"#,
    )
    // Planned anew for each wish: what is left open costs nothing, and an index serves the rest. A plan for all
    // wishes reads the whole record.
    .persistent(false)
    .bind(events)
    .bind(own)
    .bind(&wish.actor)
    .bind(&wish.object)
    .bind(&wish.action)
    .bind(wish.event)
    .bind(wish.from)
    .bind(wish.to)
    .bind(wish.after.as_ref().map(|(at, _)| *at))
    .bind(wish.after.as_ref().map(|(_, id)| id))
    .bind(wish.rows)
    .fetch_all(conn)
    .await?;
    Ok(rows.iter().map(entry).collect::<Result<_, sqlx::Error>>()?)
}

fn entry(row: &PgRow) -> Result<AuditEntry, sqlx::Error> {
    let json = |column: &str| -> Result<String, sqlx::Error> {
        let value: Option<Value> = row.try_get(column)?;
        Ok(value.map_or(String::new(), |value| value.to_string()))
    };
    let event: Option<Uuid> = row.try_get("event_id")?;
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: Some(proto::timestamp(row.try_get::<OffsetDateTime, _>("at")?)),
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        object_kind: row.try_get("object_kind")?,
        object: row.try_get("object")?,
        seq: row.try_get::<i64, _>("seq")?.unsigned_abs(),
        event_id: event.map(|event| event.to_string()).unwrap_or_default(),
        before: json("before")?,
        after: json("after")?,
        reason: row.try_get("reason")?,
        trace_id: row.try_get("trace_id")?,
        address: row.try_get("address")?,
    })
}
