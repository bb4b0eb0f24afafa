//! The refunds that fit, newest first, a page at a time.

use std::{collections::HashMap, sync::Arc};

use kit::FieldProblem;
use pages::{Page, Position};
use proto::payment::{
    ListRefundsRequest, ListRefundsResponse, ListedRefund, RefundStatus as WireStatus,
};
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::{
    list_orders::{read_event, scope},
    sight::Caller,
};
use crate::{
    app::App,
    domain::refund_state::RefundStatus,
    error::Error,
    refunds::{self, RefundRow},
};

pub(in crate::rpc) async fn list_refunds(
    app: &Arc<App>,
    request: Request<ListRefundsRequest>,
) -> Result<ListRefundsResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let mut problems = Vec::new();
    let page = Page::read(&mut problems, request.page_size, &request.page_token);
    let event = read_event(&mut problems, &request.event_id);
    let status = read_status(&mut problems, request.status);
    if !problems.is_empty() {
        return Err(Error::Fields(problems));
    }
    let filter = Filter {
        events: scope(app, caller, event).await?,
        status: status.map(|status| status.word().to_owned()),
    };
    let read = app.db.read((filter, page), |conn, (filter, page)| {
        Box::pin(find(conn, filter, page))
    });
    let mut rows = read.await?;
    let next_page_token = page.cut(&mut rows, Row::position);
    let refunds: Result<Vec<_>, Error> = rows.into_iter().map(Row::wire).collect();
    Ok(ListRefundsResponse {
        refunds: refunds?,
        next_page_token,
    })
}

/// None asks nothing.
struct Filter {
    events: Option<Vec<Uuid>>,
    status: Option<String>,
}

struct Row {
    order_number: String,
    refund: RefundRow,
}

impl Row {
    fn position(&self) -> Position {
        Position {
            at: self.refund.created_at,
            id: self.refund.id,
        }
    }

    fn wire(self) -> Result<ListedRefund, Error> {
        Ok(ListedRefund {
            order_id: self.refund.order_id.to_string(),
            order_number: self.order_number,
            refund: Some(self.refund.detail()?),
        })
    }
}

fn read_status(problems: &mut Vec<FieldProblem>, status: i32) -> Option<RefundStatus> {
    match WireStatus::try_from(status) {
        Ok(WireStatus::Unspecified) => None,
        Ok(wanted) => RefundStatus::ALL
            .into_iter()
            .find(|status| status.wire() == wanted),
        Err(_) => {
            problems.push(FieldProblem::new("status", "must be a known status"));
            None
        }
    }
}

async fn find(conn: &mut PgConnection, filter: &Filter, page: &Page) -> Result<Vec<Row>, Error> {
    let found = sqlx::query!(
        "SELECT r.id, o.number
         FROM refunds r JOIN orders o ON o.id = r.order_id
         WHERE ($1::uuid[] IS NULL OR o.event_id = ANY($1))
           AND ($2::text IS NULL OR r.status = $2)
           AND ($3::timestamptz IS NULL OR (r.created_at, r.id) < ($3, $4))
         ORDER BY r.created_at DESC, r.id DESC LIMIT $5",
        filter.events.as_deref(),
        filter.status,
        page.after.map(|after| after.at),
        page.after.map(|after| after.id),
        page.rows(),
    );
    let listed = found.fetch_all(&mut *conn).await?;
    let ids: Vec<Uuid> = listed.iter().map(|row| row.id).collect();
    let mut refunds: HashMap<Uuid, RefundRow> = refunds::find_all(conn, &ids)
        .await?
        .into_iter()
        .map(|refund| (refund.id, refund))
        .collect();
    let rows = listed.into_iter().filter_map(|row| {
        Some(Row {
            order_number: row.number,
            refund: refunds.remove(&row.id)?,
        })
    });
    Ok(rows.collect())
}
