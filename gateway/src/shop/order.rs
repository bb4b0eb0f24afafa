use axum::{extract::State, response::Response};
use base::OrderId;
use kit::Failure;
use minijinja::{Value, context};
use serde::Deserialize;

use super::{qr, words};
use crate::{
    app::Shared,
    extract::{Access, Query},
    problem::Problem,
    rest::{
        self,
        types::{AttemptStatus, Order, OrderStatus, TicketStatus},
    },
};

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Visit {
    /// `declined`: just came back from a page that said no.
    payment: String,
    /// Set by the page's own reloading, which must not ask the provider each time.
    wait: String,
}

/// `GET /orders/{id}`: how the order stands, and its tickets.
pub async fn order(
    State(app): State<Shared>,
    access: Access<OrderId>,
    Query(visit): Query<Visit>,
) -> Result<Response, Problem> {
    let order = rest::get_order(&app, &access, visit.wait.is_empty()).await?;
    let values = view(&order, &visit, app.sources.token())?;
    app.pages.render("order.html", values)
}

fn view(order: &Order, visit: &Visit, key: String) -> Result<Value, Failure> {
    let awaiting = order.status == OrderStatus::AwaitingPayment;
    let payment = order.payment.as_ref();
    let ended = payment.is_some_and(|payment| {
        matches!(
            payment.status,
            AttemptStatus::Failed | AttemptStatus::Cancelled
        )
    });
    let checkout_url = payment.and_then(|payment| payment.checkout_url.as_deref());
    let declined = ended || visit.payment == "declined";
    let can_pay = ended || checkout_url.is_some();
    let (title, sentence) = words::order(order.status, can_pay, declined);
    let event = &order.event;
    let zone = if event.timezone.is_empty() {
        "UTC"
    } else {
        &event.timezone
    };
    let tickets = order.tickets.iter().map(|ticket| {
        let symbol = qr::symbol(&ticket.code).map_err(Failure::internal)?;
        let valid = ticket.status == TicketStatus::Valid;
        Ok(context! { category => &ticket.category, code => &ticket.code, symbol, valid })
    });
    let timeline = order.timeline.iter().map(|entry| {
        let (what, at) = (words::capitalised(&entry.what), words::when(entry.at, zone));
        // The sentence says it better than the word.
        let text = if entry.detail.is_empty() {
            what
        } else {
            entry.detail.clone()
        };
        context! { text, at }
    });
    Ok(context! {
        id => &order.id,
        number => &order.number,
        email => &order.email,
        title,
        sentence,
        status => words::word(order.status),
        payment_status => payment.map(|payment| words::word(payment.status)),
        checkout_url => checkout_url.filter(|_| awaiting),
        can_try_again => awaiting && ended,
        can_cancel => matches!(order.status, OrderStatus::Created | OrderStatus::AwaitingPayment),
        is_waiting => is_waiting(order.status),
        is_over => is_over(order.status),
        has_documents => order.status == OrderStatus::Fulfilled,
        pay_until => payment.filter(|_| awaiting).and_then(|p| p.expires_at).map(|at| words::when(at, zone)),
        event => context! {
            title => &event.title,
            slug => &event.slug,
            location => &event.location,
            when => event.date_time.map(|at| words::when(at, zone)),
        },
        lines => words::lines(&order.lines),
        total => words::amount(&order.total_amount),
        tickets => tickets.collect::<Result<Vec<Value>, Failure>>()?,
        timeline => timeline.collect::<Vec<Value>>(),
        key,
    })
}

/// Nothing is bought and nothing more will come of it.
fn is_over(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Expired
            | OrderStatus::Cancelled
            | OrderStatus::Refunded
            | OrderStatus::Unfulfillable
    )
}

/// Something will happen without the guest, so the page looks again by itself.
fn is_waiting(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Created
            | OrderStatus::AwaitingPayment
            | OrderStatus::Processing
            | OrderStatus::Paid
            | OrderStatus::Unfulfillable
    )
}
