use std::time::Duration;

use axum::{extract::State, response::Response};
use base::{Language, OrderId};
use http::HeaderMap;
use kit::Failure;
use minijinja::{Value, context};
use serde::Deserialize;

use super::{address, order_words, qr, reader::Reader, table::Says as _, words};
use crate::{
    app::{App, Shared},
    extract::{Access, Query},
    problem::Problem,
    rest::{
        self,
        types::{
            AttemptStatus, DeliveryState, Order, OrderStatus, Refund, RefundStatus, Ticket,
            TicketStatus, TimelineEntry,
        },
    },
};

/// The step of an order's story in which it was paid.
const PAID: &str = "paid";
/// The order is shown without it otherwise.
const DELIVERY_PATIENCE: Duration = Duration::from_millis(500);

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Visit {
    /// `declined`: just came back from a page that said no.
    payment: String,
    /// What a form of the page has done.
    done: String,
    /// Set by the page's own reloading, which must not ask the provider each time.
    wait: String,
}

/// `GET /orders/{id}`: how the order stands, and its tickets.
pub async fn order(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    headers: HeaderMap,
    access: Access<OrderId>,
    Query(visit): Query<Visit>,
) -> Result<Response, Problem> {
    let order = rest::get_order(&app, &access, visit.wait.is_empty()).await?;
    let can_correct = address::proof(&app, &headers, &order.id).is_some();
    let mail_trouble = mail_trouble(&app, &order).await;
    let values = view(&app, language, &order, &visit).await?;
    let values = context! { can_correct, mail_trouble, ..values };
    app.pages.render(language, "order.html", values)
}

/// `failed` or `delayed` where the receipt does not reach its guest. The page does not depend on the answer.
async fn mail_trouble(app: &App, order: &Order) -> Option<&'static str> {
    if order.tickets.is_empty() {
        return None;
    }
    let ask = rest::get_delivery(app, &order.id);
    match tokio::time::timeout(DELIVERY_PATIENCE, ask)
        .await
        .ok()?
        .ok()?
        .state
    {
        DeliveryState::Failed => Some("failed"),
        DeliveryState::Delayed => Some("delayed"),
        DeliveryState::None | DeliveryState::Waiting | DeliveryState::Sent => None,
    }
}

async fn view(
    app: &App,
    language: Language,
    order: &Order,
    visit: &Visit,
) -> Result<Value, Failure> {
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
    let (title, sentence) = order_words::order(language, order, can_pay, declined);
    let can_try_again = awaiting && ended;
    let providers = if can_try_again {
        app.providers.titled(app, &order.payment_providers).await
    } else {
        Vec::new()
    };
    let zone = zone(order);
    Ok(context! {
        id => &order.id,
        number => &order.number,
        email => &order.email,
        title,
        sentence,
        status => words::word(order.status),
        is_moving => is_moving(order),
        mark => &order.mark,
        done => done(language, &visit.done),
        reload_secs => reload_secs(order).filter(|_| !can_pay || !awaiting),
        checkout_url => checkout_url.filter(|_| awaiting),
        instructions => instructions.filter(|_| awaiting).map(|text| transfer(language, text)),
        can_try_again,
        providers => words::providers(language, &providers),
        chosen_provider => payment.map(|payment| &payment.provider),
        can_cancel => can_cancel(order.status),
        is_over => is_over(order.status) || order_words::guest_cancelled(order),
        cancellation => order.cancellation.as_ref().map(|offer| context! {
            refund => words::amount(language, &offer.refund),
            until => words::when(language, offer.until, zone),
        }),
        preferences => has_tickets(order, |_| true).then(|| preferences(order)),
        terms_version => &order.accepted_terms,
        event_cancelled => order_words::event_cancelled(order),
        has_receipt => was_paid(order),
        has_documents => has_tickets(order, is_own) && !order_words::event_cancelled(order),
        pay_until => payment.filter(|_| awaiting).and_then(|p| p.expires_at).map(|at| words::when(language, at, zone)),
        event => event(language, order),
        lines => words::lines(language, &order.lines),
        taxes => words::taxes(language, &order.lines),
        total => words::amount(language, &order.total_amount),
        captured => payment.and_then(|payment| payment.captured.as_ref()).map(|money| words::amount(language, money)),
        balance_due => order.balance_due.as_ref().filter(|_| awaiting).map(|money| words::amount(language, money)),
        refunds => order.refunds.iter().map(|one| refund(language, one, zone)).collect::<Vec<_>>(),
        seller => order.seller.as_ref().map(words::seller),
        tickets => tickets(order)?,
        timeline => timeline(language, order, zone),
        // A new intent per page; sending the same form twice is one try.
        key => app.sources.token(),
    })
}

