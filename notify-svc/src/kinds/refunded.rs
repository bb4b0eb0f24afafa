//! Money goes back. Each refund is told once, and its cause decides the words.

use base::{Money, RefundId};
use proto::event::{OrderRefunded, RefundCause};

use crate::{
    error::Error,
    facts::{self, Facts, parse},
    render::{ARRIVES, About, Letter, Quote},
};

pub(crate) struct Refunded {
    pub about: About,
    pub revision: i32,
    amount: Money,
    cause: Cause,
    note: String,
    voided_tickets: u32,
    complete: bool,
}

/// The contract's causes, without the unspecified one.
enum Cause {
    Requested,
    SecondPayment,
    Overpaid,
    OrderEnded,
    Mismatch,
}

impl Refunded {
    pub fn read(facts: &Facts, message: &OrderRefunded) -> Result<Self, Error> {
        // One refund is one revision.
        parse::<RefundId>("refund_id", &message.refund_id)?;
        let revision = message.number.checked_sub(1);
        let revision = revision.and_then(|revision| i32::try_from(revision).ok());
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            revision: revision.ok_or_else(|| Error::field("number", "must be 1 or more"))?,
            amount: facts::refund("amount", message.amount.as_ref())?,
            cause: cause(message.cause())?,
            note: message.note.clone(),
            voided_tickets: message.voided_tickets,
            complete: message.complete,
        })
    }

    pub fn letter(&self) -> Letter<'_> {
        let (gone, title) = (self.has_left(), &self.about.event.title);
        let mut paragraphs = vec![format!("{} {ARRIVES}", self.why()), self.tickets()];
        if self.complete {
            paragraphs.push("With this, nothing of what you paid is left with us.".to_owned());
        }
        Letter {
            about: &self.about,
            subject: if gone {
                format!("We sent back {} for {title}", self.amount)
            } else {
                format!("{} for {title} is on its way back", self.amount)
            },
            headline: if gone {
                "Your money has been sent back".to_owned()
            } else {
                "Money is on its way back to you".to_owned()
            },
            paragraphs,
            quote: Quote::of("What the seller says", &self.note),
            amounts: vec![
                ("Order total", self.about.total),
                if gone {
                    ("Sent back", self.amount)
                } else {
                    ("On its way back", self.amount)
                },
            ],
        }
    }

    /// What an admin sends back is told when it has left; the others while they are on their way.
    const fn has_left(&self) -> bool {
        matches!(self.cause, Cause::Requested)
    }

    fn why(&self) -> String {
        let (amount, title) = (self.amount, &self.about.event.title);
        match self.cause {
            Cause::Requested => format!("We have sent back {amount} of your order for {title}."),
            Cause::SecondPayment => format!(
                "Your order for {title} was paid already when another payment arrived. \
                 These {amount} are on their way back to you."
            ),
            Cause::Overpaid => format!(
                "More money arrived than your order for {title} costs. \
                 The difference of {amount} is on its way back to you."
            ),
            Cause::OrderEnded => format!(
                "A part of the money for {title} arrived, but the time to pay the rest is over and \
                 the order has ended. These {amount} are on their way back to you."
            ),
            Cause::Mismatch => format!(
                "The payment that arrived for {title} is not the one your order asked for, so it \
                 could not be used. These {amount} are on their way back to you."
            ),
        }
    }

    fn tickets(&self) -> String {
        match (&self.cause, self.voided_tickets) {
            (Cause::OrderEnded | Cause::Mismatch, 0) => {
                "No tickets were issued for this payment.".to_owned()
            }
            (_, 0) => "This changes none of your tickets.".to_owned(),
            (_, 1) => "1 ticket is void now and admits nobody any more. Your order page shows \
                       which one."
                .to_owned(),
            (_, count) => format!(
                "{count} tickets are void now and admit nobody any more. Your order page shows \
                 which ones."
            ),
        }
    }
}

fn cause(cause: RefundCause) -> Result<Cause, Error> {
    match cause {
        RefundCause::Unspecified => Err(Error::field("cause", "must name a cause")),
        RefundCause::Requested => Ok(Cause::Requested),
        RefundCause::SecondPayment => Ok(Cause::SecondPayment),
        RefundCause::Overpaid => Ok(Cause::Overpaid),
        RefundCause::OrderEnded => Ok(Cause::OrderEnded),
        RefundCause::Mismatch => Ok(Cause::Mismatch),
    }
}
