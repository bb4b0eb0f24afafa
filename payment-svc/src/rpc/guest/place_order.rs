//! Records the order, binds the hold and opens the payment. The order is a committed row before anyone
//! else is called, so nothing that follows can be lost.

use std::sync::Arc;

use base::{
    EmailAddress, HoldId, IdempotencyKey, Money, OrderId, PhoneNumber, Secret, body_hash, bounded,
    derived_id,
};
use kit::FieldProblem;
use proto::payment::{PlaceOrderRequest, PlaceOrderResponse};
use sqlx::PgConnection;

use super::prepare::prepare;
use crate::{
    app::App,
    domain::{order_number::order_number, order_state::OrderStatus},
    error::Error,
    store::{self, By, OrderRow},
    terms::Terms,
    view,
};

const ROUTE: &str = "orders";
pub(super) const NAME_MAX_CHARS: usize = 200;
/// The longest tag that BCP 47 recommends room for.
pub(super) const LOCALE_MAX_CHARS: usize = 35;

pub(in crate::rpc) async fn place_order(
    app: &Arc<App>,
    request: PlaceOrderRequest,
) -> Result<PlaceOrderResponse, Error> {
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let wish = Wish::read(&request)?;
    let order = find_or_insert(app, &key, &request, wish).await?;
    kit::failpoint!("payment.order_recorded");
    if let Some(refusal) = order.refusal() {
        return Err(Error::Refused(refusal));
    }
    let secret = app.order_secret(&order).ok_or(Error::OrderNotFound)?;
    let proof = app.purchase_proof(&order).ok_or(Error::OrderNotFound)?;
    let hold_secret = Secret::new(request.hold_secret);
    let order = prepare(app, order.order_id(), Some(hold_secret)).await?;
    Ok(PlaceOrderResponse {
        preparing: view::is_preparing(&order),
        order: Some(order),
        secret: secret.expose().to_owned(),
        purchase_proof: proof.expose().to_owned(),
    })
}

/// What the guest asked for, checked.
struct Wish {
    hold: HoldId,
    email: EmailAddress,
    phone_number: PhoneNumber,
    name: String,
    locale: String,
    total: Money,
}

impl Wish {
    fn read(request: &PlaceOrderRequest) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let mut problem = |field: &str, rule: String| problems.push(FieldProblem::new(field, rule));
        let hold = request
            .hold_id
            .parse()
            .map_err(|e: base::InvalidId| problem("hold_id", e.to_string()));
        if let Err(e) = bounded("hold_secret", &request.hold_secret, 1, 200) {
            problem("hold_secret", e.problem.to_string());
        }
        let email = request
            .email
            .parse()
            .map_err(|e| problem("email", format!("is not valid: {e}")));
        let phone = request.phone_number.parse();
        let phone = phone.map_err(|e| problem("phone_number", format!("is not valid: {e}")));
        let name = bounded("name", &request.name, 0, NAME_MAX_CHARS);
        let name = name.map_err(|e| problem("name", e.problem.to_string()));
        let locale = bounded("locale", &request.locale, 0, LOCALE_MAX_CHARS);
        let locale = locale.map_err(|e| problem("locale", e.problem.to_string()));
        let total = proto::money_from(request.expected_total.as_ref());
        let total = total.map_err(|e| problem("expected_total", e.to_string()));
        if total.as_ref().is_ok_and(|total| total.amount_minor < 0) {
            problem("expected_total", "must not be negative".to_owned());
        }
        match (hold, email, phone, name, locale, total) {
            (Ok(hold), Ok(email), Ok(phone_number), Ok(name), Ok(locale), Ok(total))
                if problems.is_empty() =>
            {
                Ok(Self {
                    hold,
                    email,
                    phone_number,
                    name,
                    locale,
                    total,
                })
            }
            _ => Err(Error::Fields(problems)),
        }
    }
}

struct NewOrder {
    id: OrderId,
    wish: Wish,
    /// The guest's choice; empty where the event decides.
    provider: String,
    body_hash: [u8; 32],
    key_id: String,
    /// Version and text of the terms that the guest accepts.
    terms: Option<Terms>,
    by: By,
}

