//! What the page of an order says to its guest.

use crate::rest::types::{Order, OrderStatus, Refund, RefundReason, RefundStatus, TimelineEntry};

const NO_TICKETS: &str = "Sorry, there are no tickets for this order";

/// What the timeline says where the order had cost nothing.
const EVENT_CANCELLED: &str = "event_cancelled";
const GUEST_CANCELLED: &str = "guest_cancelled";

/// The concert was cancelled, and the order with it.
pub fn event_cancelled(order: &Order) -> bool {
    let cancelled = |refund: &Refund| refund.reason == RefundReason::EventCancelled;
    let told = |entry: &TimelineEntry| entry.what == EVENT_CANCELLED;
    order.refunds.iter().any(cancelled) || order.timeline.iter().any(told)
}

/// Its guest cancelled what was paid.
pub fn guest_cancelled(order: &Order) -> bool {
    order
        .timeline
        .iter()
        .any(|entry| entry.what == GUEST_CANCELLED)
}

/// How an order stands, in a list.
pub fn status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Created | OrderStatus::AwaitingPayment => "not paid yet",
        OrderStatus::Processing => "the payment is being processed",
        OrderStatus::Paid => "paid",
        OrderStatus::Fulfilled => "your tickets are ready",
        OrderStatus::PartiallyRefunded => "partly refunded",
        OrderStatus::Refunded => "refunded",
        OrderStatus::Expired | OrderStatus::Cancelled => "ended",
        OrderStatus::Mismatch => "being looked into",
        OrderStatus::Unfulfillable => "the money goes back",
    }
}

/// Title and sentence of an order's page.
pub fn order(order: &Order, can_pay: bool, declined: bool) -> (&'static str, &'static str) {
    let something_came = order
        .payment
        .as_ref()
        .is_some_and(|payment| payment.captured.is_some());
    if event_cancelled(order) {
        let sentence = match order.status {
            OrderStatus::Refunded => "All of your money was sent back.",
            _ if is_free(order) => "Your tickets are no longer valid. You had nothing to pay.",
            _ => "Your tickets are no longer valid. All of your money goes back to you.",
        };
        return ("Sorry, the concert was cancelled", sentence);
    }
    if guest_cancelled(order) {
        let sentence = match order.status {
            OrderStatus::Refunded => "You cancelled this order. All of your money was sent back.",
            _ if is_free(order) => "You cancelled this order. You had nothing to pay.",
            _ => "You cancelled this order. What goes back to you stands below.",
        };
        return ("Cancelled", sentence);
    }
    match order.status {
        OrderStatus::AwaitingPayment if declined => (
            "Not paid yet",
            "The payment was declined. Nothing was charged, and your tickets are still set aside.",
        ),
        OrderStatus::AwaitingPayment if something_came => (
            "Not all paid yet",
            "A part of your payment has arrived. Your tickets are set aside until the rest is here.",
        ),
        OrderStatus::AwaitingPayment if can_pay => (
            "Not paid yet",
            "Your tickets are set aside until the payment is done.",
        ),
        OrderStatus::Expired if something_came => (
            "Time ran out",
            "The time to pay is over. What had arrived goes back to you.",
        ),
        OrderStatus::Cancelled if something_came => (
            "Cancelled",
            "This order is cancelled. What had arrived goes back to you.",
        ),
        OrderStatus::Unfulfillable if is_free(order) => (
            NO_TICKETS,
            "No tickets could be issued for this order any more. You had nothing to pay.",
        ),
        status => plainly(status),
    }
}

/// There was nothing to pay, so nothing goes back.
pub fn is_free(order: &Order) -> bool {
    order.total_amount.amount_minor == 0
}

fn plainly(status: OrderStatus) -> (&'static str, &'static str) {
    match status {
        OrderStatus::Created => ("One moment", "We are setting your tickets aside."),
        OrderStatus::AwaitingPayment => ("One moment", "We are preparing your payment."),
        OrderStatus::Processing => (
            "Your bank is still deciding",
            "The payment provider has not told us the outcome yet. Your tickets stay set aside \
             meanwhile. Please do not pay again.",
        ),
        OrderStatus::Paid => (
            "Payment received",
            "Your tickets are being made. This takes a moment.",
        ),
        OrderStatus::Fulfilled => (
            "Your tickets",
            "Your order is complete. Show the code of each ticket at the door. A receipt is on its way to you by mail.",
        ),
        OrderStatus::PartiallyRefunded => (
            "Your tickets",
            "Part of your money was sent back. The tickets that are still valid get you in.",
        ),
        OrderStatus::Refunded => ("Refunded", "Your money was sent back."),
        OrderStatus::Expired => (
            "Time ran out",
            "The time to pay is over. Nothing was charged, and the tickets are free again.",
        ),
        OrderStatus::Cancelled => ("Cancelled", "This order is cancelled. Nothing was charged."),
        OrderStatus::Mismatch => (
            "We are looking into it",
            "What arrived differs from what was asked. We are checking it and will write to you.",
        ),
        OrderStatus::Unfulfillable => (
            NO_TICKETS,
            "When your payment arrived, no tickets could be issued any more. All of your money goes \
             back to you.",
        ),
    }
}

/// How a refund stands, for its guest: how often a provider said no is not their matter.
pub fn refund(refund: &Refund) -> &'static str {
    match refund.status {
        _ if refund.withdrawn => "Not sent back",
        RefundStatus::Requested | RefundStatus::Submitted | RefundStatus::Failed => "On its way",
        RefundStatus::FailedFinal => "Will be paid out by hand",
        RefundStatus::Succeeded | RefundStatus::External => "Sent back",
    }
}

/// Why, where the note does not say it.
pub fn why(reason: RefundReason) -> Option<&'static str> {
    match reason {
        RefundReason::Requested => None,
        RefundReason::Unfulfillable => Some("No tickets could be issued any more."),
        RefundReason::SecondPayment => Some("The order had been paid before."),
        RefundReason::Overpaid => Some("More had arrived than was asked for."),
        RefundReason::OrderEnded => Some("The time to pay the rest was over."),
        RefundReason::Mismatch => Some("What had arrived differed from the order."),
        RefundReason::EventCancelled => Some("The concert was cancelled."),
        RefundReason::GuestCancelled => Some("You cancelled the order."),
        RefundReason::External => Some("The organiser sent it back."),
    }
}
