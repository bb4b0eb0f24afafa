//! Every order that fits, oldest first. A page is read when the caller has taken the one before, so
//! memory stays flat however many there are, no transaction lives longer than a page, and the work
//! ends when the caller goes away. An order that is placed meanwhile is at the end.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use pages::Position;
use proto::payment::{ExportOrdersRequest, ExportOrdersResponse};
use sqlx::PgConnection;
use time::{OffsetDateTime, macros::datetime};
use tonic::{Request, Status};
use uuid::Uuid;

use super::{
    list_orders::{read_event, read_status, scope},
    sight::Caller,
    summary,
};
use crate::{app::App, domain::order_state::OrderStatus, error::Error};

const PAGE_ROWS: i64 = 500;
/// Before and after everything.
const ALWAYS: (OffsetDateTime, OffsetDateTime) =
    (OffsetDateTime::UNIX_EPOCH, datetime!(9999-01-01 0:00 UTC));

pub(in crate::rpc) type Rows = BoxStream<'static, Result<ExportOrdersResponse, Status>>;

pub(in crate::rpc) async fn export_orders(
    app: &Arc<App>,
    request: Request<ExportOrdersRequest>,
) -> Result<Rows, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let mut problems = Vec::new();
    let event = read_event(&mut problems, &request.event_id);
    let status = read_status(&mut problems, request.status);
    let from = read_time(&mut problems, "from", request.from.as_ref());
    let to = read_time(&mut problems, "to", request.to.as_ref());
    if !problems.is_empty() {
        return Err(Error::Fields(problems));
    }
    let export = Export {
        app: app.clone(),
        events: scope(app, caller, event).await?,
        status: status.map(OrderStatus::word),
        after: Position {
            at: from.unwrap_or(ALWAYS.0),
            id: Uuid::nil(),
        },
        before: to.unwrap_or(ALWAYS.1),
        ended: false,
    };
    Ok(export.rows())
}

fn read_time(
    problems: &mut Vec<kit::FieldProblem>,
    field: &str,
    time: Option<&prost_types::Timestamp>,
) -> Option<OffsetDateTime> {
    proto::timestamp_from(time?)
        .map_err(|rule| problems.push(kit::FieldProblem::new(field, rule)))
        .ok()
}

/// What is left to export.
struct Export {
    app: Arc<App>,
    events: Option<Vec<Uuid>>,
    status: Option<&'static str>,
    after: Position,
    before: OffsetDateTime,
    ended: bool,
}

impl Export {
    fn rows(self) -> Rows {
        let pages = stream::try_unfold(self, |mut export| async move {
            let page = export.next_page().await.map_err(Status::from)?;
            Ok(page.map(|page| (page, export)))
        });
        pages.boxed()
    }

    /// None at the end. Pages of which no row has the wanted status are passed over: which page is
    /// next does not depend on it, so that a rare status makes no statement long.
    async fn next_page(&mut self) -> Result<Option<ExportOrdersResponse>, Error> {
        while !self.ended {
            let input = (self.events.clone(), self.after, self.before);
            let read = self.app.db.read(input, |conn, (events, after, before)| {
                Box::pin(async move {
                    let ids = find(conn, events.as_deref(), *after, *before).await?;
                    summary::summaries(conn, &ids).await
                })
            });
            let rows = read.await?;
            match rows.last() {
                Some(last) => self.after = last.position(),
                None => self.ended = true,
            }
            let wanted = rows
                .into_iter()
                .filter(|row| self.status.is_none_or(|status| row.status == status));
            let orders: Result<Vec<_>, Error> = wanted.map(summary::SummaryRow::wire).collect();
            let orders = orders?;
            if !orders.is_empty() {
                return Ok(Some(ExportOrdersResponse { orders }));
            }
        }
        Ok(None)
    }
}

/// The next orders. Each event is asked for its own next ones, in the order of its index.
async fn find(
    conn: &mut PgConnection,
    events: Option<&[Uuid]>,
    after: Position,
    before: OffsetDateTime,
) -> Result<Vec<Uuid>, Error> {
    let Some(events) = events else {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM orders
             WHERE (created_at, id) > ($1, $2) AND created_at < $3
             ORDER BY created_at, id LIMIT $4",
            after.at,
            after.id,
            before,
            PAGE_ROWS,
        );
        return Ok(ids.fetch_all(conn).await?);
    };
    let ids = sqlx::query_scalar!(
        "SELECT o.id FROM UNNEST($1::uuid[]) AS e (id)
         CROSS JOIN LATERAL (
             SELECT id, created_at FROM orders
             WHERE event_id = e.id AND (created_at, id) > ($2, $3) AND created_at < $4
             ORDER BY created_at, id LIMIT $5) o
         ORDER BY o.created_at, o.id LIMIT $5",
        events,
        after.at,
        after.id,
        before,
        PAGE_ROWS,
    );
    Ok(ids.fetch_all(conn).await?)
}
