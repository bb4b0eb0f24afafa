//! Commits messages as inbox rows, each with the notification it asks for, in one transaction.
//! JetStream and the direct call both end here, so a message has one effect however it came.

use base::{EventId, MessageId, NotificationId, OrderId, Sources};
use events::{AcceptMessages, Poison};
use futures::future::BoxFuture;
use kit::TraceId;
use proto::{
    event::{Envelope, envelope::Payload},
    notify::{AcceptRequest, AcceptResponse},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    correct_address::{self, Correction},
    erase_holder::{self, HolderErasure},
    erase_order::{self, Erasure},
};
use crate::{
    app::App,
    error::Error,
    facts::parse,
    kinds::{self, Kind, Notice},
    poison, store,
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
    let mut accepted = Accepted::new(app.sources.clone());
    let mut refused: Vec<poison::Row> = Vec::new();
    for envelope in envelopes {
        if let Err(error) = accepted.check(app, &envelope) {
            // Not confirmed: the sender's row stays open, and shows that something is wrong.
            let message_id = envelope.message_id.as_str();
            tracing::error!(message_id, %error, "message refused");
            refused.push(poison::Row::refused(&envelope, &error));
        }
    }
    if !refused.is_empty()
        && let Err(error) = poison::set_aside(app, refused).await
    {
        // A trace only, which keeps no other message from being accepted.
        tracing::warn!(%error, "refused messages leave no trace yet");
    }
    let ids = accepted.ids();
    app.db
        .run(accepted, |tx, accepted| Box::pin(store_all(tx, accepted)))
        .await?;
    kit::failpoint!("notify.accepted");
    app.accepted.notify_one();
    Ok(ids)
}

/// Messages that were checked.
struct Accepted {
    /// To be rendered and sent.
    messages: Vec<Message>,
    corrections: Vec<Correction>,
    holder_erasures: Vec<HolderErasure>,
    erasures: Vec<Erasure>,
    sources: Sources,
}

struct Message {
    id: MessageId,
    notification_id: NotificationId,
    kind: Kind,
    subject_id: Uuid,
    order_id: Option<Uuid>,
    event_id: Option<Uuid>,
    recipient: String,
    revision: i32,
    content: Vec<u8>,
    /// The span the message came in.
    traceparent: Option<String>,
}

impl Accepted {
    const fn new(sources: Sources) -> Self {
        Self {
            messages: Vec::new(),
            corrections: Vec::new(),
            holder_erasures: Vec::new(),
            erasures: Vec::new(),
            sources,
        }
    }

    fn check(&mut self, app: &App, envelope: &Envelope) -> Result<(), Error> {
        let id: MessageId = parse("message_id", &envelope.message_id)?;
        let unknown = || Error::field("payload", "is of a kind unknown to this version");
        let payload = envelope.payload.as_ref().ok_or_else(unknown)?;
        match payload {
            Payload::OrderErased(erased) => {
                let order_id: OrderId = parse("order_id", &erased.order_id)?;
                self.erasures.push(Erasure { id, order_id });
            }
            Payload::HolderErased(erased) => {
                let erasure = HolderErasure::read(id, erased)?;
                self.holder_erasures.push(erasure);
            }
            Payload::AddressCorrected(told) => self.corrections.push(Correction::read(id, told)?),
            told => self.check_notice(app, (id, &envelope.traceparent), told)?,
        }
        Ok(())
    }

    fn check_notice(
        &mut self,
        app: &App,
        (id, traceparent): (MessageId, &str),
        payload: &Payload,
    ) -> Result<(), Error> {
        let notice = Notice::read(&app.facts, payload)?;
        let subject = notice.subject();
        self.messages.push(Message {
            id,
            notification_id: NotificationId::new(&app.sources),
            kind: notice.kind(),
            subject_id: subject.id,
            order_id: subject.order_id.map(OrderId::uuid),
            event_id: subject.event_id.map(EventId::uuid),
            recipient: subject.recipient.to_owned(),
            revision: notice.revision(),
            content: kinds::content(payload),
            traceparent: TraceId::from_traceparent(traceparent).map(|trace| trace.traceparent()),
        });
        Ok(())
    }

    fn ids(&self) -> Vec<MessageId> {
        let messages = self.messages.iter().map(|message| message.id);
        let corrections = self.corrections.iter().map(|correction| correction.id);
        let holders = self.holder_erasures.iter().map(|erasure| erasure.id);
        let erasures = self.erasures.iter().map(|erasure| erasure.id);
        let all = messages.chain(corrections).chain(holders);
        all.chain(erasures).collect()
    }

