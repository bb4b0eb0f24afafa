//! A person has seen to a message that is no notification. It comes back if its sender sends it again.

use proto::notify::{DismissPoisonMessageRequest, DismissPoisonMessageResponse};
use serde_json::json;
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::{dismiss_notification::read_note, sight::Caller};
use crate::{
    app::App,
    error::Error,
    store::{self, Audit},
};

pub(in crate::rpc) async fn dismiss_poison_message(
    app: &App,
    request: Request<DismissPoisonMessageRequest>,
) -> Result<DismissPoisonMessageResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let id: Uuid = request.id.parse().map_err(|_| Error::NotFound("message"))?;
    let audit = Audit {
        after: json!({ "note": read_note("note", &request.note)? }),
        ..Audit::now(caller.id, "poison.dismiss", id)
    };
    let dismiss = app.db.run((id, audit), |tx, (id, audit)| {
        Box::pin(dismiss(tx, *id, audit))
    });
    dismiss.await?;
    Ok(DismissPoisonMessageResponse {})
}

/// One that is gone already was dismissed before, or accepted meanwhile.
async fn dismiss(tx: &mut PgConnection, id: Uuid, audit: &Audit) -> Result<(), Error> {
    let dismissed = sqlx::query!("DELETE FROM poison_messages WHERE id = $1", id);
    if dismissed.execute(&mut *tx).await?.rows_affected() == 1 {
        store::audit(tx, audit).await?;
    }
    Ok(())
}