/// The row decides: the first request with this key makes it, every other one finds it.
async fn find_or_insert(
    app: &App,
    key: &IdempotencyKey,
    request: &PlaceOrderRequest,
    wish: Wish,
) -> Result<OrderRow, Error> {
    let id = OrderId::from(derived_id(ROUTE, key));
    let hash = hash_of(request, &wish);
    // A provider that was switched off since refuses new orders, not replays.
    if app.providers.get(&request.provider).is_none() {
        return find(app, id, hash).await?.ok_or(Error::ProviderNotEnabled);
    }
    // So do terms that have changed since.
    if app
        .terms
        .as_ref()
        .is_some_and(|terms| terms.version != request.accepted_terms)
    {
        return find(app, id, hash).await?.ok_or(Error::TermsNotAccepted);
    }
    let new = NewOrder {
        id,
        wish,
        provider: request.provider.clone(),
        body_hash: hash,
        key_id: app.keys.current_id().to_owned(),
        terms: app.terms.clone(),
        by: By::now("guest"),
    };
    let insert = app.db.run(new, |tx, new| {
        Box::pin(async move {
            insert(tx, new).await?;
            Ok::<_, Error>(store::find_order(tx, new.id).await?)
        })
    });
    let order = insert
        .await?
        .ok_or(Error::Broken("an order was neither made nor found"))?;
    same_body(order, hash)
}

async fn find(app: &App, id: OrderId, hash: [u8; 32]) -> Result<Option<OrderRow>, Error> {
    match store::load(app, id).await {
        Ok((order, _)) => same_body(order, hash).map(Some),
        Err(Error::OrderNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn same_body(order: OrderRow, hash: [u8; 32]) -> Result<OrderRow, Error> {
    if order.body_hash == hash {
        Ok(order)
    } else {
        Err(Error::KeyReused)
    }
}

/// Of what was meant, not of how it was spelled: `+49 30` and `+4930` are one body.
fn hash_of(request: &PlaceOrderRequest, wish: &Wish) -> [u8; 32] {
    let hold = wish.hold.uuid();
    let minor = wish.total.amount_minor.to_be_bytes();
    let mut parts = vec![
        hold.as_bytes(),
        request.hold_secret.as_bytes(),
        wish.email.as_str().as_bytes(),
        wish.phone_number.as_str().as_bytes(),
        wish.name.as_bytes(),
        wish.locale.as_bytes(),
        &minor,
        wish.total.currency.code().as_bytes(),
        request.provider.as_bytes(),
    ];
    // Orders from before there were terms keep their hash.
    if !request.accepted_terms.is_empty() {
        parts.push(request.accepted_terms.as_bytes());
    }
    body_hash(&parts)
}

async fn insert(tx: &mut PgConnection, new: &NewOrder) -> Result<(), Error> {
    let wish = &new.wish;
    if let Some(terms) = &new.terms {
        keep(tx, terms).await?;
    }
    let inserted = sqlx::query!(
        "WITH made AS (
             INSERT INTO orders (id, number, hold_id, body_hash, secret_key_id, email, phone_number,
                 name, locale, total_amount_minor, currency, provider, trace_id, next_step_at,
                 traceparent, accepted_terms, terms_accepted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                 clock_timestamp() + make_interval(secs => $15), $16, $17,
                 CASE WHEN $17::text IS NOT NULL THEN clock_timestamp() END)
             ON CONFLICT (id) DO NOTHING
             RETURNING id)
         INSERT INTO order_events (order_id, actor, to_status, reason, trace_id)
         SELECT id, $14, 'created', 'placed', $13 FROM made",
        new.id.uuid(),
        order_number(new.id.uuid()),
        wish.hold.uuid(),
        &new.body_hash[..],
        new.key_id,
        wish.email.as_str(),
        wish.phone_number.as_str(),
        wish.name,
        wish.locale,
        wish.total.amount_minor,
        wish.total.currency.code(),
        new.provider,
        new.by.trace_id(),
        new.by.actor,
        OrderStatus::Created.first_look_secs(),
        new.by.traceparent(),
        new.terms.as_ref().map(|terms| &*terms.version),
    );
    inserted.execute(tx).await?;
    Ok(())
}

/// What was accepted can be read for ever.
async fn keep(tx: &mut PgConnection, terms: &Terms) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO terms (version, content) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING",
        terms.version,
        terms.text,
    )
    .execute(tx)
    .await?;
    Ok(())
}
