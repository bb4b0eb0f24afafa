//! Messages that came and are no notification: a trace of each, so that a person can see it.

use events::Poison;
use prost::Message as _;
use proto::event::Envelope;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{app::App, error::Error};

/// The newest stay.
const MAX_ROWS: i64 = 1_000;
const REASON_BYTES: usize = 1_024;
const SUBJECT_BYTES: usize = 256;
const HEADERS_BYTES: usize = 2_048;
const PAYLOAD_BYTES: usize = 1_024;

pub(crate) struct Row {
    id: Uuid,
    reason: String,
    subject: String,
    headers: String,
    payload_prefix: Vec<u8>,
    payload_bytes: i32,
}

impl Row {
    /// Of a message that cannot be read.
    pub fn unreadable(poison: Poison) -> Self {
        let Poison {
            subject,
            headers,
            payload,
            reason,
        } = poison;
        Self {
            id: id_of(&payload),
            reason: text(&reason, REASON_BYTES),
            subject: text(&subject, SUBJECT_BYTES),
            headers: text(&headers, HEADERS_BYTES),
            payload_prefix: payload[..payload.len().min(PAYLOAD_BYTES)].to_vec(),
            payload_bytes: length(payload.len()),
        }
    }

    /// Of a message that was read and refused. Its sender has it, so it is not copied.
    pub fn refused(envelope: &Envelope, reason: &Error) -> Self {
        let own_id = envelope.message_id.parse();
        Self {
            id: own_id.unwrap_or_else(|_| id_of(&envelope.encode_to_vec())),
            reason: text(&reason.to_string(), REASON_BYTES),
            subject: String::new(),
            headers: String::new(),
            payload_prefix: Vec::new(),
            payload_bytes: length(envelope.encoded_len()),
        }
    }
}

/// Commits a trace of each.
pub(crate) async fn set_aside(app: &App, rows: Vec<Row>) -> Result<(), Error> {
    app.db
        .run(rows, |tx, rows| {
            Box::pin(async move {
                for row in rows {
                    upsert(tx, row).await?;
                }
                keep_the_newest(tx).await
            })
        })
        .await
}

async fn upsert(tx: &mut PgConnection, row: &Row) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO poison_messages
             (id, reason, subject, headers, payload_prefix, payload_bytes)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT poison_messages_pkey DO UPDATE
         SET reason = EXCLUDED.reason, times = poison_messages.times + 1,
             last_received_at = clock_timestamp()",
        row.id,
        row.reason,
        row.subject,
        row.headers,
        row.payload_prefix,
        row.payload_bytes,
    )
    .execute(tx)
    .await
    .map_err(db::DbError::from)?;
    Ok(())
}

async fn keep_the_newest(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM poison_messages WHERE id IN (
             SELECT id FROM poison_messages ORDER BY last_received_at DESC, id OFFSET $1)",
        MAX_ROWS,
    )
    .execute(tx)
    .await
    .map_err(db::DbError::from)?;
    Ok(())
}

/// These were accepted after all.
pub(crate) async fn clear(tx: &mut PgConnection, ids: &[Uuid]) -> Result<(), Error> {
    sqlx::query!("DELETE FROM poison_messages WHERE id = ANY($1)", ids)
        .execute(tx)
        .await
        .map_err(db::DbError::from)?;
    Ok(())
}

/// The same bytes are the same message.
fn id_of(bytes: &[u8]) -> Uuid {
    let mut id = [0; 16];
    id.copy_from_slice(&base::digest(bytes)[..16]);
    uuid::Builder::from_custom_bytes(id).into_uuid()
}

/// So many bytes of it at most, and nothing that PostgreSQL does not store as text.
fn text(text: &str, bytes: usize) -> String {
    let clean = text.replace('\0', "\u{fffd}");
    clean[..clean.floor_char_boundary(bytes)].to_owned()
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_bounded_whatever_comes() {
        let row = Row::unreadable(Poison {
            subject: "ž".repeat(1_000),
            headers: "a\0b".repeat(5_000),
            payload: vec![0xff; 1_000_000],
            reason: "é".repeat(1_000),
        });
        assert!(row.subject.len() <= SUBJECT_BYTES && row.headers.len() <= HEADERS_BYTES);
        assert!(row.reason.len() <= REASON_BYTES);
        assert!(!row.headers.contains('\0'));
        assert_eq!(
            (row.payload_prefix.len(), row.payload_bytes),
            (PAYLOAD_BYTES, 1_000_000)
        );
    }
}
