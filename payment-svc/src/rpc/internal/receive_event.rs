//! A provider's webhook. The signature is checked over the raw bytes before the database is touched;
//! an answer means that the event is a committed row.

use std::{collections::HashSet, sync::Arc};

use db::Db;
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
    let row = NewEvent(Arc::new(Row {
        id: app.sources.uuid_v7(),
        event,
        body: request.body.to_vec(),
        by: By::now(provider.name()),
    }));
    let duplicate = !app.lanes.provider_events.submit(row).await?;
    kit::failpoint!("payment.event_stored");
    app.nudges.provider_events.notify_one();
    Ok(ReceiveEventResponse { duplicate })
}

/// A signed event that is to be stored. Clones share it.
#[derive(Clone)]
pub(crate) struct NewEvent(Arc<Row>);

struct Row {
    id: Uuid,
    event: ProviderEvent,
    body: Vec<u8>,
    /// The provider, in the trace of its delivery.
    by: By,
}

/// Stores those that came together. False for each that was there.
pub(crate) async fn store_events(session: Db, events: Arc<[NewEvent]>) -> Result<Vec<bool>, Error> {
    let insert = session.run_statement(events.clone(), |conn, events| {
        Box::pin(insert(conn, events))
    });
    let stored = insert.await?;
    let is_new = |event: &NewEvent| stored.contains(&event.0.id);
    Ok(events.iter().map(is_new).collect())
}

/// The ids of those that are new.
async fn insert(conn: &mut PgConnection, events: &Arc<[NewEvent]>) -> Result<HashSet<Uuid>, Error> {
    let rows = || events.iter().map(|event| event.0.as_ref());
    let ids: Vec<Uuid> = rows().map(|row| row.id).collect();
    let providers: Vec<String> = rows().map(|row| row.by.actor.clone()).collect();
    let event_ids: Vec<String> = rows().map(|row| row.event.id.clone()).collect();
    let kinds: Vec<String> = rows().map(|row| row.event.kind.clone()).collect();
    let subjects: Vec<Words> = rows().map(|row| Words::of(&row.event.subject)).collect();
    let words: Vec<String> = subjects.iter().map(|one| one.subject.to_owned()).collect();
    let references: Vec<String> = subjects
        .iter()
        .map(|one| one.reference.to_owned())
        .collect();
    let amounts: Vec<i64> = subjects.iter().map(|one| one.amount_minor).collect();
    let currencies: Vec<String> = subjects.iter().map(|one| one.currency.to_owned()).collect();
    let bodies: Vec<Vec<u8>> = rows().map(|row| row.body.clone()).collect();
    let traces: Vec<Option<String>> = rows().map(|row| row.by.trace_id()).collect();
    let parents: Vec<Option<String>> = rows().map(|row| row.by.traceparent()).collect();
    // In one order, so that two processes that are told the same do not wait for each other.
    let inserted = sqlx::query_scalar!(
        r#"INSERT INTO provider_events (id, provider, event_id, kind, subject, reference,
             amount_minor, currency, body, trace_id, traceparent, state, settled_at)
           SELECT id, provider, event_id, kind, subject, reference, amount_minor, currency, body,
             trace_id, traceparent,
             CASE WHEN subject = 'nothing' THEN 'ignored' ELSE 'received' END,
             CASE WHEN subject = 'nothing' THEN clock_timestamp() END
           FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
               $7::bigint[], $8::text[], $9::bytea[], $10::text[], $11::text[])
             AS e (id, provider, event_id, kind, subject, reference, amount_minor, currency, body,
               trace_id, traceparent)
           ORDER BY provider, event_id
           ON CONFLICT (provider, event_id) DO NOTHING
           RETURNING id"#,
        &ids,
        &providers,
        &event_ids,
        &kinds,
        &words,
        &references,
        &amounts,
        &currencies,
        &bodies,
        &traces as &[Option<String>],
        &parents as &[Option<String>],
    );
    Ok(inserted.fetch_all(conn).await?.into_iter().collect())
}

/// What an event is about, as its row says it.
struct Words<'a> {
    subject: &'static str,
    reference: &'a str,
    amount_minor: i64,
    currency: &'a str,
}

impl<'a> Words<'a> {
    fn of(subject: &'a Subject) -> Self {
        let (subject, reference, amount) = match subject {
            Subject::Payment { reference, amount } => {
                ("payment", reference.as_str(), amount.as_ref())
            }
            Subject::Refund { payment } => ("refund", payment.as_str(), None),
            Subject::Nothing => ("nothing", "", None),
        };
        let (amount_minor, currency) =
            amount.map_or((0, ""), |(minor, code)| (*minor, code.as_str()));
        Self {
            subject,
            reference,
            amount_minor,
            currency,
        }
    }
}
