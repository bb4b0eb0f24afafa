//! The money came, but there were no tickets for it.

use base::Money;
use proto::event::OrderUnfulfillable;

use crate::{
    error::Error,
    facts::{self, Facts},
    render::{ARRIVES, About, Letter},
};

pub(crate) struct Unfulfillable {
    pub about: About,
    refund: Money,
    reason: String,
}

impl Unfulfillable {
    pub fn read(facts: &Facts, message: &OrderUnfulfillable) -> Result<Self, Error> {
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            refund: facts::refund("refund", message.refund.as_ref())?,
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
        Letter {
            about: &self.about,
            subject: format!("No tickets for {title}: your money comes back"),
            headline: "Your money comes back".to_owned(),
            paragraphs: vec![
                format!("Your payment for {title} arrived, but {why}. We are sorry."),
                "This order has no tickets: nothing in it admits anyone.".to_owned(),
                format!("{} is on its way back to you. {ARRIVES}", self.refund),
            ],
            quote: None,
            amounts: vec![
                ("Order total", self.about.total),
                ("Comes back", self.refund),
            ],
        }
    }
}
