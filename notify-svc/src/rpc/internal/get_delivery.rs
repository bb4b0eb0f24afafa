//! How the newest receipt of an order fares, for the order page.

use base::OrderId;
use proto::notify::{DeliveryState, GetDeliveryRequest, GetDeliveryResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{app::App, error::Error, facts::parse, kinds::Kind};

/// A receipt that waits for longer is late, whatever the reason.
const LATE_SECS: f64 = 600.0;

pub(crate) async fn get_delivery(
    app: &App,
    request: GetDeliveryRequest,
) -> Result<GetDeliveryResponse, Error> {
    let order: OrderId = parse("order_id", &request.order_id)?;
    let find = app
        .db
        .read(order, |conn, order| Box::pin(find(conn, *order)));
    let (state, at) = find
        .await?
        .map_or((DeliveryState::None, None), Receipt::state);
    Ok(GetDeliveryResponse {
        state: state.into(),
        at: at.map(proto::timestamp),
    })
}

struct Receipt {
    status: String,
    /// It was refused before, or waits for too long.
    late: bool,
    created_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
}

impl Receipt {
    fn state(self) -> (DeliveryState, Option<OffsetDateTime>) {
        match self.status.as_str() {
            "queued" | "sending" if self.late => (DeliveryState::Delayed, Some(self.created_at)),
            "queued" | "sending" => (DeliveryState::Waiting, None),
            "sent" => (DeliveryState::Sent, self.ended_at),
            "failed" | "bounced" => (DeliveryState::Failed, self.ended_at),
            _ => (DeliveryState::None, None),
        }
    }
}

async fn find(conn: &mut PgConnection, order: OrderId) -> Result<Option<Receipt>, Error> {
    let receipt = sqlx::query_as!(
        Receipt,
        r#"SELECT status,
               (error_class IS NOT NULL
                   OR created_at < clock_timestamp() - make_interval(secs => $3)) AS "late!",
               created_at,
               -- A failed one is not touched any more: its last attempt was its end.
               CASE WHEN status IN ('sent', 'bounced') THEN sent_at
                   WHEN status = 'failed' THEN next_attempt_at END AS ended_at
           FROM notifications
           WHERE order_id = $1 AND kind = $2
           ORDER BY created_at DESC, copy DESC LIMIT 1"#,
        order.uuid(),
        Kind::Receipt.word(),
        LATE_SECS,
    );
    Ok(receipt.fetch_optional(conn).await?)
}
