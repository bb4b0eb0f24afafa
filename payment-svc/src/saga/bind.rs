//! `created → awaiting_payment | paid`: ticket-svc binds the hold to the order and says what it sells.

use std::sync::Arc;

use base::{AttemptId, EventId, HoldId, Money, OrderId, Secret, TicketTypeId};
use kit::{Certainty, ErrorReason, Failure};
use proto::{
    common::Seller,
    ticket::{BeginPaymentRequest, BeginPaymentResponse, CancellationRule},
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::checkout::{NewAttempt, open_attempt};
use crate::{
    app::App,
    domain::{
        order_state::OrderStatus,
        tax::{LineParts, line_parts},
    },
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
    // A provider that was switched off since is a no: the same request will not get a yes again.
    let Some(kinds) = kinds(app, order) else {
        return Ok(Bound::Refused(not_enabled()));
    };
    let preferred = kinds.first().cloned().unwrap_or_default();
    let request = request(app, order, secret, kinds)?;
    let answer = match app.inventory.clone().begin_payment(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return refusal(Failure::from_status(&status)).map(Bound::Refused),
    };
    kit::failpoint!("payment.hold_bound");
    let facts = Facts::read(app, answer, order, &preferred)?;
    let Some(provider) = by_kind(app, &facts.provider_kind).map(|provider| provider.name()) else {
        return Ok(Bound::Refused(not_enabled()));
    };
    let attempt = NewAttempt::first(AttemptId::new(&app.sources), order, provider, facts.pay_by);
    let binding = Binding {
        order: order.order_id(),
        provider,
        facts,
        attempt,
        by,
    };
    let record = app
        .db
        .run(binding, |tx, binding| Box::pin(record(tx, binding)));
    record.await?;
    kit::failpoint!("payment.order_bound");
    Ok(Bound::Yes)
}

/// What the guest may pay with: their choice, or every enabled provider in order. None if their choice
/// was switched off.
fn kinds(app: &App, order: &OrderRow) -> Option<Vec<String>> {
    let kind = |provider: &Arc<dyn Provider>| provider.kind().to_owned();
    if order.provider.is_empty() {
        Some(app.providers.all().map(kind).collect())
    } else {
        Some(vec![kind(app.providers.get(&order.provider)?)])
    }
}

fn by_kind<'a>(app: &'a App, kind: &str) -> Option<&'a Arc<dyn Provider>> {
    app.providers.all().find(|provider| provider.kind() == kind)
}

fn not_enabled() -> Refusal {
    Refusal {
        reason: ErrorReason::ProviderNotEnabled,
        detail: "This payment provider is not enabled any more. Place a new order.".to_owned(),
        facts: Vec::new(),
    }
}

fn request(
    app: &App,
    order: &OrderRow,
    secret: Option<&Secret>,
    kinds: Vec<String>,
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
        provider_kind: kinds.first().cloned().unwrap_or_default(),
        guest_key: app.guest_key(&email).to_vec(),
        provider_kinds: kinds,
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
        facts: failure.facts,
    })
}

/// What ticket-svc says about the order, checked.
struct Facts {
    event: EventId,
    slug: String,
    title: String,
    location: String,
    date_time: OffsetDateTime,
    timezone: String,
    version: i64,
    seller: Seller,
    lines: Vec<Line>,
    provider_kind: String,
    event_providers: Vec<String>,
    cancellation: Option<CancellationRule>,
    pay_by: Option<OffsetDateTime>,
    paying_until: Option<OffsetDateTime>,
}

struct Line {
    ticket_type: TicketTypeId,
    category: String,
    quantity: i32,
    unit_price_minor: i64,
    line_total_minor: i64,
    unit_fee_minor: i64,
    tax_rate_ppm: i32,
    parts: LineParts,
}

