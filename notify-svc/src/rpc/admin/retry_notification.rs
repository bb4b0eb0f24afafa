//! Tries a mail again at once: what kept it may have passed. It is the same mail under the same
//! Message-ID, so whoever got it after all sees one. Not where its order has gone to another address since.

use proto::notify::{RetryNotificationRequest, RetryNotificationResponse};
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

pub(in crate::rpc) async fn retry_notification(
    app: &App,
    request: Request<RetryNotificationRequest>,
) -> Result<RetryNotificationResponse, Error> {
    let caller = Caller::of(&request)?;
    let id = &request.get_ref().notification_id;
    let row = caller.notification(app, id).await?;
    let audit = Audit {
        before: json!({ "status": row.status, "attempts": row.attempts, "error": row.error_class }),
        ..Audit::now(caller.id, "notification.retry", row.id)
    };
    let retry = app.db.run((row.id, audit), |tx, (id, audit)| {
        Box::pin(retry(tx, *id, audit))
    });
    let row = retry.await?;
    app.accepted.notify_one();
    Ok(RetryNotificationResponse {
        notification: Some(row.wire()?),
    })
}

/// The time to give up begins anew.
async fn retry(tx: &mut PgConnection, id: Uuid, audit: &Audit) -> Result<Row, Error> {
    let due = sqlx::query!(
        "UPDATE notifications n
         SET status = 'queued', next_attempt_at = clock_timestamp(), failures = 0, give_up_at = NULL,
             sent_at = NULL, dismissed_at = NULL
         WHERE id = $1 AND status IN ('queued', 'failed', 'bounced')
           AND NOT EXISTS (SELECT FROM address_corrections c
                           WHERE c.order_id = n.order_id AND c.email <> n.recipient
                             AND n.message_id = ANY(c.message_ids))",
        id,
    );
    if due.execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(Error::NotificationNotOpen);
    }
    store::audit(tx, audit).await?;
    let row = store::find(tx, id).await?;
    row.ok_or(Error::NotFound("notification"))
}
