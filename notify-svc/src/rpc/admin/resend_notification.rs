//! Sends a mail that was sent once more: the same words to the same address, as a mail of its own with a
//! Message-ID of its own, which no mailbox takes for the first one.

use base::{IdempotencyKey, derived_id};
use proto::notify::{ResendNotificationRequest, ResendNotificationResponse};
use serde_json::json;
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    store::{self, Audit, Row},
};

/// Of one message. Whoever needs more has another problem.
const COPIES_MAX: i32 = 20;

pub(in crate::rpc) async fn resend_notification(
    app: &App,
    request: Request<ResendNotificationRequest>,
) -> Result<ResendNotificationResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let row = caller.notification(app, &request.notification_id).await?;
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let copy_id = derived_id(&format!("notifications/{}/copies", row.id), &key);
    let audit = Audit {
        after: json!({ "copy": copy_id }),
        ..Audit::now(caller.id, "notification.resend", row.id)
    };
    let asked = (row.id, copy_id, audit);
    let resend = app.db.run(asked, |tx, (id, copy_id, audit)| {
        Box::pin(resend(tx, *id, *copy_id, audit))
    });
    let copy = resend.await?;
    app.accepted.notify_one();
    Ok(ResendNotificationResponse {
        notification: Some(copy.wire()?),
    })
}

async fn resend(
    tx: &mut PgConnection,
    id: Uuid,
    copy_id: Uuid,
    audit: &Audit,
) -> Result<Row, Error> {
    store::begin_storing(tx).await?;
    // Two admins at once: one after the other.
    let original = sqlx::query_scalar!(
        "SELECT status FROM notifications WHERE id = $1 FOR UPDATE",
        id,
    );
    let status = original.fetch_optional(&mut *tx).await?;
    let status = status.ok_or(Error::NotFound("notification"))?;
    if let Some(copy) = store::find(tx, copy_id).await? {
        return Ok(copy);
    }
    if !matches!(status.as_str(), "sent" | "bounced") {
        return Err(Error::NotificationNotOpen);
    }
    let copied = sqlx::query!(
        "INSERT INTO notifications (id, message_id, subject_id, order_id, event_id, kind, channel,
             recipient, revision, content, traceparent, priority, copy)
         SELECT $2, o.message_id, o.subject_id, o.order_id, o.event_id, o.kind, o.channel, o.recipient,
             o.revision, o.content, o.traceparent, o.priority, last.copy + 1
         FROM notifications o,
             LATERAL (SELECT max(n.copy) AS copy FROM notifications n
                      WHERE (n.subject_id, n.kind, n.channel, n.recipient, n.revision)
                          = (o.subject_id, o.kind, o.channel, o.recipient, o.revision)) AS last
         WHERE o.id = $1 AND last.copy < $3",
        id,
        copy_id,
        COPIES_MAX,
    );
    if copied.execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(Error::NotificationNotOpen);
    }
    store::audit(tx, audit).await?;
    let copy = store::find(tx, copy_id).await?;
    copy.ok_or(Error::NotFound("notification"))
}
