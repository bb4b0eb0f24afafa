//! The statements that several operations use, and a row as admins see it.

use base::MessageId;
use kit::TraceId;
use proto::notify::{Notification, NotificationFailure, NotificationState};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{error::Error, mailer::Class};

/// Messages are stored under it together, and a guest is erased under it alone: no message slips in
/// while that happens.
const STORING: i64 = 0x0062_6f78_6e6f_7469;

/// A notification without its content.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub id: Uuid,
    pub kind: String,
    pub order_id: Option<Uuid>,
    pub event_id: Option<Uuid>,
    pub recipient: String,
    pub revision: i32,
    pub copy: i32,
    pub status: String,
    pub attempts: i32,
    pub created_at: OffsetDateTime,
    pub sent_at: Option<OffsetDateTime>,
    pub next_attempt_at: OffsetDateTime,
    pub last_error: Option<String>,
    pub error_class: Option<String>,
    pub reply_code: Option<i16>,
    pub mail_id: Option<String>,
    pub dismissed_at: Option<OffsetDateTime>,
}

impl Row {
    /// It failed or came back, and nobody has dealt with it.
    pub fn needs_attention(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "bounced") && self.dismissed_at.is_none()
    }

    pub fn wire(self) -> Result<Notification, Error> {
        let state = state(&self.status)?;
        let queued = state == NotificationState::Queued;
        let erased = state == NotificationState::Erased;
        Ok(Notification {
            id: self.id.to_string(),
            order_id: self.order_id.map(|id| id.to_string()).unwrap_or_default(),
            event_id: self.event_id.map(|id| id.to_string()).unwrap_or_default(),
            revision: self.revision.unsigned_abs(),
            copy: self.copy.unsigned_abs(),
            state: state.into(),
            needs_attention: self.needs_attention(),
            attempts: self.attempts.unsigned_abs(),
            created_at: Some(proto::timestamp(self.created_at)),
            sent_at: self.sent_at.map(proto::timestamp),
            next_attempt_at: queued.then(|| proto::timestamp(self.next_attempt_at)),
            failure: self.failure(),
            kind: self.kind,
            recipient: if erased {
                String::new()
            } else {
                self.recipient
            },
            mail_id: self.mail_id.unwrap_or_default(),
        })
    }

    fn failure(&self) -> Option<NotificationFailure> {
        let class = Class::from_word(self.error_class.as_deref()?)?;
        Some(NotificationFailure {
            class: class.wire().into(),
            text: self.last_error.clone().unwrap_or_default(),
            reply_code: self.reply_code.map_or(0, |code| code.unsigned_abs().into()),
        })
    }
}

/// A status as the database names it, and as the contract does.
pub(crate) const STATES: [(&str, NotificationState); 7] = [
    ("queued", NotificationState::Queued),
    ("sending", NotificationState::Sending),
    ("sent", NotificationState::Sent),
    ("failed", NotificationState::Failed),
    ("bounced", NotificationState::Bounced),
    ("erased", NotificationState::Erased),
    ("withdrawn", NotificationState::Withdrawn),
];

fn state(word: &str) -> Result<NotificationState, Error> {
    let known = STATES.into_iter().find(|(status, _)| *status == word);
    known
        .map(|(_, state)| state)
        .ok_or(Error::Broken("a notification has an unknown status"))
}

pub(crate) async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Row>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, kind, order_id, event_id, recipient, revision, copy, status, attempts, created_at,
             sent_at, next_attempt_at, last_error, error_class, reply_code, mail_id, dismissed_at
         FROM notifications WHERE id = $1",
        id,
    );
    Ok(row.fetch_optional(conn).await?)
}

/// Messages are stored in this transaction. Before any statement that looks for erased guests.
pub(crate) async fn begin_storing(tx: &mut PgConnection) -> Result<(), Error> {
    let lock = sqlx::query!("SELECT pg_advisory_xact_lock_shared($1)", STORING);
    lock.execute(tx).await?;
    Ok(())
}

/// Waits for those who store messages, and keeps others from beginning until the transaction ends.
pub(crate) async fn stop_storing(tx: &mut PgConnection) -> Result<(), Error> {
    let lock = sqlx::query!("SELECT pg_advisory_xact_lock($1)", STORING);
    lock.execute(tx).await?;
    Ok(())
}

/// Notes a message that is told to nobody. A repeat changes nothing.
pub(crate) async fn receive(
    tx: &mut PgConnection,
    message: MessageId,
    kind: &str,
) -> Result<(), Error> {
    let inbox = sqlx::query!(
        "INSERT INTO inbox (message_id, kind) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT inbox_pkey DO NOTHING",
        message.uuid(),
        kind,
    );
    inbox.execute(tx).await?;
    Ok(())
}

/// Whom these went to is forgotten: they lose address and words, and are not sent any more. Returns how many.
pub(crate) async fn erase(tx: &mut PgConnection, ids: &[Uuid]) -> Result<u64, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let erased = sqlx::query!(
        "UPDATE notifications
         SET status = 'erased', recipient = concat('erased:', id), content = '', last_error = NULL,
             error_class = NULL, reply_code = NULL
         WHERE id = ANY($1) AND status <> 'erased'",
        ids,
    );
    let erased = erased.execute(&mut *tx).await?.rows_affected();
    // A mail server may have quoted the address. After the mails: a report that is taken in now waits for these.
    let bounces = sqlx::query!(
        "UPDATE bounces SET detail = '' WHERE notification_id = ANY($1)",
        ids,
    );
    bounces.execute(tx).await?;
    Ok(erased)
}

/// What an admin did.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    pub actor: String,
    pub trace_id: Option<String>,
    /// Of the client, as the edge saw it.
    pub address: Option<String>,
    /// A word such as `notification.retry`.
    pub action: &'static str,
    /// The id of what was changed.
    pub object: String,
    pub before: serde_json::Value,
    pub after: serde_json::Value,
}

impl Audit {
    /// In the trace of the call in hand. Made outside of database work, which has no call in hand.
    pub fn now(actor: impl ToString, action: &'static str, object: impl ToString) -> Self {
        let call = kit::current();
        Self {
            actor: actor.to_string(),
            trace_id: call.trace.as_ref().map(TraceId::to_string),
            address: call.client.map(|address| address.to_string()),
            action,
            object: object.to_string(),
            before: serde_json::Value::Null,
            after: serde_json::Value::Null,
        }
    }
}

/// Writes what an admin did, in the transaction that does it.
pub(crate) async fn audit(tx: &mut PgConnection, audit: &Audit) -> Result<(), Error> {
    let written = sqlx::query!(
        "INSERT INTO audit_log (actor, action, object, before, after, trace_id, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        audit.actor,
        audit.action,
        audit.object,
        audit.before,
        audit.after,
        audit.trace_id,
        audit.address,
    );
    written.execute(tx).await?;
    Ok(())
}
