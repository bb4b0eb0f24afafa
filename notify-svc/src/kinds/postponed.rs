//! The event has a new date. The tickets stay good.

use minijinja::context;
use proto::event::OrderPostponed;
use time::OffsetDateTime;

use crate::{
    error::Error,
    facts::{self, Facts},
    render::{About, Letter, Parts, Quote, Row},
};

pub(crate) struct Postponed {
    pub about: About,
    pub revision: i32,
    pub(super) previous: OffsetDateTime,
    pub(super) explanation: String,
    /// None where the event does not let guests cancel.
    pub(super) cancel_until: Option<OffsetDateTime>,
}

impl Postponed {
    pub fn read(facts: &Facts, message: &OrderPostponed) -> Result<Self, Error> {
        let previous = message.previous_date_time.as_ref();
        let until = message.cancel_until.as_ref();
        let until = until.map(|until| facts::moment("cancel_until", Some(until)));
        Ok(Self {
            about: facts.about(message.order.as_ref())?,
            revision: facts::revision(message.number)?,
            previous: facts::moment("previous_date_time", previous)?,
            explanation: message.explanation.clone(),
            cancel_until: until.transpose()?,
        })
    }

    pub fn letter(&self) -> Letter {
        let (about, words) = (&self.about, self.about.words());
        let moment = |at| about.moment(at);
        let previous = moment(self.previous);
        let facts = context! {
            previous => previous.as_str(),
            cancel_until => self.cancel_until.map(moment).unwrap_or_default(),
        };
        let parts = Parts {
            quote: Quote::of(words.organiser_says, &self.explanation),
            ..about.parts().rows(vec![
                Row::new(words.old_date, previous.clone()),
                Row::new(words.new_date, about.starts_at()),
            ])
        };
        about.letter(facts, parts)
    }
}
