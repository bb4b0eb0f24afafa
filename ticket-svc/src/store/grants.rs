//! What admins may do with an event.

use base::{EventId, UserId};
use proto::Grant;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{changes::Actor, known};
use crate::error::Error;

/// What one admin was granted. It goes into the audit log as it is.
#[derive(Clone, Debug, Serialize)]
pub struct GrantRow {
    pub user_id: Uuid,
    pub role: String,
    #[serde(with = "time::serde::rfc3339")]
    pub granted_at: OffsetDateTime,
    pub granted_by: Option<Uuid>,
}

impl GrantRow {
    pub fn grant(&self) -> Grant {
        known(Grant::from_word(&self.role))
    }
}

/// None if the event is not theirs, or not there.
pub async fn of(
    conn: &mut PgConnection,
    event: EventId,
    user: UserId,
) -> Result<Option<Grant>, Error> {
    let role = sqlx::query_scalar!(
        "SELECT role FROM event_grants WHERE event_id = $1 AND user_id = $2",
        event.uuid(),
        user.uuid(),
    );
    let role = role.fetch_optional(conn).await?;
    Ok(role.map(|role| known(Grant::from_word(&role))))
}

/// Foreign events do not exist for an admin; of their own they may do what their grant says.
pub async fn must_suffice(
    conn: &mut PgConnection,
    event: EventId,
    actor: &Actor,
) -> Result<(), Error> {
    if actor.superadmin {
        return Ok(());
    }
    match of(conn, event, actor.user_id).await? {
        None => Err(Error::NotFound("event")),
        Some(grant) if actor.grants.contains(&grant) => Ok(()),
        Some(_) => Err(Error::GrantTooSmall),
    }
}

pub async fn all(conn: &mut PgConnection, event: EventId) -> Result<Vec<GrantRow>, Error> {
    let rows = sqlx::query_as!(
        GrantRow,
        "SELECT user_id, role, granted_at, granted_by FROM event_grants WHERE event_id = $1
         ORDER BY granted_at, user_id",
        event.uuid(),
    );
    Ok(rows.fetch_all(conn).await?)
}

/// As the words of the database.
pub fn words(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(|grant| grant.word().to_owned()).collect()
}
