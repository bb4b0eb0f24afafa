//! The story of an order, as its guest may read it.

use super::order_state::OrderStatus;

/// Reasons of entries that move nothing.
pub const PAYMENT_STARTED: &str = "payment_started";
pub const PAYMENT_FAILED: &str = "payment_failed";
pub const PAYMENT_REFUSED: &str = "payment_refused";
pub const PART_PAYMENT: &str = "part_payment";
pub const SECOND_PAYMENT: &str = "second_payment";
/// Of an order that had cost nothing; the others end, or have refunds that say so.
pub const EVENT_CANCELLED: &str = "event_cancelled";
/// Its guest is told, where there are tickets for the date of before.
pub const EVENT_POSTPONED: &str = "event_postponed";
pub const RECEIPT_SENT: &str = "receipt_sent";
/// Of a paid order, by the rule of its event.
pub const GUEST_CANCELLED: &str = "guest_cancelled";
pub const ADDRESS_CORRECTED: &str = "address_corrected";
/// A ticket is about to be somebody else's, is, or stays.
pub const TICKET_LEAVES: &str = "ticket_leaves";
pub const TICKET_HANDED_ON: &str = "ticket_handed_on";
pub const TICKET_NOT_HANDED_ON: &str = "ticket_not_handed_on";

/// A refund was paid out, and the guest's bank did not take it.
pub const MONEY_CAME_BACK: &str = "money_came_back";

/// The word and the sentence for one entry; none for what says nothing to a guest.
pub fn tell(
    from: Option<OrderStatus>,
    to: OrderStatus,
    reason: &str,
) -> Option<(&'static str, String)> {
    if from == Some(to) {
        return note(reason);
    }
    if reason == MONEY_CAME_BACK {
        let sentence = "Your bank did not take the money; we will pay it out in another way.";
        return Some((MONEY_CAME_BACK, sentence.to_owned()));
    }
    let sentence = match to {
        OrderStatus::Created => "We have your order.",
        OrderStatus::AwaitingPayment if from == Some(OrderStatus::Processing) => {
            "The payment did not go through. You can try again."
        }
        OrderStatus::AwaitingPayment => "Your tickets are set aside while you pay.",
        OrderStatus::Processing => "The payment is being processed.",
        OrderStatus::Paid => "Your payment has arrived.",
        OrderStatus::Fulfilled => "Your tickets are ready.",
        OrderStatus::PartiallyRefunded => "Part of the money was sent back.",
        OrderStatus::Refunded => "The money was sent back.",
        OrderStatus::Expired => "The time to pay is over; the tickets are free again.",
        OrderStatus::Cancelled if reason == "guest" => "You cancelled the order.",
        OrderStatus::Cancelled if reason == EVENT_CANCELLED => "The event was cancelled.",
        OrderStatus::Cancelled if reason == "payment_rejected" => "The payment did not arrive.",
        OrderStatus::Cancelled => "The order could not go on.",
        OrderStatus::Mismatch => "The payment differs from the order; we are looking at it.",
        OrderStatus::Unfulfillable => match reason {
            "SOLD_OUT" => "The tickets were sold before your order was complete.",
            "EVENT_NOT_ACTIVE" => "The event was cancelled before your order was complete.",
            _ => "No tickets could be issued for your order any more.",
        },
    };
    Some((to.word(), sentence.to_owned()))
}

fn note(reason: &str) -> Option<(&'static str, String)> {
    let (what, sentence) = match reason {
        PAYMENT_STARTED => (PAYMENT_STARTED, "A payment was started."),
        PAYMENT_FAILED => (
            PAYMENT_FAILED,
            "The payment was declined. You can try again.",
        ),
        PAYMENT_REFUSED => (
            PAYMENT_REFUSED,
            "The payment could not be started. You can try again, or pay in another way.",
        ),
        PART_PAYMENT => (PART_PAYMENT, "A part of the money has arrived."),
        SECOND_PAYMENT => (
            SECOND_PAYMENT,
            "A second payment arrived; it will be returned.",
        ),
        EVENT_CANCELLED => (EVENT_CANCELLED, "The event was cancelled."),
        EVENT_POSTPONED => (EVENT_POSTPONED, "The event has a new date."),
        RECEIPT_SENT => (RECEIPT_SENT, "The receipt was sent again."),
        GUEST_CANCELLED => (GUEST_CANCELLED, "You cancelled the order."),
        ADDRESS_CORRECTED => (ADDRESS_CORRECTED, "The order goes to another address."),
        TICKET_HANDED_ON => (TICKET_HANDED_ON, "A ticket was handed on."),
        TICKET_NOT_HANDED_ON => (
            TICKET_NOT_HANDED_ON,
            "A ticket could not be handed on: it was not valid any more.",
        ),
        "refund_requested" => ("refund_requested", "Money is being sent back to you."),
        "refund_succeeded" => ("refund_succeeded", "The money is on its way to you."),
        "refund_failed" => (
            "refund_failed",
            "Sending the money back failed; we are looking at it.",
        ),
        _ => return None,
    };
    Some((what, sentence.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_told_and_unknown_notes_are_not() {
        for from in OrderStatus::ALL {
            for to in from.next() {
                assert!(tell(Some(from), *to, "").is_some());
            }
            assert_eq!(tell(Some(from), from, "something internal"), None);
        }
        for reason in ["SOLD_OUT", "EVENT_NOT_ACTIVE", "ORDER_NOT_OPEN"] {
            let (_, sentence) =
                tell(Some(OrderStatus::Paid), OrderStatus::Unfulfillable, reason).unwrap();
            assert_eq!(sentence.contains("sold"), reason == "SOLD_OUT");
            assert_eq!(sentence.contains("cancelled"), reason == "EVENT_NOT_ACTIVE");
        }
        let note = tell(
            Some(OrderStatus::Fulfilled),
            OrderStatus::Fulfilled,
            EVENT_CANCELLED,
        );
        assert_eq!(note.unwrap().0, "event_cancelled");
        let (what, detail) = tell(None, OrderStatus::Created, "").unwrap();
        assert_eq!((what, detail.as_str()), ("created", "We have your order."));
    }
}
