//! Commits messages as inbox rows, each with the notification it asks for, in one transaction.
//! JetStream and the direct call both end here, so a message has one effect however it came.

use base::{MessageId, NotificationId};
use events::{AcceptMessages, Poison};
use futures::future::BoxFuture;
use kit::TraceId;
use proto::{
    event::Envelope,
    notify::{AcceptRequest, AcceptResponse},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    kinds::{self, Kind, Notice},
    poison,
};

const MAX_ENVELOPES: usize = 100;
const CHANNEL_EMAIL: &str = "email";

pub(crate) async fn accept_request(
    app: &App,
    request: AcceptRequest,
) -> Result<AcceptResponse, Error> {
    if request.envelopes.is_empty() || request.envelopes.len() > MAX_ENVELOPES {
        return Err(Error::field(
            "envelopes",
            format!("must be 1 to {MAX_ENVELOPES}"),
        ));
    }
    let accepted = accept(app, request.envelopes).await?;
    Ok(AcceptResponse {
        accepted_message_ids: accepted.iter().map(ToString::to_string).collect(),
    })
}

/// The ids that are committed rows now, those of before included.
pub(crate) async fn accept(app: &App, envelopes: Vec<Envelope>) -> Result<Vec<MessageId>, Error> {
    let mut messages: Vec<Accepted> = Vec::new();
    let mut refused: Vec<poison::Row> = Vec::new();
    for envelope in envelopes {
        match Accepted::check(app, &envelope) {
            Ok(message) => messages.push(message),
            Err(error) => {
                // Not confirmed: the sender's row stays open, and shows that something is wrong.
                let message_id = envelope.message_id.as_str();
                tracing::error!(message_id, %error, "message refused");
                refused.push(poison::Row::refused(&envelope, &error));
            }
        }
    }
    if !refused.is_empty()
        && let Err(error) = poison::set_aside(app, refused).await
    {
        // A trace only, which keeps no other message from being accepted.
        tracing::warn!(%error, "refused messages leave no trace yet");
    }
    // The same batch may come by both ways at once; in one order they wait for each other.
    messages.sort_by_key(|message| message.id);
    let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
    app.db
        .run(messages, |tx, messages| {
            Box::pin(async move {
                for message in messages {
                    insert(tx, message).await?;
                }
                let ids: Vec<Uuid> = messages.iter().map(|message| message.id.uuid()).collect();
                poison::clear(tx, &ids).await
            })
        })
        .await?;
    kit::failpoint!("notify.accepted");
    app.accepted.notify_one();
    Ok(ids)
}

/// A message that can be rendered and sent.
struct Accepted {
    id: MessageId,
    notification_id: NotificationId,
    kind: Kind,
    order_id: Uuid,
    recipient: String,
    revision: i32,
    content: Vec<u8>,
    /// The span the message came in.
    traceparent: Option<String>,
}

impl Accepted {
    fn check(app: &App, envelope: &Envelope) -> Result<Self, Error> {
        let id = envelope
            .message_id
            .parse()
            .map_err(|rule| Error::field("message_id", rule))?;
        let unknown = || Error::field("payload", "is of a kind unknown to this version");
        let payload = envelope.payload.as_ref().ok_or_else(unknown)?;
        let notice = Notice::read(&app.facts, payload)?;
        let (order_id, recipient) = notice.order();
        Ok(Self {
            id,
            notification_id: NotificationId::new(&app.sources),
            kind: notice.kind(),
            order_id: order_id.uuid(),
            recipient: recipient.to_owned(),
            revision: notice.revision(),
            content: kinds::content(payload),
            traceparent: TraceId::from_traceparent(&envelope.traceparent)
                .map(|trace| trace.traceparent()),
        })
    }
}

async fn insert(tx: &mut PgConnection, message: &Accepted) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO inbox (message_id, kind) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT inbox_pkey DO NOTHING",
        message.id.uuid(),
        message.kind.word(),
    )
    .execute(&mut *tx)
    .await
    .map_err(db::DbError::from)?;
    sqlx::query!(
        "INSERT INTO notifications (id, message_id, order_id, kind, channel, recipient, revision,
             content, traceparent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT ON CONSTRAINT notifications_once DO NOTHING",
        message.notification_id.uuid(),
        message.id.uuid(),
        message.order_id,
        message.kind.word(),
        CHANNEL_EMAIL,
        message.recipient,
        message.revision,
        message.content,
        message.traceparent,
    )
    .execute(tx)
    .await
    .map_err(db::DbError::from)?;
    Ok(())
}

impl AcceptMessages for App {
    fn accept(&self, envelopes: Vec<Envelope>) -> BoxFuture<'_, anyhow::Result<Vec<MessageId>>> {
        Box::pin(async move { Ok(accept(self, envelopes).await?) })
    }

    fn set_aside(&self, poison: Poison) -> BoxFuture<'_, anyhow::Result<()>> {
        let row = poison::Row::unreadable(poison);
        Box::pin(async move { Ok(poison::set_aside(self, vec![row]).await?) })
    }
}
