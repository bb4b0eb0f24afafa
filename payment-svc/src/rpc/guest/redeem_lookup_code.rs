//! The orders behind a code. It works once, after some wrong tries it is dead, and whatever is wrong with
//! it has one answer.

use std::sync::Arc;

use base::{KeyRing, OrderId};
use proto::payment::{FoundOrder, RedeemLookupCodeRequest, RedeemLookupCodeResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use super::lookup;
use crate::{
    app::App,
    error::Error,
    limits::{self, TRIES_FROM_NETWORK},
    store::{self, OrderRow},
};

/// Eight digits and five tries: one in twenty million.
const TRIES_MAX: i32 = 5;
const NETWORK_MAX_CHARS: usize = 64;

pub(in crate::rpc) async fn redeem_lookup_code(
    app: &Arc<App>,
    request: RedeemLookupCodeRequest,
) -> Result<RedeemLookupCodeResponse, Error> {
    let network: String = request.network.chars().take(NETWORK_MAX_CHARS).collect();
    limits::take(app, TRIES_FROM_NETWORK, &network).await?;
    let lookup: Uuid = request.lookup_id.parse().map_err(|_| Error::CodeInvalid)?;
    let presented = Presented {
        lookup,
        code: request.code,
        keys: app.keys.clone(),
    };
    let redeem = app
        .db
        .run(presented, |tx, presented| Box::pin(redeem(tx, presented)));
    let ids = redeem.await?.ok_or(Error::CodeInvalid)?;
    let load = app.db.read(ids, |conn, ids| Box::pin(load(conn, ids)));
    let orders = load.await?;
    let found = orders.into_iter().map(|order| wire(app, order));
    let found: Result<Vec<Option<FoundOrder>>, Error> = found.collect();
    Ok(RedeemLookupCodeResponse {
        orders: found?.into_iter().flatten().collect(),
    })
}

/// An order, and the generation of its secret when the code was asked for.
type Found = (Uuid, i32);

struct Presented {
    lookup: Uuid,
    code: String,
    keys: KeyRing,
}

/// The try is counted before it is looked at, and both are committed.
async fn redeem(tx: &mut PgConnection, presented: &Presented) -> Result<Option<Vec<Found>>, Error> {
    let open = sqlx::query!(
        "UPDATE lookups SET attempts = attempts + 1
         WHERE id = $1 AND used_at IS NULL AND attempts < $2 AND expires_at > clock_timestamp()
         RETURNING key_id, order_ids, generations",
        presented.lookup,
        TRIES_MAX,
    );
    let Some(open) = open.fetch_optional(&mut *tx).await? else {
        return Ok(None);
    };
    let code = lookup::code(&presented.keys, &open.key_id, presented.lookup);
    if !code.is_some_and(|code| lookup::is_code(&code, &presented.code)) {
        return Ok(None);
    }
    sqlx::query!(
        "UPDATE lookups SET used_at = clock_timestamp() WHERE id = $1",
        presented.lookup
    )
    .execute(tx)
    .await?;
    Ok(Some(
        open.order_ids.into_iter().zip(open.generations).collect(),
    ))
}

async fn load(conn: &mut PgConnection, found: &[Found]) -> Result<Vec<OrderRow>, Error> {
    let mut orders = Vec::with_capacity(found.len());
    for (id, generation) in found {
        let order = store::find_order(conn, OrderId::from(*id)).await?;
        // Since the code was asked for, an order may have got another address, or lost its guest's data.
        let still_theirs =
            |order: &OrderRow| order.secret_generation == *generation && !order.erased;
        orders.extend(order.filter(still_theirs));
    }
    Ok(orders)
}

/// None once the key of its secret has left the ring.
fn wire(app: &App, order: OrderRow) -> Result<Option<FoundOrder>, Error> {
    let Some(secret) = app.order_secret(&order) else {
        return Ok(None);
    };
    Ok(Some(FoundOrder {
        id: order.id.to_string(),
        status: order.status()?.wire().into(),
        number: order.number,
        event_title: order.event_title.unwrap_or_default(),
        event_location: order.event_location.unwrap_or_default(),
        event_date_time: order.event_date_time.map(proto::timestamp),
        event_timezone: order.event_timezone.unwrap_or_default(),
        created_at: Some(proto::timestamp(order.created_at)),
        secret: secret.expose().to_owned(),
    }))
}
