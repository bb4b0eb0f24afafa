//! Any number of orders in little memory: each message of payment-svc becomes a piece of the
//! answer, and the next one is asked for when the client has taken it.
//!
//! The time of a request bounds it until its head is answered, here and in every service below;
//! the rows then take as long as the client does, until it leaves or the gateway stops.

use std::time::Duration;

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderValue, header};
use kit::Failure;
use proto::payment::{ExportOrdersRequest, ExportOrdersResponse, OrderStatus as Contract};
use serde::Deserialize;
use tonic::Status;
use tracing::Span;
use utoipa::IntoParams;

use super::csv::{BYTE_ORDER_MARK, Line};
use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::{OrderStatus, OrderSummary, moment, wanted, word},
    },
};

const FIRST_ROW_PATIENCE: Duration = Duration::from_secs(2);

const COLUMNS: [&str; 18] = [
    "order_id",
    "number",
    "status",
    "created_at",
    "paid_at",
    "event_id",
    "event_title",
    "name",
    "email",
    "phone_number",
    "tickets",
    "total",
    "captured",
    "refunded",
    "currency",
    "provider",
    "payment_ref",
    "needs_attention",
];

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Export {
    /// Every concert that the caller may see where it is left out.
    event_id: String,
    #[param(value_type = Option<OrderStatus>)]
    status: String,
    /// Orders made at or after this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Orders made before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
}

/// Every order that fits, oldest first, for a spreadsheet.
///
/// Amounts are decimal numbers, their currency stands in its own column. What a spreadsheet would
/// take for a formula has an apostrophe before it. If something fails on the way the connection
/// breaks, so that half a file never looks like a whole one.
#[utoipa::path(get, path = "/api/v1/admin/orders.csv", tag = "admin", params(Export),
    security(("access_token" = [])),
    responses(
        (status = 200, content_type = "text/csv", body = String),
        AdminOnly, BadQuery, Faults
    ))]
pub async fn export_orders(
    State(app): State<Shared>,
    token: AdminToken,
    Query(export): Query<Export>,
) -> Result<Response, Problem> {
    let request = token.request(ExportOrdersRequest {
        status: wanted(&export.status, "ORDER_STATUS_", Contract::from_str_name)?,
        event_id: export.event_id,
        from: moment::query("from", export.from.as_deref())?,
        to: moment::query("to", export.to.as_deref())?,
    });
    let mut orders = app.upstreams.orders_admin();
    let found = orders.export_orders(request).await?.into_inner();
    let mut found = Box::pin(found.peekable());
    // What fails before the first row can still be told as a problem. A rare status is looked for
    // longer than that.
    let first = tokio::time::timeout(FIRST_ROW_PATIENCE, found.as_mut().peek()).await;
    if let Ok(Some(Err(status))) = first {
        return Err(status.clone().into());
    }

    let rows = found.map(rows_of);
    let head = format!("{BYTE_ORDER_MARK}{}", head());
    let head = stream::once(std::future::ready(Ok(Bytes::from(head))));
    let (span, trace) = (Span::current(), kit::current().trace);
    let whole = head.chain(rows).map_err(move |failure| {
        let trace_id = trace.as_ref().map(tracing::field::display);
        let reason = failure.reason.word();
        span.in_scope(|| tracing::error!(trace_id, reason, ?failure, "an export broke off"));
        BrokenOff
    });
    let mut response = Response::new(Body::from_stream(whole));
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present",
        ),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"orders.csv\"",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Ends the connection in the middle of the answer.
#[derive(Debug, thiserror::Error)]
#[error("the export broke off")]
struct BrokenOff;

fn head() -> String {
    let mut line = Line::default();
    COLUMNS.iter().for_each(|column| line.fact(column));
    line.end()
}

fn rows_of(found: Result<ExportOrdersResponse, Status>) -> Result<Bytes, Failure> {
    let found = found.map_err(|status| Failure::from_status(&status))?;
    let mut rows = String::new();
    for order in found.orders {
        rows.push_str(&row(&order.try_into()?));
    }
    Ok(rows.into())
}

/// In the order of `COLUMNS`.
fn row(order: &OrderSummary) -> String {
    let currency = &order.total_amount.currency;
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut line = Line::default();
    line.fact(&order.id);
    line.fact(&order.number);
    line.fact(&word(order.status));
    line.fact(&moment::text(order.created_at));
    line.fact(&order.paid_at.map(moment::text).unwrap_or_default());
    line.fact(&order.event_id);
    line.text(&order.event_title);
    line.text(&order.name);
    line.text(&order.email);
    line.text(&order.phone_number);
    line.fact(&order.ticket_count.to_string());
    line.fact(&order.total_amount.decimal(currency));
    line.fact(&order.captured.decimal(currency));
    line.fact(&order.refunded.decimal(currency));
    line.fact(currency);
    line.fact(&optional(&order.provider));
    line.text(&optional(&order.payment_ref));
    line.text(&optional(&order.needs_attention));
    line.end()
}
