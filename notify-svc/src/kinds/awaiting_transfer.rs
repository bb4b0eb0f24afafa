//! The order waits for a bank transfer: how much, until when, and where to.

use base::Money;
use minijinja::context;
use proto::event::OrderAwaitingTransfer;
use time::OffsetDateTime;

use super::total_row;
use crate::{
    error::Error,
    facts::{self, Facts},
    render::{self, About, Letter, Panel, Parts, Row, one_line},
};

pub(crate) struct AwaitingTransfer {
    pub about: About,
    pub revision: i32,
    pub(super) due: Money,
    pub(super) pay_by: OffsetDateTime,
    pub(super) instructions: String,
    pub(super) reference: String,
}

impl AwaitingTransfer {
    pub fn read(facts: &Facts, message: &OrderAwaitingTransfer) -> Result<Self, Error> {
        let due = facts::money("due", message.due.as_ref())?;
        if due.amount_minor <= 0 {
            return Err(Error::field("due", "must be more than nothing"));
        }
        if message.reference.trim().is_empty() {
            return Err(Error::field("reference", "is missing"));
        }
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            revision: facts::revision(message.number)?,
            due,
            pay_by: facts::moment("pay_by", message.pay_by.as_ref())?,
            instructions: message.instructions.clone(),
            reference: message.reference.clone(),
        })
    }

    pub fn letter(&self) -> Letter {
        let (about, words) = (&self.about, self.about.words());
        let (due, reference) = (about.money(self.due), one_line(&self.reference));
        let pay_by = about.moment(self.pay_by);
        let facts = context! {
            due => due.as_str(),
            pay_by => pay_by.as_str(),
            reference => reference.as_str(),
            part_arrived => self.revision > 0,
        };
        let panel = Panel {
            title: words.bank_details,
            lines: render::lines(&self.instructions),
            rows: vec![
                Row::new(words.reference, reference.clone()),
                Row::new(words.pay_until, pay_by.clone()),
            ],
        };
        let mut rows = total_row(about);
        rows.push(Row::new(words.still_missing, due.clone()));
        let parts = Parts {
            panel: Some(panel),
            ..about.parts().rows(rows)
        };
        about.letter(facts, parts)
    }
}
