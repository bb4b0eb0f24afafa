//! The statements that several operations use. Every transition of an order goes through `advance`.

use std::{collections::HashMap, net::IpAddr};

use base::OrderId;
use db::DbError;
use kit::{ErrorReason, TraceId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{cancellation::Rule, order_state::OrderStatus},
    error::{Error, Refusal},
    view::{self, LineRow},
};
pub(crate) use crate::{
    attempts::{
        AttemptRow, advance_attempt, attempts, find_attempt, find_attempt_by_reference,
        find_attempts_by_references, newest_attempt, newest_attempts,
    },
    attention::{
        SWITCHED_OFF, ask_for_attention, attention_is_over, clear_attention, note_difference,
        refresh_attention,
    },
};

/// An order as it stands.
#[derive(Clone, Debug)]
pub(crate) struct OrderRow {
    pub id: Uuid,
    pub number: String,
    pub hold_id: Uuid,
    pub body_hash: Vec<u8>,
    pub secret_key_id: String,
    pub secret_generation: i32,
    pub email: String,
    pub phone_number: String,
    pub name: String,
    /// A BCP 47 tag; may be empty.
    pub locale: String,
    /// The guest wants to be reminded of the event.
    pub reminder: bool,
    /// False once the guest has unsubscribed from all but receipts.
    pub notices: bool,
    pub total_amount_minor: i64,
    pub currency: String,
    /// Until the hold is bound, the guest's choice: empty where there was none.
    pub provider: String,
    pub status: String,
    pub refusal_reason: Option<String>,
    pub refusal_detail: Option<String>,
    pub refusal_facts: Option<serde_json::Value>,
    pub event_id: Option<Uuid>,
    pub event_slug: Option<String>,
    pub event_title: Option<String>,
    pub event_location: Option<String>,
    pub event_date_time: Option<OffsetDateTime>,
    pub event_timezone: Option<String>,
    /// Of two facts of an event the one with the greater is newer.
    pub event_version: i64,
    /// What the event takes, the preferred one first; empty means any.
    pub event_providers: Vec<String>,
    pub seller_name: String,
    pub seller_address: String,
    pub seller_tax_id: String,
    pub seller_contact: String,
    pub event_cancelled: bool,
    /// The event's rule for guests who cancel, as bought; none: they may not.
    pub cancel_until_hours: Option<i32>,
    pub cancel_fee_ppm: i32,
    /// The version of the terms that the guest accepted.
    pub accepted_terms: Option<String>,
    pub terms_accepted_at: Option<OffsetDateTime>,
    /// Who the guest was is gone.
    pub erased: bool,
    pub pay_by: Option<OffsetDateTime>,
    /// `pay_by` has passed by the database's clock.
    pub overdue: bool,
    pub paid_at: Option<OffsetDateTime>,
    pub stock_released: bool,
    /// A sentence for a person who must decide.
    pub needs_attention: Option<String>,
    pub age_secs: f64,
    pub created_at: OffsetDateTime,
}

impl OrderRow {
    pub fn status(&self) -> Result<OrderStatus, Error> {
        self.status
            .parse()
            .map_err(|_| Error::Broken("an order has an unknown status"))
    }

    pub fn order_id(&self) -> OrderId {
        self.id.into()
    }

    /// How its guest may cancel it, once it is paid.
    pub fn cancellation_rule(&self) -> Option<Rule> {
        let until_hours = self.cancel_until_hours?;
        let fee_ppm = self.cancel_fee_ppm;
        Some(Rule {
            until_hours,
            fee_ppm,
        })
    }

    /// Why the hold was never bound, if that is how the order ended.
    pub fn refusal(&self) -> Option<Refusal> {
        let reason = ErrorReason::from_word(self.refusal_reason.as_deref()?)?;
        Some(Refusal {
            reason,
            detail: self.refusal_detail.clone().unwrap_or_default(),
            facts: self
                .refusal_facts
                .as_ref()
                .map(read_facts)
                .unwrap_or_default(),
        })
    }
}

