//! Nothing more is to be done about a mail that failed or came back.

use base::bounded_multiline;
use proto::notify::{DismissNotificationRequest, DismissNotificationResponse};
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

const NOTE_MAX_CHARS: usize = 500;

pub(in crate::rpc) async fn dismiss_notification(
    app: &App,
    request: Request<DismissNotificationRequest>,
) -> Result<DismissNotificationResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let row = caller.notification(app, &request.notification_id).await?;
    let note = read_note("note", &request.note)?;
    let audit = Audit {
        before: json!({ "status": row.status, "error": row.error_class }),
        after: json!({ "note": note }),
        ..Audit::now(caller.id, "notification.dismiss", row.id)
    };
    let dismiss = app.db.run((row.id, audit), |tx, (id, audit)| {
        Box::pin(dismiss(tx, *id, audit))
    });
    Ok(DismissNotificationResponse {
        notification: Some(dismiss.await?.wire()?),
    })
}

/// 1 to 500 characters.
pub(super) fn read_note(field: &str, text: &str) -> Result<String, Error> {
    bounded_multiline(field, text, 1, NOTE_MAX_CHARS)
        .map_err(|error| Error::field(field, error.problem))
}

async fn dismiss(tx: &mut PgConnection, id: Uuid, audit: &Audit) -> Result<Row, Error> {
    let dismissed = sqlx::query!(
        "UPDATE notifications SET dismissed_at = clock_timestamp()
         WHERE id = $1 AND status IN ('failed', 'bounced') AND dismissed_at IS NULL",
        id,
    );
    let first = dismissed.execute(&mut *tx).await?.rows_affected() == 1;
    let row = store::find(tx, id)
        .await?
        .ok_or(Error::NotFound("notification"))?;
    if first {
        store::audit(tx, audit).await?;
    } else if row.dismissed_at.is_none() {
        return Err(Error::NotificationNotOpen);
    }
    Ok(row)
}
