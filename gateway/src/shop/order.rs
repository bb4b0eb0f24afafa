use axum::{extract::State, response::Response};
use base::OrderId;
use kit::Failure;
use minijinja::{Value, context};
use serde::Deserialize;

use super::{order_words, qr, words};
use crate::{
    app::{App, Shared},
    extract::{Access, Query},
    problem::Problem,
    rest::{
        self,
        types::{AttemptStatus, Order, OrderStatus, Refund, RefundStatus, Ticket, TicketStatus},
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
    let values = view(&app, &order, &visit).await?;
    app.pages.render("order.html", values)
}

async fn view(app: &App, order: &Order, visit: &Visit) -> Result<Value, Failure> {
    let awaiting = order.status == OrderStatus::AwaitingPayment;
    let payment = order.payment.as_ref();
    let ended = payment.is_some_and(|payment| {
        matches!(
            payment.status,
            AttemptStatus::Failed | AttemptStatus::Cancelled
        )
    });
    let checkout_url = payment.and_then(|payment| payment.checkout_url.as_deref());
    let instructions = payment.and_then(|payment| payment.instructions.as_deref());
    let declined = ended || visit.payment == "declined";
    let can_pay = ended || checkout_url.is_some() || instructions.is_some();
    let (title, sentence) = order_words::order(order, can_pay, declined);
    let can_try_again = awaiting && ended;
    let providers = if can_try_again {
        app.providers.titled(app, &order.payment_providers).await
    } else {
        Vec::new()
    };
    let event = &order.event;
    let zone = zone(order);
    Ok(context! {
        id => &order.id,
        number => &order.number,
        email => &order.email,
        title,
        sentence,
        status => words::word(order.status),
        seen => seen(order),
        reload_secs => reload_secs(order).filter(|_| !can_pay || !awaiting),
        checkout_url => checkout_url.filter(|_| awaiting),
        instructions => instructions.filter(|_| awaiting),
        can_try_again,
        providers => words::providers(&providers),
        chosen_provider => payment.map(|payment| &payment.provider),
        can_cancel => can_cancel(order.status),
        is_over => is_over(order.status),
        event_cancelled => order_words::event_cancelled(order),
        has_documents => has_documents(order) && !order_words::event_cancelled(order),
        pay_until => payment.filter(|_| awaiting).and_then(|p| p.expires_at).map(|at| words::when(at, zone)),
        event => context! {
            title => &event.title,
            slug => &event.slug,
            location => &event.location,
            when => event.date_time.map(|at| words::when(at, zone)),
        },
        lines => words::lines(&order.lines),
        taxes => words::taxes(&order.lines),
        total => words::amount(&order.total_amount),
        captured => payment.and_then(|payment| payment.captured.as_ref()).map(words::amount),
        balance_due => order.balance_due.as_ref().filter(|_| awaiting).map(words::amount),
        refunds => order.refunds.iter().map(|one| refund(one, zone)).collect::<Vec<_>>(),
        seller => order.seller.as_ref().map(words::seller),
        tickets => tickets(order)?,
        timeline => timeline(order, zone),
        // A new intent per page; sending the same form twice is one try.
        key => app.sources.token(),
    })
}

fn tickets(order: &Order) -> Result<Vec<Value>, Failure> {
    let tickets = order.tickets.iter().map(|ticket| {
        let symbol = qr::symbol(&ticket.code).map_err(Failure::internal)?;
        let valid = ticket.status == TicketStatus::Valid;
        Ok(context! { category => &ticket.category, code => &ticket.code, symbol, valid })
    });
    tickets.collect()
}

fn timeline(order: &Order, zone: &str) -> Vec<Value> {
    let entries = order.timeline.iter().map(|entry| {
        // The sentence says it better than the word.
        let text = match entry.detail.as_str() {
            "" => words::capitalised(&entry.what),
            detail => detail.to_owned(),
        };
        context! { text, at => words::when(entry.at, zone) }
    });
    entries.collect()
}

fn zone(order: &Order) -> &str {
    match order.event.timezone.as_str() {
        "" => "UTC",
        zone => zone,
    }
}

fn refund(refund: &Refund, zone: &str) -> Value {
    context! {
        amount => words::amount(&refund.amount),
        status => order_words::refund(refund),
        why => order_words::why(refund.reason),
        note => &refund.note,
        at => words::when(refund.ended_at.unwrap_or(refund.created_at), zone),
    }
}

/// What the page shows of an order that may change by itself, as the script puts it together from
/// the order's JSON.
fn seen(order: &Order) -> Option<String> {
    let moves = |refund: &Refund| {
        use RefundStatus as R;
        matches!(refund.status, R::Requested | R::Submitted | R::Failed)
    };
    if !is_waiting(order) && !order.refunds.iter().any(moves) {
        return None;
    }
    let payment = order.payment.as_ref();
    let page = payment.and_then(|payment| payment.checkout_url.as_ref());
    let pay = page.filter(|_| order.status == OrderStatus::AwaitingPayment);
    let left = order
        .balance_due
        .as_ref()
        .map(|left| left.amount_minor.to_string());
    let back: Vec<String> = order
        .refunds
        .iter()
        .map(|refund| words::word(refund.status))
        .collect();
    Some(format!(
        "{}.{}.{}.{}.{}",
        words::word(order.status),
        payment.map_or("none".to_owned(), |payment| words::word(payment.status)),
        pay.map_or("", |_| "pay"),
        left.unwrap_or_default(),
        back.join(","),
    ))
}

/// While it is being paid, also where the outcome is not known: the provider is asked first.
fn can_cancel(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Created | OrderStatus::AwaitingPayment | OrderStatus::Processing
    )
}

/// There are tickets, some of them valid.
fn has_documents(order: &Order) -> bool {
    let valid = |ticket: &Ticket| ticket.status == TicketStatus::Valid;
    matches!(
        order.status,
        OrderStatus::Fulfilled | OrderStatus::PartiallyRefunded
    ) && order.tickets.iter().any(valid)
}

/// How soon a page without a script looks again; a bank takes longer than we do.
fn reload_secs(order: &Order) -> Option<u32> {
    match order.status {
        OrderStatus::Processing => Some(15),
        _ => is_waiting(order).then_some(4),
    }
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
fn is_waiting(order: &Order) -> bool {
    match order.status {
        OrderStatus::Created
        | OrderStatus::AwaitingPayment
        | OrderStatus::Processing
        | OrderStatus::Paid => true,
        OrderStatus::Unfulfillable => !order_words::is_free(order),
        _ => false,
    }
}
