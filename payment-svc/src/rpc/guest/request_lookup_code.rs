//! A guest looks for their orders: a code goes to the address. Whether there are orders of it, only its
//! mailbox learns.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base::{EmailAddress, IdempotencyKey, MessageId, body_hash, bounded, derived_id};
use kit::{CallContext, FieldProblem};
use proto::{
    event::{LookupCodeRequested, envelope::Payload},
    payment::{RequestLookupCodeRequest, RequestLookupCodeResponse},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{lookup, place_order::LOCALE_MAX_CHARS};
use crate::{
    app::App,
    error::Error,
    limits::{self, CODES_FROM_NETWORK, CODES_TO_ADDRESS, CODES_TO_ADDRESS_IN_ALL},
};

const ROUTE: &str = "lookups";
const NETWORK_MAX_CHARS: usize = 64;
const TTL: time::Duration = time::Duration::minutes(15);
/// An answer takes this long, so that it does not tell by its time whether a mail was written.
const ANSWER_TIME: Duration = Duration::from_millis(200);
/// Orders that one code opens.
const ORDERS_MAX: i64 = 50;

pub(in crate::rpc) async fn request_lookup_code(
    app: &Arc<App>,
    request: RequestLookupCodeRequest,
) -> Result<RequestLookupCodeResponse, Error> {
    let answer_at = Instant::now() + ANSWER_TIME;
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let (email, locale) = read(&request)?;
    let address = email.as_str().to_lowercase();
    let id = derived_id(ROUTE, &key);
    let hash = body_hash(&[address.as_bytes(), locale.as_bytes()]);
    let expires_at = match find(app, id, hash).await? {
        Some(before) => before,
        None => {
            limits::take(app, CODES_FROM_NETWORK, &request.network).await?;
            let both = format!("{address} {}", request.network);
            limits::take(app, CODES_TO_ADDRESS, &both).await?;
            limits::take(app, CODES_TO_ADDRESS_IN_ALL, &address).await?;
            make(app, id, hash, &email, locale).await?
        }
    };
    tokio::time::sleep_until(answer_at.into()).await;
    Ok(RequestLookupCodeResponse {
        lookup_id: id.to_string(),
        expires_at: Some(proto::timestamp(expires_at)),
    })
}

fn read(request: &RequestLookupCodeRequest) -> Result<(EmailAddress, String), Error> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, rule: String| problems.push(FieldProblem::new(field, rule));
    let email = request.email.parse();
    let email = email.map_err(|e| problem("email", format!("is not valid: {e}")));
    let locale = bounded("locale", &request.locale, 0, LOCALE_MAX_CHARS);
    let locale = locale.map_err(|e| problem("locale", e.problem.to_string()));
    let network = bounded("network", &request.network, 0, NETWORK_MAX_CHARS);
    if let Err(e) = network {
        problem("network", e.problem.to_string());
    }
    match (email, locale) {
        (Ok(email), Ok(locale)) if problems.is_empty() => Ok((email, locale)),
        _ => Err(Error::Fields(problems)),
    }
}

/// When the code of an earlier copy of this call ends.
async fn find(app: &App, id: Uuid, hash: [u8; 32]) -> Result<Option<OffsetDateTime>, Error> {
    let read = app.db.read(id, |conn, id| {
        Box::pin(async move {
            let found = sqlx::query!(
                "SELECT body_hash, expires_at FROM lookups WHERE id = $1",
                id
            );
            Ok::<_, Error>(found.fetch_optional(conn).await?)
        })
    });
    match read.await? {
        None => Ok(None),
        Some(found) if found.body_hash == hash => Ok(Some(found.expires_at)),
        Some(_) => Err(Error::KeyReused),
    }
}

struct NewLookup {
    id: Uuid,
    key_id: String,
    hash: [u8; 32],
    address: String,
    address_hash: [u8; 32],
    expires_at: OffsetDateTime,
    message: MessageId,
    at: OffsetDateTime,
    mail: LookupCodeRequested,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

async fn make(
    app: &App,
    id: Uuid,
    hash: [u8; 32],
    email: &EmailAddress,
    locale: String,
) -> Result<OffsetDateTime, Error> {
    let key_id = app.keys.current_id().to_owned();
    let code = lookup::code(&app.keys, &key_id, id);
    let code = code.ok_or(Error::Broken("the current key is not in its ring"))?;
    let (now, expires_at) = (app.sources.now(), app.sources.now() + TTL);
    let new = NewLookup {
        id,
        key_id,
        hash,
        address: email.as_str().to_lowercase(),
        address_hash: lookup::address_hash(&app.keys, email),
        expires_at,
        message: MessageId::from(id),
        at: now,
        mail: LookupCodeRequested {
            id: id.to_string(),
            email: email.as_str().to_owned(),
            locale,
            sealed_code: app.sealed_code(code.expose()),
            expires_at: Some(proto::timestamp(expires_at)),
        },
        context: kit::current(),
    };
    let insert = app.db.run(new, |tx, new| Box::pin(insert(tx, new)));
    insert.await?;
    app.nudges.outbox.notify_one();
    Ok(expires_at)
}

/// A row for every address; a mail where there is something to find.
async fn insert(tx: &mut PgConnection, new: &NewLookup) -> Result<(), Error> {
    let orders = sqlx::query!(
        "SELECT id, secret_generation FROM orders
         WHERE lower(email) = $1 AND status NOT IN ('created', 'cancelled', 'expired')
         ORDER BY created_at DESC LIMIT $2",
        new.address,
        ORDERS_MAX,
    );
    let orders = orders.fetch_all(&mut *tx).await?.into_iter();
    let (orders, generations): (Vec<Uuid>, Vec<i32>) =
        orders.map(|one| (one.id, one.secret_generation)).unzip();
    let inserted = sqlx::query!(
        "INSERT INTO lookups (id, key_id, body_hash, order_ids, expires_at, generations, address_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        new.id,
        new.key_id,
        &new.hash[..],
        &orders,
        new.expires_at,
        &generations,
        &new.address_hash[..],
    );
    let inserted = inserted.execute(&mut *tx).await?.rows_affected();
    if inserted == 1 && !orders.is_empty() {
        let payload = Payload::LookupCodeRequested(new.mail.clone());
        let enqueue = events::enqueue(tx, new.message, new.at, payload);
        kit::with_context(new.context.clone(), enqueue).await?;
    }
    Ok(())
}
