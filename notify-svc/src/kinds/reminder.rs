//! The event begins soon.

use minijinja::context;
use proto::event::OrderReminder;

use crate::{
    error::Error,
    facts::{self, Facts},
    render::{About, Letter},
};

pub(crate) struct Reminder {
    pub about: About,
    pub revision: i32,
    pub(super) tickets: u32,
}

impl Reminder {
    pub fn read(facts: &Facts, message: &OrderReminder) -> Result<Self, Error> {
        if message.tickets == 0 {
            return Err(Error::field("tickets", "must be 1 or more"));
        }
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            revision: facts::revision(message.number)?,
            tickets: message.tickets,
        })
    }

    pub fn letter(&self) -> Letter {
        let about = &self.about;
        let facts = context! { tickets => self.tickets };
        about.letter(facts, about.parts_with_lead())
    }
}
