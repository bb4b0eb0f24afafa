//! The event was cancelled, and the order with it.

use base::Money;
use minijinja::context;
use proto::event::OrderCancelled;

use super::refund_rows;
use crate::{
    error::Error,
    facts::{self, Facts},
    render::{About, Letter, Parts, Quote},
};

pub(crate) struct Cancelled {
    pub about: About,
    pub(super) explanation: String,
    /// None where nothing had been paid.
    pub(super) refund: Option<Money>,
}

impl Cancelled {
    pub fn read(facts: &Facts, message: &OrderCancelled) -> Result<Self, Error> {
        let refund = message.refund.as_ref();
        let refund = refund.map(|refund| facts::refund("refund", Some(refund)));
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            explanation: message.explanation.clone(),
            refund: refund.transpose()?,
        })
    }

    pub fn letter(&self) -> Letter {
        let about = &self.about;
        let facts = context! {
            refund => self.refund.map(|refund| about.money(refund)).unwrap_or_default(),
        };
        let parts = Parts {
            quote: Quote::of(about.words().organiser_says, &self.explanation),
            ..about.parts().rows(refund_rows(about, self.refund))
        };
        about.letter(facts, parts)
    }
}
