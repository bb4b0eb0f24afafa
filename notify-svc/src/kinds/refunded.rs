//! Money goes back. Each refund is told once, and its cause decides the words.

use base::{Money, RefundId};
use minijinja::context;
use proto::event::{OrderRefunded, RefundCause};

use super::total_row;
use crate::{
    error::Error,
    facts::{self, Facts, parse},
    render::{About, Letter, Parts, Quote, Row},
};

pub(crate) struct Refunded {
    pub about: About,
    pub revision: i32,
    pub(super) amount: Money,
    pub(super) cause: Cause,
    pub(super) note: String,
    pub(super) voided_tickets: u32,
    pub(super) complete: bool,
}

/// The contract's causes, without the unspecified one.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    Requested,
    SecondPayment,
    Overpaid,
    OrderEnded,
    Mismatch,
}

impl Cause {
    pub const ALL: [Self; 5] = [
        Self::Requested,
        Self::SecondPayment,
        Self::Overpaid,
        Self::OrderEnded,
        Self::Mismatch,
    ];

    /// As templates know it.
    const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::SecondPayment => "second_payment",
            Self::Overpaid => "overpaid",
            Self::OrderEnded => "order_ended",
            Self::Mismatch => "mismatch",
        }
    }
}

impl Refunded {
    pub fn read(facts: &Facts, message: &OrderRefunded) -> Result<Self, Error> {
        // One refund is one revision.
        parse::<RefundId>("refund_id", &message.refund_id)?;
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            revision: facts::revision(message.number)?,
            amount: facts::refund("amount", message.amount.as_ref())?,
            cause: cause(message.cause())?,
            note: message.note.clone(),
            voided_tickets: message.voided_tickets,
            complete: message.complete,
        })
    }

    pub fn letter(&self) -> Letter {
        let (about, words) = (&self.about, self.about.words());
        let amount = about.money(self.amount);
        let has_left = self.has_left();
        let facts = context! {
            amount => amount.as_str(),
            cause => self.cause.word(),
            has_left,
            voided_tickets => self.voided_tickets,
            complete => self.complete,
        };
        let mut rows = total_row(about);
        let label = if has_left {
            words.sent_back
        } else {
            words.on_its_way
        };
        rows.push(Row::new(label, amount.clone()));
        let parts = Parts {
            quote: Quote::of(words.seller_says, &self.note),
            ..about.parts().rows(rows)
        };
        about.letter(facts, parts)
    }

    /// What an admin sends back is told when it has left; the others while they are on their way.
    const fn has_left(&self) -> bool {
        matches!(self.cause, Cause::Requested)
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