impl Facts {
    fn read(
        app: &App,
        answer: BeginPaymentResponse,
        order: &OrderRow,
        preferred: &str,
    ) -> Result<Self, Error> {
        let broken = || Error::Broken("ticket-svc answered begin_payment with broken facts");
        let total = proto::money_from(answer.total.as_ref()).map_err(|_| broken())?;
        if !is_total_of(total, order) {
            return Err(Error::Broken("ticket-svc bound a hold at another total"));
        }
        let event = answer.event.ok_or_else(broken)?;
        let time = |stamp: Option<_>| {
            let time = stamp.as_ref().map(proto::timestamp_from).transpose();
            time.map_err(|_| broken())
        };
        let lines: Option<Vec<Line>> = answer.lines.into_iter().map(read_line).collect();
        // A member that is older than the choice takes what it is offered first.
        let chosen = Some(answer.provider_kind).filter(|kind| !kind.is_empty());
        let facts = Self {
            event: event.id.parse().map_err(|_| broken())?,
            date_time: time(event.date_time)?.ok_or_else(broken)?,
            slug: event.slug,
            title: event.title,
            location: event.location,
            timezone: event.timezone,
            version: event.version,
            seller: answer.seller.unwrap_or_else(|| app.installation_seller()),
            lines: lines.ok_or_else(broken)?,
            provider_kind: chosen.unwrap_or_else(|| preferred.to_owned()),
            event_providers: answer.event_provider_kinds,
            cancellation: answer.cancellation.filter(|rule| rule.allowed),
            pay_by: time(answer.pay_by)?,
            paying_until: time(answer.paying_until)?,
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
    let line_total_minor = line.line_total?.amount_minor;
    let unit_fee_minor = line.unit_fee.map_or(0, |fee| fee.amount_minor);
    Some(Line {
        ticket_type: line.ticket_type_id.parse().ok()?,
        category: line.category,
        quantity: i32::try_from(line.quantity).ok()?,
        unit_price_minor: line.unit_price?.amount_minor,
        line_total_minor,
        unit_fee_minor,
        tax_rate_ppm: i32::try_from(line.tax_rate_ppm).ok()?,
        parts: line_parts(
            line_total_minor,
            unit_fee_minor,
            line.quantity,
            line.tax_rate_ppm,
        )?,
    })
}

/// A bound order to be.
struct Binding {
    order: OrderId,
    provider: &'static str,
    facts: Facts,
    attempt: Option<NewAttempt>,
    by: By,
}

/// Nothing to pay goes straight to paid; otherwise the first attempt is a row before any provider
/// hears of it.
async fn record(tx: &mut PgConnection, binding: &Binding) -> Result<(), Error> {
    let (facts, seller) = (&binding.facts, &binding.facts.seller);
    let bound = sqlx::query!(
        "UPDATE orders
         SET event_id = $2, event_slug = $3, event_title = $4, event_location = $5,
             event_date_time = $6, event_timezone = $7, pay_by = $8, paying_until = $9,
             provider = $10, event_providers = $11, seller_name = $12, seller_address = $13,
             seller_tax_id = $14, seller_contact = $15, event_version = $16,
             cancel_until_hours = $17, cancel_fee_ppm = $18
         WHERE id = $1 AND status = 'created'",
        binding.order.uuid(),
        facts.event.uuid(),
        facts.slug,
        facts.title,
        facts.location,
        facts.date_time,
        facts.timezone,
        facts.pay_by,
        facts.paying_until,
        binding.provider,
        &facts.event_providers,
        seller.name,
        seller.address,
        seller.tax_id,
        seller.contact,
        facts.version,
        facts
            .cancellation
            .map(|rule| rule.until_hours.cast_signed()),
        facts
            .cancellation
            .map_or(0, |rule| rule.fee_ppm.cast_signed()),
    );
    if bound.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(());
    }
    insert_lines(tx, binding.order, &facts.lines).await?;
    let to = match binding.attempt {
        Some(_) => OrderStatus::AwaitingPayment,
        None => OrderStatus::Paid,
    };
    let step = Step {
        order: binding.order,
        from: OrderStatus::Created,
        to,
        by: binding.by.clone(),
        reason: "bound".into(),
    };
    store::advance(tx, &step).await?;
    if let Some(attempt) = &binding.attempt {
        open_attempt(tx, attempt, &binding.by).await?;
    }
    Ok(())
}

async fn insert_lines(tx: &mut PgConnection, order: OrderId, lines: &[Line]) -> Result<(), Error> {
    for (position, line) in (0_i32..).zip(lines) {
        sqlx::query!(
            "INSERT INTO order_lines (order_id, position, ticket_type_id, category, quantity,
                 unit_price_minor, line_total_minor, unit_fee_minor, tax_rate_ppm, tax_minor,
                 fee_minor, fee_tax_minor)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            order.uuid(),
            position,
            line.ticket_type.uuid(),
            line.category,
            line.quantity,
            line.unit_price_minor,
            line.line_total_minor,
            line.unit_fee_minor,
            line.tax_rate_ppm,
            line.parts.tax_minor,
            line.parts.fee_minor,
            line.parts.fee_tax_minor,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
