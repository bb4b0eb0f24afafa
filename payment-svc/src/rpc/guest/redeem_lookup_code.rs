//! The orders behind a code. It works once, after some wrong tries it is dead, and whatever is wrong with
//! it has one answer.

use std::sync::Arc;

use base::{EmailAddress, KeyRing, OrderId};
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

/// Eight digits and five tries: one in twenty million. With the address alone there are five more, each against the
/// few codes that are open for it.
const TRIES_MAX: i32 = 5;
const NETWORK_MAX_CHARS: usize = 64;

pub(in crate::rpc) async fn redeem_lookup_code(
    app: &Arc<App>,
    request: RedeemLookupCodeRequest,
) -> Result<RedeemLookupCodeResponse, Error> {
    let network: String = request.network.chars().take(NETWORK_MAX_CHARS).collect();
    limits::take(app, TRIES_FROM_NETWORK, &network).await?;
    let presented = Presented {
        with: With::of(app, &request)?,
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
    with: With,
    code: String,
    keys: KeyRing,
}

/// What a code is presented with.
enum With {
    Lookup(Uuid),
    /// The address it was sent to; several codes may be open for one.
    Address([u8; 32]),
}

impl With {
    fn of(app: &App, request: &RedeemLookupCodeRequest) -> Result<Self, Error> {
        if request.lookup_id.is_empty() {
            let email: EmailAddress = request.email.parse().map_err(|_| Error::CodeInvalid)?;
            return Ok(Self::Address(lookup::address_hash(&app.keys, &email)));
        }
        let id = request.lookup_id.parse();
        id.map(Self::Lookup).map_err(|_| Error::CodeInvalid)
    }
}

/// A request whose code may still be used.
struct Open {
    id: Uuid,
    key_id: String,
    order_ids: Vec<Uuid>,
    generations: Vec<i32>,
}

/// The try is counted before it is looked at, and both are committed.
async fn redeem(tx: &mut PgConnection, presented: &Presented) -> Result<Option<Vec<Found>>, Error> {
    let open = match &presented.with {
        With::Lookup(id) => try_lookup(tx, *id).await?,
        With::Address(hash) => try_address(tx, hash).await?,
    };
    let is_it = |open: &Open| {
        let code = lookup::code(&presented.keys, &open.key_id, open.id);
        code.is_some_and(|code| lookup::is_code(&code, &presented.code))
    };
    let Some(open) = open.into_iter().find(is_it) else {
        return Ok(None);
    };
    sqlx::query!(
        "UPDATE lookups SET used_at = clock_timestamp() WHERE id = $1",
        open.id
    )
    .execute(tx)
    .await?;
    Ok(Some(
        open.order_ids.into_iter().zip(open.generations).collect(),
    ))
}

async fn try_lookup(tx: &mut PgConnection, id: Uuid) -> Result<Vec<Open>, Error> {
    let open = sqlx::query_as!(
        Open,
        "UPDATE lookups SET attempts = attempts + 1
         WHERE id = $1 AND used_at IS NULL AND attempts < $2 AND expires_at > clock_timestamp()
         RETURNING id, key_id, order_ids, generations",
        id,
        TRIES_MAX,
    );
    Ok(open.fetch_all(tx).await?)
}

async fn try_address(tx: &mut PgConnection, hash: &[u8; 32]) -> Result<Vec<Open>, Error> {
    let open = sqlx::query_as!(
        Open,
        "WITH open AS (
             SELECT id FROM lookups
             WHERE address_hash = $1 AND used_at IS NULL AND attempts_by_address < $2
               AND expires_at > clock_timestamp()
             ORDER BY id FOR UPDATE)
         UPDATE lookups l SET attempts_by_address = attempts_by_address + 1
         FROM open WHERE l.id = open.id
         RETURNING l.id, l.key_id, l.order_ids, l.generations",
        &hash[..],
        TRIES_MAX,
    );
    Ok(open.fetch_all(tx).await?)
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
