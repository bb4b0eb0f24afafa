//! One order's whole story.

use std::sync::Arc;

use base::OrderId;
use proto::payment::{
    AttemptDetail, HistoryEntry, InspectOrderRequest, InspectOrderResponse, OrderStatus as Wire,
    ReceivedEvent,
};
use sqlx::PgConnection;
use tonic::Request;

use super::sight::Caller;
use crate::{
    accounts,
    app::App,
    domain::{attempt_state::AttemptStatus, order_state::OrderStatus},
    error::Error,
    refunds::{self, RefundRow},
    view::{self, minor},
};

pub(in crate::rpc) async fn inspect_order(
    app: &Arc<App>,
    request: Request<InspectOrderRequest>,
) -> Result<InspectOrderResponse, Error> {
    let caller = Caller::of(&request)?;
    let id = caller
        .order(app, &request.get_ref().order_id)
        .await?
        .order_id();
    let order = view::order(app, id).await?;
    let read = app.db.read(id, |conn, id| Box::pin(story(conn, *id)));
    let (mut story, refunds) = read.await?;
    let refunds: Result<Vec<_>, Error> = refunds.iter().map(RefundRow::detail).collect();
    story.order = Some(order);
    story.refunds = refunds?;
    Ok(story)
}

/// All but the order itself; refunds as their rows.
async fn story(
    conn: &mut PgConnection,
    id: OrderId,
) -> Result<(InspectOrderResponse, Vec<RefundRow>), Error> {
    let attention = sqlx::query_scalar!(
        "SELECT needs_attention FROM orders WHERE id = $1",
        id.uuid()
    );
    let story = InspectOrderResponse {
        needs_attention: attention.fetch_one(&mut *conn).await?.unwrap_or_default(),
        attempts: attempts(conn, id).await?,
        history: history(conn, id).await?,
        provider_events: provider_events(conn, id).await?,
        account_entries: accounts::entries(conn, id).await?,
        ..InspectOrderResponse::default()
    };
    Ok((story, refunds::of_order(conn, id).await?))
}

async fn attempts(conn: &mut PgConnection, id: OrderId) -> Result<Vec<AttemptDetail>, Error> {
    let rows = sqlx::query!(
        "SELECT id, number, provider, status, provider_ref, amount_minor, currency, captured_minor,
             captured_currency, refunded_minor, failure_reason, checks, created_at, deadline, ended_at
         FROM payment_attempts WHERE order_id = $1 ORDER BY number",
        id.uuid(),
    );
    let rows = rows.fetch_all(conn).await?;
    let wire = rows.into_iter().map(|row| {
        let status: AttemptStatus = row
            .status
            .parse()
            .map_err(|_| Error::Broken("an attempt has an unknown status"))?;
        let arrived = row.captured_currency.as_deref();
        Ok(AttemptDetail {
            id: row.id.to_string(),
            number: row.number.unsigned_abs(),
            provider: row.provider,
            status: status.wire().into(),
            provider_ref: row.provider_ref.unwrap_or_default(),
            amount: minor(row.amount_minor, &row.currency),
            captured: arrived.and_then(|currency| minor(row.captured_minor, currency)),
            refunded: arrived.and_then(|currency| minor(row.refunded_minor, currency)),
            failure_reason: row.failure_reason.unwrap_or_default(),
            checks: row.checks.unsigned_abs(),
            created_at: Some(proto::timestamp(row.created_at)),
            deadline: Some(proto::timestamp(row.deadline)),
            ended_at: row.ended_at.map(proto::timestamp),
        })
    });
    wire.collect()
}

async fn history(conn: &mut PgConnection, id: OrderId) -> Result<Vec<HistoryEntry>, Error> {
    let rows = sqlx::query!(
        "SELECT at, actor, from_status, to_status, reason, trace_id
         FROM order_events WHERE order_id = $1 ORDER BY id",
        id.uuid(),
    );
    let rows = rows.fetch_all(conn).await?;
    let wire = rows.into_iter().map(|row| {
        let from = row.from_status.as_deref().map(status).transpose()?;
        Ok(HistoryEntry {
            at: Some(proto::timestamp(row.at)),
            actor: row.actor,
            from: from.unwrap_or(Wire::Unspecified).into(),
            to: status(&row.to_status)?.into(),
            reason: row.reason,
            trace_id: row.trace_id.unwrap_or_default(),
        })
    });
    wire.collect()
}

fn status(word: &str) -> Result<Wire, Error> {
    let status: Result<OrderStatus, _> = word.parse();
    status
        .map(OrderStatus::wire)
        .map_err(|_| Error::Broken("an order has an unknown status"))
}

/// What providers sent about the order's payments and refunds, by each name that these have there.
async fn provider_events(
    conn: &mut PgConnection,
    id: OrderId,
) -> Result<Vec<ReceivedEvent>, Error> {
    let rows = sqlx::query!(
        "WITH known (provider, reference) AS (
             SELECT provider, provider_ref FROM payment_attempts WHERE order_id = $1
             UNION SELECT provider, capture_ref FROM payment_attempts WHERE order_id = $1
             UNION SELECT provider, provider_ref FROM refunds WHERE order_id = $1)
         SELECT e.event_id, e.kind, e.state, e.outcome, e.received_at
         FROM known JOIN provider_events e USING (provider, reference)
         ORDER BY e.received_at, e.id",
        id.uuid(),
    );
    let rows = rows.fetch_all(conn).await?;
    let wire = rows.into_iter().map(|row| ReceivedEvent {
        event_id: row.event_id,
        kind: row.kind,
        state: row.state,
        outcome: row.outcome.unwrap_or_default(),
        received_at: Some(proto::timestamp(row.received_at)),
    });
    Ok(wire.collect())
}