    /// Nothing but messages to be sent.
    const fn is_plain(&self) -> bool {
        self.corrections.is_empty() && self.holder_erasures.is_empty() && self.erasures.is_empty()
    }
}

async fn store_all(tx: &mut PgConnection, accepted: &Accepted) -> Result<(), Error> {
    if accepted.is_plain() {
        store::begin_storing(tx).await?;
    } else {
        store::stop_storing(tx).await?;
    }
    insert(tx, &accepted.messages).await?;
    let sources = &accepted.sources;
    for correction in &accepted.corrections {
        correct_address::correct_address(tx, sources, correction).await?;
    }
    for erasure in &accepted.holder_erasures {
        erase_holder::erase_holder(tx, erasure).await?;
    }
    for erasure in &accepted.erasures {
        erase_order::erase(tx, erasure).await?;
    }
    let ids: Vec<Uuid> = accepted.ids().into_iter().map(MessageId::uuid).collect();
    let orders: Vec<Uuid> = accepted
        .messages
        .iter()
        .filter_map(|one| one.order_id)
        .collect();
    if !orders.is_empty() {
        correct_address::catch_up(tx, sources, (&orders, &ids)).await?;
    }
    poison::clear(tx, &ids).await
}

/// A message that came before has its inbox row and does nothing, whatever became of its notification.
/// One about an erased guest is kept without address and words, and never sent. The same batch may come by both ways at once; in one order they wait for each other.
async fn insert(tx: &mut PgConnection, messages: &[Message]) -> Result<(), Error> {
    let c = Columns::of(messages);
    let inserted = sqlx::query!(
        "WITH message AS (
             SELECT m.message_id, m.id, m.subject_id, m.order_id, m.event_id, m.kind, m.recipient,
                 m.revision, m.content, m.traceparent, m.priority
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[],
                     $7::text[], $8::int[], $9::bytea[], $10::text[], $11::smallint[])
                 AS m (message_id, id, subject_id, order_id, event_id, kind, recipient, revision,
                     content, traceparent, priority)
         ), fresh AS (
             INSERT INTO inbox (message_id, kind)
             SELECT message_id, kind FROM message ORDER BY message_id
             ON CONFLICT ON CONSTRAINT inbox_pkey DO NOTHING
             RETURNING message_id)
         INSERT INTO notifications (id, message_id, subject_id, order_id, event_id, kind, channel,
             revision, traceparent, priority, recipient, content, status)
         SELECT m.id, m.message_id, m.subject_id, m.order_id, m.event_id, m.kind, $12,
             m.revision, m.traceparent, m.priority,
             CASE WHEN e.order_id IS NULL THEN m.recipient ELSE concat('erased:', m.id) END,
             CASE WHEN e.order_id IS NULL THEN m.content ELSE '' END,
             CASE WHEN e.order_id IS NULL THEN 'queued' ELSE 'erased' END
         FROM message m JOIN fresh USING (message_id)
             LEFT JOIN erased_orders e ON e.order_id = m.order_id
         ORDER BY m.message_id
         ON CONFLICT ON CONSTRAINT notifications_once DO NOTHING",
        &c.message_ids,
        &c.ids,
        &c.subject_ids,
        &c.order_ids as &[Option<Uuid>],
        &c.event_ids as &[Option<Uuid>],
        &c.kinds,
        &c.recipients,
        &c.revisions,
        &c.contents,
        &c.traceparents as &[Option<String>],
        &c.priorities,
        CHANNEL_EMAIL,
    );
    inserted.execute(tx).await?;
    Ok(())
}

/// A column each, as the statement wants them.
#[derive(Default)]
struct Columns {
    message_ids: Vec<Uuid>,
    ids: Vec<Uuid>,
    subject_ids: Vec<Uuid>,
    order_ids: Vec<Option<Uuid>>,
    event_ids: Vec<Option<Uuid>>,
    kinds: Vec<String>,
    recipients: Vec<String>,
    revisions: Vec<i32>,
    contents: Vec<Vec<u8>>,
    traceparents: Vec<Option<String>>,
    priorities: Vec<i16>,
}

impl Columns {
    fn of(messages: &[Message]) -> Self {
        let mut columns = Self::default();
        for message in messages {
            columns.message_ids.push(message.id.uuid());
            columns.ids.push(message.notification_id.uuid());
            columns.subject_ids.push(message.subject_id);
            columns.order_ids.push(message.order_id);
            columns.event_ids.push(message.event_id);
            columns.kinds.push(message.kind.word().to_owned());
            columns.recipients.push(message.recipient.clone());
            columns.revisions.push(message.revision);
            columns.contents.push(message.content.clone());
            columns.traceparents.push(message.traceparent.clone());
            columns.priorities.push(message.kind.priority());
        }
        columns
    }
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