fn event(language: Language, order: &Order) -> Value {
    let event = &order.event;
    let when = event.date_time;
    context! {
        title => &event.title,
        slug => &event.slug,
        location => &event.location,
        when => when.map(|at| words::when(language, at, zone(order))),
    }
}

fn tickets(order: &Order) -> Result<Vec<Value>, Failure> {
    let tickets = order.tickets.iter().map(|ticket| {
        // Whose code is somebody else's has none here.
        let own = Some(&ticket.code).filter(|code| !code.is_empty());
        let symbol = own.map(|code| qr::symbol(code)).transpose();
        let symbol = symbol.map_err(Failure::internal)?;
        let valid = ticket.status == TicketStatus::Valid;
        let mut holders = order.transferred_tickets.iter();
        let holder = holders.find(|holder| holder.ticket_id == ticket.id);
        let pending = holder.is_some_and(|holder| holder.pending);
        Ok(context! {
            id => &ticket.id,
            category => &ticket.category,
            code => own,
            symbol,
            valid,
            pending,
            holder => holder.map(|holder| &holder.name),
            // Whoever asks to be forgotten keeps the ticket.
            holder_erased => holder.is_some_and(|holder| holder.name.is_empty()),
            holder_email => holder.map(|holder| &holder.email),
            can_leave => valid && !pending && !order_words::event_cancelled(order),
        })
    });
    tickets.collect()
}

fn timeline(language: Language, order: &Order, zone: &str) -> Vec<Value> {
    let entries = order.timeline.iter().map(|entry| {
        let at = words::when(language, entry.at, zone);
        context! { text => order_words::told(language, entry), at }
    });
    entries.collect()
}

/// How to send the money: what the operator wrote, and two lines that the service adds in English.
fn transfer(language: Language, instructions: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some(("Amount", amount)) => language.fill("order.amount_line", &[("amount", &amount)]),
        Some(("Reference", reference)) => {
            language.fill("order.reference_line", &[("reference", &reference)])
        }
        _ => line.to_owned(),
    };
    let lines: Vec<String> = instructions.lines().map(line).collect();
    lines.join("\n")
}

fn zone(order: &Order) -> &str {
    match order.event.timezone.as_str() {
        "" => "UTC",
        zone => zone,
    }
}

fn refund(language: Language, refund: &Refund, zone: &str) -> Value {
    context! {
        amount => words::amount(language, &refund.amount),
        status => order_words::refund(language, refund),
        why => order_words::why(language, refund.reason),
        note => &refund.note,
        at => words::when(language, refund.ended_at.unwrap_or(refund.created_at), zone),
    }
}

/// Something of it changes without its guest, so the page follows.
fn is_moving(order: &Order) -> bool {
    use RefundStatus as R;
    let moves = |refund: &Refund| matches!(refund.status, R::Requested | R::Submitted | R::Failed);
    let leaves = order.transferred_tickets.iter().any(|one| one.pending);
    is_waiting(order) || leaves || order.refunds.iter().any(moves)
}

/// What a form did, in a sentence.
fn done(language: Language, word: &str) -> Option<&'static str> {
    Some(language.say(match word {
        "resent" => "done.resent",
        "often" => "done.often",
        "saved" => "done.saved",
        "corrected" => "done.corrected",
        "handed_on" => "done.handed_on",
        "not_valid" => "done.not_valid",
        _ => return None,
    }))
}

fn preferences(order: &Order) -> Value {
    let wishes = &order.preferences;
    let chosen = Language::of(&wishes.locale);
    let known = wishes.locale.to_ascii_lowercase().starts_with(chosen.tag());
    let language = |one: Language| {
        // A tag with more parts stays as it is while its language does.
        let own = one == chosen && known;
        let value = if own { &*wishes.locale } else { one.tag() };
        context! { tag => value, name => one.name(), chosen => one == chosen }
    };
    context! {
        languages => Language::ALL.into_iter().map(language).collect::<Vec<_>>(),
        reminder => wishes.reminder,
        notices => wishes.notices,
    }
}

/// While it is being paid, also where the outcome is not known: the provider is asked first.
fn can_cancel(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Created | OrderStatus::AwaitingPayment | OrderStatus::Processing
    )
}

/// There are tickets, some of them valid and of these.
fn has_tickets(order: &Order, these: impl Fn(&Ticket) -> bool) -> bool {
    let valid = |ticket: &Ticket| ticket.status == TicketStatus::Valid && these(ticket);
    matches!(
        order.status,
        OrderStatus::Fulfilled | OrderStatus::PartiallyRefunded
    ) && order.tickets.iter().any(valid)
}

/// Something was bought, whatever became of it.
fn was_paid(order: &Order) -> bool {
    let paid = |entry: &TimelineEntry| entry.what == PAID;
    order.timeline.iter().any(paid)
}

/// What was handed on has no code here, and stands on no document.
fn is_own(ticket: &Ticket) -> bool {
    !ticket.code.is_empty()
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