fn read_facts(stored: &serde_json::Value) -> Vec<(String, String)> {
    let facts = stored.as_object().into_iter().flatten();
    facts
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

pub(crate) async fn find_order(
    conn: &mut PgConnection,
    id: OrderId,
) -> Result<Option<OrderRow>, DbError> {
    Ok(find_orders(conn, &[id.uuid()]).await?.pop())
}

/// In any order; absent ones are left out.
async fn find_orders(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<OrderRow>, DbError> {
    let found = sqlx::query_as!(
        OrderRow,
        r#"SELECT id, number, hold_id, body_hash, secret_key_id, secret_generation, email,
               phone_number, name, locale, reminder, notices, total_amount_minor, currency,
               provider, status,
               refusal_reason, refusal_detail, refusal_facts, event_id, event_slug, event_title,
               event_location, event_date_time, event_timezone, event_version, event_providers, seller_name,
               seller_address, seller_tax_id, seller_contact,
               EXISTS (SELECT 1 FROM event_cancellations c
                   WHERE c.event_id = orders.event_id) AS "event_cancelled!",
               cancel_until_hours, cancel_fee_ppm, accepted_terms, terms_accepted_at,
               erased_at IS NOT NULL AS "erased!",
               pay_by,
               coalesce(pay_by <= clock_timestamp(), false) AS "overdue!",
               paid_at, stock_released_at IS NOT NULL AS "stock_released!", needs_attention,
               extract(epoch FROM clock_timestamp() - created_at)::float8 AS "age_secs!",
               created_at
           FROM orders WHERE id = ANY($1)"#,
        ids,
    );
    Ok(found.fetch_all(conn).await?)
}

/// What the saga reads of an order before a step.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub order: OrderRow,
    pub newest: Option<AttemptRow>,
    /// Of an order that is paid: the receipt is made of them.
    pub lines: Option<Vec<LineRow>>,
}

/// These orders by id, read together; absent ones are left out.
pub(crate) async fn load_all(app: &App, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Loaded>, Error> {
    let read = app.db.read(ids, |conn, ids| {
        Box::pin(async move {
            let orders = find_orders(conn, ids).await?;
            let newest = newest_attempts(conn, ids).await?.into_iter();
            let mut newest: HashMap<Uuid, AttemptRow> =
                newest.map(|attempt| (attempt.order_id, attempt)).collect();
            let paid = orders
                .iter()
                .filter(|order| order.status == OrderStatus::Paid.word());
            let paid: Vec<Uuid> = paid.map(|order| order.id).collect();
            let mut lines = match paid.as_slice() {
                [] => HashMap::new(),
                paid => view::lines_of(conn, paid).await?,
            };
            let loaded = orders.into_iter().map(|order| {
                let (newest, lines) = (newest.remove(&order.id), lines.remove(&order.id));
                let loaded = Loaded {
                    order,
                    newest,
                    lines,
                };
                (loaded.order.id, loaded)
            });
            Ok::<_, Error>(loaded.collect())
        })
    });
    read.await
}

/// An order and its newest attempt, read together.
pub(crate) async fn load(app: &App, id: OrderId) -> Result<(OrderRow, Option<AttemptRow>), Error> {
    let read = app.db.read(id, |conn, id| {
        Box::pin(async move {
            let order = find_order(conn, *id).await?.ok_or(Error::OrderNotFound)?;
            Ok::<_, Error>((order, newest_attempt(conn, *id).await?))
        })
    });
    read.await
}

/// The order, if the secret is its own. One answer for absent and foreign alike.
pub(crate) async fn load_for_guest(app: &App, id: &str, secret: &str) -> Result<OrderRow, Error> {
    let id: OrderId = id.parse().map_err(|_| Error::OrderNotFound)?;
    let (order, _) = load(app, id).await?;
    if app.secret_is_right(&order, secret) && !order.erased {
        Ok(order)
    } else {
        Err(Error::OrderNotFound)
    }
}

/// A step of an order, and who took it why.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub order: OrderId,
    pub from: OrderStatus,
    pub to: OrderStatus,
    pub by: By,
    /// A word, for programs and the log of events.
    pub reason: String,
}

/// Who acts, in which trace.
#[derive(Clone, Debug)]
pub(crate) struct By {
    /// `guest`, `saga` or the provider's name.
    pub actor: String,
    trace: Option<TraceId>,
    /// Of the client, as the edge saw it.
    client: Option<IpAddr>,
}

impl By {
    /// In the trace of the call in hand. Read it outside of database work, which has no call in hand.
    pub fn now(actor: &str) -> Self {
        let call = kit::current();
        Self {
            actor: actor.to_owned(),
            trace: call.trace,
            client: call.client,
        }
    }

    /// A guest, whose address is kept nowhere.
    pub fn guest() -> Self {
        Self {
            client: None,
            ..Self::now("guest")
        }
    }

    pub fn trace_id(&self) -> Option<String> {
        self.trace.as_ref().map(TraceId::to_string)
    }

    /// For stored work, which goes on from here.
    pub fn traceparent(&self) -> Option<String> {
        self.trace.as_ref().map(TraceId::traceparent)
    }
}

/// Moves an order and writes its story, both or neither. False if it was not in `from` any more: read
/// it again.
pub(crate) async fn advance(tx: &mut PgConnection, step: &Step) -> Result<bool, Error> {
    if !step.from.may_become(step.to) {
        return Err(Error::Broken(
            "a step that the life of an order does not have",
        ));
    }
    let moved = sqlx::query!(
        "UPDATE orders
         SET status = $3, updated_at = clock_timestamp(), step_failures = 0,
             -- An order at rest is looked at all the same while a guest could still pay by an attempt.
             next_step_at = least(clock_timestamp() + make_interval(secs => coalesce($4,
                     CASE WHEN EXISTS (SELECT 1 FROM payment_attempts a WHERE a.order_id = $1
                         AND a.status IN ('created', 'requires_action', 'processing')) THEN 5::float8 END)),
                 CASE WHEN $3 IN ('awaiting_payment', 'processing') THEN pay_by END),
             paid_at = CASE WHEN $3 = 'paid' THEN clock_timestamp() ELSE paid_at END
         WHERE id = $1 AND status = $2",
        step.order.uuid(),
        step.from.word(),
        step.to.word(),
        step.to.first_look_secs(),
    );
    if moved.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    record(tx, step).await?;
    if [step.from, step.to].contains(&OrderStatus::Mismatch) {
        refresh_attention(tx, step.order).await?;
    }
    Ok(true)
}

/// Writes that something happened to an order without moving it.
pub(crate) async fn note(
    tx: &mut PgConnection,
    order: OrderId,
    status: OrderStatus,
    by: &By,
    reason: &str,
) -> Result<(), DbError> {
    let step = Step {
        order,
        from: status,
        to: status,
        by: by.clone(),
        reason: reason.to_owned(),
    };
    record(tx, &step).await
}

async fn record(tx: &mut PgConnection, step: &Step) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO order_events (order_id, actor, from_status, to_status, reason, trace_id)
         VALUES ($1, $2, $3, $4, $5, coalesce($6, (SELECT trace_id FROM orders WHERE id = $1)))",
        step.order.uuid(),
        step.by.actor,
        step.from.word(),
        step.to.word(),
        step.reason,
        step.by.trace_id(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What an admin did, or a guest to their order, for the audit log. Nothing in it says who a guest is.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    pub by: By,
    /// A word such as `payment.confirm`.
    pub action: &'static str,
    /// The id of the order or the refund.
    pub object: String,
    pub before: serde_json::Value,
    pub after: serde_json::Value,
}

/// Writes what was done, in the transaction that does it.
pub(crate) async fn audit(tx: &mut PgConnection, audit: &Audit) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO audit_log (actor, action, object, before, after, trace_id, address)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        audit.by.actor,
        audit.action,
        audit.object,
        audit.before,
        audit.after,
        audit.by.trace_id(),
        audit.by.client.map(|address| address.to_string()),
    )
    .execute(tx)
    .await?;
    Ok(())
}
