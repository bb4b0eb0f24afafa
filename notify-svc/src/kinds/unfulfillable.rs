//! The order was paid, or cost nothing, but there were no tickets for it.

use base::Money;
use proto::event::OrderUnfulfillable;

use crate::{
    error::Error,
    facts::{self, Facts},
    render::{ARRIVES, About, Letter},
};

pub(crate) struct Unfulfillable {
    pub about: About,
    /// None where nothing had been paid.
    refund: Option<Money>,
    reason: String,
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

    pub fn letter(&self) -> Letter<'_> {
        let title = &self.about.event.title;
        // The word may be one that this version does not know.
        let why = match self.reason.as_str() {
            "SOLD_OUT" => "there were no tickets left",
            "EVENT_NOT_ACTIVE" => "the event had been cancelled or taken off sale",
            _ => "tickets could no longer be issued for it",
        };
        let none = "This order has no tickets: nothing in it admits anyone.".to_owned();
        let Some(refund) = self.refund else {
            let nothing = "Nothing had been paid for this order, so no money moves. You need not do \
                           anything.";
            return Letter {
                about: &self.about,
                subject: format!("No tickets for {title}"),
                headline: "There are no tickets for your order".to_owned(),
                paragraphs: vec![
                    format!("Your order for {title} arrived, but {why}. We are sorry."),
                    none,
                    nothing.to_owned(),
                ],
                quote: None,
                amounts: Vec::new(),
            };
        };
        Letter {
            about: &self.about,
            subject: format!("No tickets for {title}: your money comes back"),
            headline: "Your money comes back".to_owned(),
            paragraphs: vec![
                format!("Your payment for {title} arrived, but {why}. We are sorry."),
                none,
                format!("{refund} is on its way back to you. {ARRIVES}"),
            ],
            quote: None,
            amounts: vec![("Order total", self.about.total), ("Comes back", refund)],
        }
    }
}
