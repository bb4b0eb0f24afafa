//! Messages of other services that are no notification, the newest first.

use pages::{Page, Position};
use proto::notify::{ListPoisonMessagesRequest, ListPoisonMessagesResponse, PoisonMessage};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;
use uuid::Uuid;

use crate::{app::App, error::Error};

pub(in crate::rpc) async fn list_poison_messages(
    app: &App,
    request: Request<ListPoisonMessagesRequest>,
) -> Result<ListPoisonMessagesResponse, Error> {
    let request = request.into_inner();
    let mut problems = Vec::new();
    let page = Page::read(&mut problems, request.page_size, &request.page_token);
    if !problems.is_empty() {
        return Err(Error::Fields(problems));
    }
    let read = app.db.read(page, |conn, page| Box::pin(find(conn, page)));
    let mut rows = read.await?;
    let next_page_token = page.cut(&mut rows, |row| Position {
        at: row.last_received_at,
        id: row.id,
    });
    Ok(ListPoisonMessagesResponse {
        messages: rows.into_iter().map(Row::wire).collect(),
        next_page_token,
    })
}

struct Row {
    id: Uuid,
    reason: String,
    subject: String,
    headers: String,
    payload_prefix: Vec<u8>,
    payload_bytes: i32,
    times: i32,
    first_received_at: OffsetDateTime,
    last_received_at: OffsetDateTime,
}

impl Row {
    fn wire(self) -> PoisonMessage {
        PoisonMessage {
            id: self.id.to_string(),
            reason: self.reason,
            subject: self.subject,
            headers: self.headers,
            payload_prefix: self.payload_prefix,
            payload_bytes: self.payload_bytes.unsigned_abs(),
            times: self.times.unsigned_abs(),
            first_received_at: Some(proto::timestamp(self.first_received_at)),
            last_received_at: Some(proto::timestamp(self.last_received_at)),
        }
    }
}

async fn find(conn: &mut PgConnection, page: &Page) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, reason, subject, headers, payload_prefix, payload_bytes, times, first_received_at,
             last_received_at
         FROM poison_messages
         WHERE $1::timestamptz IS NULL OR (last_received_at, id) < ($1, $2)
         ORDER BY last_received_at DESC, id DESC LIMIT $3",
        page.after.map(|after| after.at),
        page.after.map(|after| after.id),
        page.rows(),
    );
    Ok(rows.fetch_all(conn).await?)
}
