//! The order was paid, or cost nothing, but there were no tickets for it.

use base::Money;
use minijinja::context;
use proto::event::OrderUnfulfillable;

use super::refund_rows;
use crate::{
    error::Error,
    facts::{self, Facts},
    render::{About, Letter},
};

pub(crate) struct Unfulfillable {
    pub about: About,
    /// None where nothing had been paid.
    pub(super) refund: Option<Money>,
    /// A word that this version may not know.
    pub(super) reason: String,
}

impl Unfulfillable {
    pub fn read(facts: &Facts, message: &OrderUnfulfillable) -> Result<Self, Error> {
        let refund = message.refund.as_ref();
        let refund = refund.map(|refund| facts::refund("refund", Some(refund)));
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            refund: refund.transpose()?,
            reason: message.reason.clone(),
        })
    }

    pub fn letter(&self) -> Letter {
        let about = &self.about;
        let reason = match self.reason.as_str() {
            "SOLD_OUT" => "sold_out",
            "EVENT_NOT_ACTIVE" => "not_active",
            _ => "other",
        };
        let facts = context! {
            reason,
            refund => self.refund.map(|refund| about.money(refund)).unwrap_or_default(),
        };
        about.letter(facts, about.parts().rows(refund_rows(about, self.refund)))
    }
}
