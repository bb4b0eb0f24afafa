//! A provider's webhook. The signature is checked over the raw bytes before the database is touched;
//! an answer means that the event is a committed row.

use std::sync::Arc;

use proto::payment::{ReceiveEventRequest, ReceiveEventResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    provider::{ProviderEvent, Subject},
    store::By,
};

pub(in crate::rpc) async fn receive_event(
    app: &Arc<App>,
    request: ReceiveEventRequest,
) -> Result<ReceiveEventResponse, Error> {
    // The default provider must be named too: an empty name is none.
    let named = Some(request.provider.as_str()).filter(|name| !name.is_empty());
    let provider = named
        .and_then(|name| app.providers.get(name))
        .ok_or(Error::ProviderNotEnabled)?;
    let event = provider
        .verify_webhook(&request.body, &request.headers)
        .map_err(|_rejected| Error::SignatureInvalid)?;
    let row = NewEvent {
        id: app.sources.uuid_v7(),
        event,
        body: request.body.to_vec(),
        by: By::now(provider.name()),
    };
    let stored = app.db.run(row, |tx, row| Box::pin(insert(tx, row)));
    let duplicate = !stored.await?;
    kit::failpoint!("payment.event_stored");
    app.nudges.provider_events.notify_one();
    Ok(ReceiveEventResponse { duplicate })
}

struct NewEvent {
    id: Uuid,
    event: ProviderEvent,
    body: Vec<u8>,
    /// The provider, in the trace of its delivery.
    by: By,
}

/// False if it was there.
async fn insert(tx: &mut PgConnection, row: &NewEvent) -> Result<bool, Error> {
    let event = &row.event;
    let (subject, reference, amount) = match &event.subject {
        Subject::Payment { reference, amount } => ("payment", reference.as_str(), amount.as_ref()),
        Subject::Refund { payment } => ("refund", payment.as_str(), None),
        Subject::Nothing => ("nothing", "", None),
    };
    let (amount_minor, currency) = amount.map_or((0, ""), |(minor, code)| (*minor, code.as_str()));
    let inserted = sqlx::query!(
        "INSERT INTO provider_events (id, provider, event_id, kind, subject, reference, amount_minor,
             currency, body, trace_id, traceparent, state, settled_at)
         VALUES ($1, $2, $3, $4, $11, $5, $6, $7, $8, $9, $10,
             CASE WHEN $11 = 'nothing' THEN 'ignored' ELSE 'received' END,
             CASE WHEN $11 = 'nothing' THEN clock_timestamp() END)
         ON CONFLICT (provider, event_id) DO NOTHING",
        row.id,
        row.by.actor,
        event.id,
        event.kind,
        reference,
        amount_minor,
        currency,
        row.body,
        row.by.trace_id(),
        row.by.traceparent(),
        subject,
    );
    Ok(inserted.execute(tx).await?.rows_affected() == 1)
}
