//! Forgets the names of those to whom tickets of an order were handed on, whenever that was, or whom single
//! transfers were to. Nothing else of ticket-svc names a guest.

use base::OrderId;
use proto::ticket::{EraseHoldersRequest, EraseHoldersResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{app::App, error::Error, rpc::fields::Fields, store::orders};

const TRANSFERS_MAX: usize = 1_000;

pub async fn erase_holders(
    app: &App,
    request: &EraseHoldersRequest,
) -> Result<EraseHoldersResponse, Error> {
    let mut fields = Fields::default();
    if !request.transfer_ids.is_empty() {
        let Some(transfers) = transfers(&mut fields, request) else {
            return Err(fields.into_error());
        };
        app.db
            .run(transfers, |conn, ids| Box::pin(erase_of(conn, ids)))
            .await?;
        return Ok(EraseHoldersResponse {});
    }
    let order_id: Option<OrderId> = fields.parse("order_id", &request.order_id);
    let Some(order_id) = order_id else {
        return Err(fields.into_error());
    };
    app.db
        .run(order_id, |conn, order_id| Box::pin(erase(conn, *order_id)))
        .await?;
    Ok(EraseHoldersResponse {})
}

fn transfers(fields: &mut Fields, request: &EraseHoldersRequest) -> Option<Vec<Uuid>> {
    if !request.order_id.is_empty() {
        fields.refuse("order_id", "must be left out where transfers are named");
        return None;
    }
    if request.transfer_ids.len() > TRANSFERS_MAX {
        fields.refuse(
            "transfer_ids",
            format!("must have at most {TRANSFERS_MAX} entries"),
        );
        return None;
    }
    let ids = request.transfer_ids.iter();
    ids.map(|id| fields.parse("transfer_ids", id)).collect()
}

/// Whoever names a transfer knows that it has ended.
async fn erase_of(conn: &mut PgConnection, transfers: &[Uuid]) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE ticket_transfers SET holder_name = '' WHERE id = ANY($1) AND holder_name <> ''",
        transfers,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn erase(conn: &mut PgConnection, order_id: OrderId) -> Result<(), Error> {
    // A transfer that is under way ends first.
    orders::lock(conn, order_id).await?;
    sqlx::query!(
        r#"
        UPDATE ticket_transfers h SET holder_name = ''
        FROM tickets t WHERE t.id = h.ticket_id AND t.order_id = $1 AND h.holder_name <> ''
        "#,
        order_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
