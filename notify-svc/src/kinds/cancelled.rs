//! The event was cancelled, and the order with it.

use base::Money;
use proto::event::OrderCancelled;

use crate::{
    error::Error,
    facts::{self, Facts},
    render::{ARRIVES, About, Letter, Quote},
};

pub(crate) struct Cancelled {
    pub about: About,
    explanation: String,
    /// None where nothing had been paid.
    refund: Option<Money>,
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

    pub fn letter(&self) -> Letter<'_> {
        let event = &self.about.event;
        let money = match self.refund {
            Some(refund) => format!("{refund} is on its way back to you. {ARRIVES}"),
            None => "Nothing had been paid for this order, so no money moves. You need not do \
                     anything."
                .to_owned(),
        };
        Letter {
            about: &self.about,
            subject: format!("Cancelled: {}", event.title),
            headline: "This event was cancelled".to_owned(),
            paragraphs: vec![
                format!(
                    "{} on {} does not take place. We are sorry. Your order was cancelled with it, \
                     and any tickets of it are void.",
                    event.title,
                    event.starts_at_text(),
                ),
                money,
            ],
            quote: Quote::of("What the organiser says", &self.explanation),
            amounts: self.refund.map_or_else(Vec::new, |refund| {
                vec![("Order total", self.about.total), ("Comes back", refund)]
            }),
        }
    }
}
