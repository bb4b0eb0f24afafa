//! What the page of an order says to its guest.

use base::Language;

use super::{table::Says as _, words};
use crate::rest::types::{Order, OrderStatus, Refund, RefundReason, RefundStatus, TimelineEntry};

const NO_TICKETS: &str = "said.no_tickets";

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
pub fn status(language: Language, status: OrderStatus) -> &'static str {
    language.say(match status {
        OrderStatus::Created | OrderStatus::AwaitingPayment => "status.open",
        OrderStatus::Processing => "status.processing",
        OrderStatus::Paid => "status.paid",
        OrderStatus::Fulfilled => "status.fulfilled",
        OrderStatus::PartiallyRefunded => "status.partially_refunded",
        OrderStatus::Refunded => "status.refunded",
        OrderStatus::Expired | OrderStatus::Cancelled => "status.ended",
        OrderStatus::Mismatch => "status.mismatch",
        OrderStatus::Unfulfillable => "status.unfulfillable",
    })
}

/// Title and sentence of an order's page.
pub fn order(
    language: Language,
    order: &Order,
    can_pay: bool,
    declined: bool,
) -> (&'static str, &'static str) {
    let (title, sentence) = keys(order, can_pay, declined);
    (language.say(title), language.say(sentence))
}

fn keys(order: &Order, can_pay: bool, declined: bool) -> (&'static str, &'static str) {
    let something_came = order
        .payment
        .as_ref()
        .is_some_and(|payment| payment.captured.is_some());
    if event_cancelled(order) {
        let sentence = match order.status {
            OrderStatus::Refunded => "said.all_sent_back",
            _ if is_free(order) => "said.invalid_free",
            _ => "said.invalid_back",
        };
        return ("said.event_cancelled", sentence);
    }
    if guest_cancelled(order) {
        let sentence = match order.status {
            OrderStatus::Refunded => "said.you_cancelled_all",
            _ if is_free(order) => "said.you_cancelled_free",
            _ => "said.you_cancelled",
        };
        return ("said.cancelled", sentence);
    }
    match order.status {
        OrderStatus::AwaitingPayment if declined => ("said.not_paid", "said.declined"),
        OrderStatus::AwaitingPayment if something_came => ("said.part_paid", "said.part_here"),
        OrderStatus::AwaitingPayment if can_pay => ("said.not_paid", "said.set_aside"),
        OrderStatus::Expired if something_came => ("said.over", "said.over_part"),
        OrderStatus::Cancelled if something_came => ("said.cancelled", "said.cancelled_part"),
        OrderStatus::Unfulfillable if is_free(order) => (NO_TICKETS, "said.no_tickets_free"),
        status => plainly(status),
    }
}

/// There was nothing to pay, so nothing goes back.
pub fn is_free(order: &Order) -> bool {
    order.total_amount.amount_minor == 0
}

fn plainly(status: OrderStatus) -> (&'static str, &'static str) {
    match status {
        OrderStatus::Created => ("said.moment", "said.setting_aside"),
        OrderStatus::AwaitingPayment => ("said.moment", "said.preparing"),
        OrderStatus::Processing => ("said.bank", "said.bank_text"),
        OrderStatus::Paid => ("said.paid", "said.paid_text"),
        OrderStatus::Fulfilled => ("said.tickets", "said.complete"),
        OrderStatus::PartiallyRefunded => ("said.tickets", "said.part_refunded"),
        OrderStatus::Refunded => ("said.refunded", "said.refunded_text"),
        OrderStatus::Expired => ("said.over", "said.over_text"),
        OrderStatus::Cancelled => ("said.cancelled", "said.cancelled_text"),
        OrderStatus::Mismatch => ("said.mismatch", "said.mismatch_text"),
        OrderStatus::Unfulfillable => (NO_TICKETS, "said.no_tickets_back"),
    }
}

/// How a refund stands, for its guest: how often a provider said no is not their matter.
pub fn refund(language: Language, refund: &Refund) -> &'static str {
    language.say(match refund.status {
        _ if refund.withdrawn => "refund.not_sent",
        RefundStatus::Requested | RefundStatus::Submitted | RefundStatus::Failed => {
            "refund.on_its_way"
        }
        RefundStatus::FailedFinal => "refund.by_hand",
        RefundStatus::Succeeded | RefundStatus::External => "refund.sent",
    })
}

/// Why, where the note does not say it.
pub fn why(language: Language, reason: RefundReason) -> Option<&'static str> {
    let key = match reason {
        RefundReason::Requested => return None,
        RefundReason::Unfulfillable => "refund.unfulfillable",
        RefundReason::SecondPayment => "refund.second_payment",
        RefundReason::Overpaid => "refund.overpaid",
        RefundReason::OrderEnded => "refund.order_ended",
        RefundReason::Mismatch => "refund.mismatch",
        RefundReason::EventCancelled => "refund.event_cancelled",
        RefundReason::GuestCancelled => "refund.guest_cancelled",
        RefundReason::External => "refund.external",
    };
    Some(language.say(key))
}

/// An entry of the story, which the service tells in English.
pub fn told(language: Language, entry: &TimelineEntry) -> String {
    if language == Language::En {
        // The sentence says it better than the word.
        return match entry.detail.as_str() {
            "" => words::capitalised(&entry.what),
            detail => detail.to_owned(),
        };
    }
    let by_word = || language.find(&format!("timeline.{}", entry.what));
    let known = language.translate(&entry.detail).or_else(by_word);
    known.unwrap_or(language.say("timeline.other")).to_owned()
}
