//! `created → awaiting_payment | paid`: ticket-svc binds the hold to the order and says what it sells.

use base::{AttemptId, EventId, HoldId, Money, OrderId, Secret, TicketTypeId};
use kit::{Certainty, ErrorReason, Failure};
use proto::ticket::{BeginPaymentRequest, BeginPaymentResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::checkout::{NewAttempt, open_attempt};
use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::{Error, Refusal},
    provider::Provider,
    store::{self, By, OrderRow, Step},
};

/// What binding came to. Faults are errors; these are answers.
pub(crate) enum Bound {
    Yes,
    /// It will not be bound by asking again in the same way.
    Refused(Refusal),
}

/// Without a secret only an order that is bound already gets a yes.
pub(crate) async fn bind(
    app: &App,
    order: &OrderRow,
    secret: Option<&Secret>,
    by: By,
) -> Result<Bound, Error> {
    let provider = app
        .providers
        .get(&order.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    let request = request(app, order, secret, provider.as_ref())?;
    let answer = match app.inventory.clone().begin_payment(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return refusal(Failure::from_status(&status)).map(Bound::Refused),
    };
    kit::failpoint!("payment.hold_bound");
    let facts = Facts::read(answer, order)?;
    let attempt = NewAttempt::first(AttemptId::new(&app.sources), order, facts.pay_by);
    let input = (order.order_id(), facts, attempt, by);
    let record = app.db.run(input, |tx, (order, facts, attempt, by)| {
        Box::pin(record(tx, *order, facts, attempt, by))
    });
    record.await?;
    kit::failpoint!("payment.order_bound");
    Ok(Bound::Yes)
}

fn request(
    app: &App,
    order: &OrderRow,
    secret: Option<&Secret>,
    provider: &dyn Provider,
) -> Result<BeginPaymentRequest, Error> {
    let email = order
        .email
        .parse()
        .map_err(|_| Error::Broken("an order has a bad address"))?;
    Ok(BeginPaymentRequest {
        order_id: order.id.to_string(),
        hold_id: HoldId::from(order.hold_id).to_string(),
        secret: secret
            .map(|secret| secret.expose().to_owned())
            .unwrap_or_default(),
        expected_total: Some(proto::common::Money {
            amount_minor: order.total_amount_minor,
            currency: order.currency.clone(),
        }),
        provider_kind: provider.kind().to_owned(),
        guest_key: app.guest_key(&email).to_vec(),
    })
}

/// Tells a refusal of the business from a fault, which says nothing about the hold.
fn refusal(failure: Failure) -> Result<Refusal, Error> {
    let fault = matches!(
        failure.reason,
        ErrorReason::Unavailable
            | ErrorReason::Overloaded
            | ErrorReason::TooManyRequests
            | ErrorReason::Unauthenticated
            | ErrorReason::PermissionDenied
            | ErrorReason::CallerNotAllowed
            | ErrorReason::Internal
            | ErrorReason::OutcomeUnknown
    );
    if fault || failure.certainty == Certainty::Unknown {
        return Err(failure.into());
    }
    Ok(Refusal {
        reason: failure.reason,
        detail: failure.detail,
    })
}

struct Facts {
    event: EventId,
    slug: String,
    title: String,
    location: String,
    date_time: OffsetDateTime,
    timezone: String,
    lines: Vec<Line>,
    pay_by: Option<OffsetDateTime>,
    paying_until: Option<OffsetDateTime>,
}

struct Line {
    ticket_type: TicketTypeId,
    category: String,
    quantity: i32,
    unit_price_minor: i64,
    line_total_minor: i64,
}

impl Facts {
    fn read(answer: BeginPaymentResponse, order: &OrderRow) -> Result<Self, Error> {
        let broken = || Error::Broken("ticket-svc answered begin_payment with broken facts");
        let total = proto::money_from(answer.total.as_ref()).map_err(|_| broken())?;
        if !is_total_of(total, order) {
            return Err(Error::Broken("ticket-svc bound a hold at another total"));
        }
        let event = answer.event.ok_or_else(broken)?;
        let date_time = event
            .date_time
            .as_ref()
            .map(proto::timestamp_from)
            .transpose();
        let pay_by = answer
            .pay_by
            .as_ref()
            .map(proto::timestamp_from)
            .transpose();
        let paying_until = answer
            .paying_until
            .as_ref()
            .map(proto::timestamp_from)
            .transpose();
        let lines: Option<Vec<Line>> = answer.lines.into_iter().map(read_line).collect();
        let facts = Self {
            event: event.id.parse().map_err(|_| broken())?,
            date_time: date_time.map_err(|_| broken())?.ok_or_else(broken)?,
            slug: event.slug,
            title: event.title,
            location: event.location,
            timezone: event.timezone,
            lines: lines.ok_or_else(broken)?,
            pay_by: pay_by.map_err(|_| broken())?,
            paying_until: paying_until.map_err(|_| broken())?,
        };
        let waits = total.amount_minor > 0;
        if waits && facts.pay_by.is_none() {
            Err(broken())
        } else {
            Ok(facts)
        }
    }
}

fn is_total_of(total: Money, order: &OrderRow) -> bool {
    total.amount_minor == order.total_amount_minor && total.currency.code() == order.currency
}

fn read_line(line: proto::ticket::HoldLine) -> Option<Line> {
    Some(Line {
        ticket_type: line.ticket_type_id.parse().ok()?,
        category: line.category,
        quantity: i32::try_from(line.quantity).ok()?,
        unit_price_minor: line.unit_price?.amount_minor,
        line_total_minor: line.line_total?.amount_minor,
    })
}

/// Nothing to pay goes straight to paid; otherwise the first attempt is a row before any provider
/// hears of it.
async fn record(
    tx: &mut PgConnection,
    order: OrderId,
    facts: &Facts,
    attempt: &Option<NewAttempt>,
    by: &By,
) -> Result<(), Error> {
    let bound = sqlx::query!(
        "UPDATE orders
         SET event_id = $2, event_slug = $3, event_title = $4, event_location = $5,
             event_date_time = $6, event_timezone = $7, pay_by = $8, paying_until = $9
         WHERE id = $1 AND status = 'created'",
        order.uuid(),
        facts.event.uuid(),
        facts.slug,
        facts.title,
        facts.location,
        facts.date_time,
        facts.timezone,
        facts.pay_by,
        facts.paying_until,
    );
    if bound.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(());
    }
    insert_lines(tx, order, &facts.lines).await?;
    let to = if attempt.is_some() {
        OrderStatus::AwaitingPayment
    } else {
        OrderStatus::Paid
    };
    let step = Step {
        order,
        from: OrderStatus::Created,
        to,
        by: by.clone(),
        reason: "bound".into(),
    };
    store::advance(tx, &step).await?;
    if let Some(attempt) = attempt {
        open_attempt(tx, attempt, by).await?;
    }
    Ok(())
}

async fn insert_lines(tx: &mut PgConnection, order: OrderId, lines: &[Line]) -> Result<(), Error> {
    for (position, line) in (0_i32..).zip(lines) {
        sqlx::query!(
            "INSERT INTO order_lines (order_id, position, ticket_type_id, category, quantity,
                 unit_price_minor, line_total_minor)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            order.uuid(),
            position,
            line.ticket_type.uuid(),
            line.category,
            line.quantity,
            line.unit_price_minor,
            line.line_total_minor,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
