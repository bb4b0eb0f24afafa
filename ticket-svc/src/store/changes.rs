//! What every change of the programme leaves behind, in the transaction of the change.

use base::{EventId, UserId};
use proto::Grant;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// Who changes the programme, and under which id it is recorded.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user_id: UserId,
    pub superadmin: bool,
    /// One of these is enough for what they do; the contract says so.
    pub grants: &'static [Grant],
    pub audit_id: Uuid,
    pub trace_id: Option<String>,
    /// Of the client, as the edge saw it.
    pub address: Option<String>,
}

/// One change of an event or of a part of it.
#[derive(Debug)]
pub struct Change<'a, T> {
    /// For example `event.updated`.
    pub action: &'a str,
    pub event_id: EventId,
    pub object_id: Uuid,
    pub before: Option<&'a T>,
    pub after: &'a T,
}

/// Whether this very call has made its change: it committed, and the answer to that was lost.
pub async fn is_recorded(conn: &mut PgConnection, actor: &Actor) -> Result<bool, Error> {
    let recorded = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM audit_log WHERE id = $1) AS "recorded!""#,
        actor.audit_id,
    );
    Ok(recorded.fetch_one(conn).await?)
}

/// Writes the audit log and the next number of the change feed. The last statement of its
/// transaction, because every writer waits for the feed's lock.
pub async fn record<T: Serialize>(
    conn: &mut PgConnection,
    actor: &Actor,
    change: &Change<'_, T>,
) -> Result<(), Error> {
    let json = |value: &T| {
        serde_json::to_value(value).map_err(|_| Error::Fault("a change does not serialize"))
    };
    sqlx::query!(
        r#"
        INSERT INTO audit_log (id, actor, action, event_id, object_id, before, after, trace_id, address)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        actor.audit_id,
        actor.user_id.uuid(),
        change.action,
        change.event_id.uuid(),
        change.object_id,
        change.before.map(json).transpose()?,
        json(change.after)?,
        actor.trace_id,
        actor.address,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        WITH next AS (UPDATE event_change_seq SET last_seq = last_seq + 1 RETURNING last_seq)
        INSERT INTO event_changes (seq, event_id, change) SELECT last_seq, $1, $2 FROM next
        "#,
        change.event_id.uuid(),
        change.action,
    )
    .execute(conn)
    .await?;
    Ok(())
}
