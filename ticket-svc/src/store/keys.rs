use base::EventId;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::known;
use crate::{domain::key_state::KeyState, error::Error, signers::Signers};

/// The number of an event's first key.
pub const FIRST: u16 = 1;

/// A key that signs, or signed, the codes of an event.
#[derive(Clone, Debug, Serialize)]
pub struct EventKey {
    pub number: u16,
    /// Ed25519, 32 bytes.
    #[serde(skip)]
    pub public_key: Vec<u8>,
    pub state: KeyState,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub retired_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
}

/// Oldest first.
pub async fn of_event(conn: &mut PgConnection, event: EventId) -> Result<Vec<EventKey>, Error> {
    let rows = sqlx::query!(
        r#"
        SELECT number, public_key, state, created_at, retired_at, revoked_at
        FROM event_keys WHERE event_id = $1 ORDER BY number
        "#,
        event.uuid(),
    )
    .fetch_all(conn)
    .await?;
    let keys = rows.into_iter().map(|row| EventKey {
        number: stored_number(row.number),
        public_key: row.public_key,
        state: known(KeyState::from_word(&row.state)),
        created_at: row.created_at,
        retired_at: row.retired_at,
        revoked_at: row.revoked_at,
    });
    Ok(keys.collect())
}

/// Stores a key that signs from now on. Nothing happens where the event has one that does.
pub async fn make(
    conn: &mut PgConnection,
    signers: &Signers,
    event: EventId,
    number: u16,
) -> Result<(), Error> {
    let name = signers.name(event, number);
    let public_key = signers.public_key(&name)?;
    sqlx::query!(
        r#"
        INSERT INTO event_keys (event_id, number, seed_key_id, public_key, state)
        VALUES ($1, $2, $3, $4, 'active') ON CONFLICT DO NOTHING
        "#,
        event.uuid(),
        i32::from(number),
        name.ring_id,
        &public_key,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a key signs the event's codes. Once one does, one always will, so it is asked once.
pub async fn is_signed(
    conn: &mut PgConnection,
    signers: &Signers,
    event: EventId,
) -> Result<bool, Error> {
    if signers.is_signed(event) {
        return Ok(true);
    }
    let signed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM event_keys WHERE event_id = $1) AS "signed!""#,
        event.uuid(),
    );
    let signed = signed.fetch_one(conn).await?;
    if signed {
        signers.learn_signed(event);
    }
    Ok(signed)
}

/// A number of 16 bits.
pub fn stored_number(number: i32) -> u16 {
    known(u16::try_from(number).ok())
}
