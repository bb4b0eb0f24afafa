//! News of the event of tickets that were handed on: a new date, the end of it, or that it begins soon. Told to
//! whom they belong now, who paid nothing and cannot cancel anything.

use minijinja::context;
use proto::event::{TicketNews as Message, TicketNewsKind};
use time::OffsetDateTime;

use crate::{
    error::Error,
    facts::{self, Facts},
    render::{self, About, File, Letter, Parts, Quote, Row},
};

pub(crate) struct TicketNews {
    pub about: About,
    pub revision: i32,
    pub(super) tickets: u32,
    pub(super) explanation: String,
    pub(super) news: News,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Postponed { previous: OffsetDateTime },
    Cancelled,
    Soon,
}

impl TicketNews {
    pub fn read(facts: &Facts, message: &Message) -> Result<Self, Error> {
        if message.tickets == 0 {
            return Err(Error::field("tickets", "must be 1 or more"));
        }
        let news = match message.kind() {
            TicketNewsKind::Postponed => News::Postponed {
                previous: facts::moment("previous_date_time", message.previous_date_time.as_ref())?,
            },
            TicketNewsKind::Cancelled => News::Cancelled,
            TicketNewsKind::Reminder => News::Soon,
            TicketNewsKind::Unspecified => {
                return Err(Error::field("kind", "is unknown to this version"));
            }
        };
        Ok(Self {
            about: facts.about_without_total(message.order.as_ref())?,
            revision: facts::revision(message.number)?,
            tickets: message.tickets,
            explanation: message.explanation.clone(),
            news,
        })
    }

    /// A reminder of what has begun only confuses; the others stay true.
    pub const fn useful_until(&self) -> Option<OffsetDateTime> {
        match self.news {
            News::Soon => Some(self.about.event.starts_at),
            News::Postponed { .. } | News::Cancelled => None,
        }
    }

    pub fn letter(&self) -> Letter {
        let (about, words) = (&self.about, self.about.words());
        let previous = match self.news {
            News::Postponed { previous } => about.moment(previous),
            News::Cancelled | News::Soon => String::new(),
        };
        let facts = context! {
            news => match self.news {
                News::Postponed { .. } => "postponed",
                News::Cancelled => "cancelled",
                News::Soon => "soon",
            },
            previous => previous.as_str(),
            tickets => self.tickets,
        };
        let quote = Quote::of(words.organiser_says, &self.explanation);
        let parts = match self.news {
            News::Postponed { .. } => about.parts().rows(vec![
                Row::new(words.old_date, previous.clone()),
                Row::new(words.new_date, about.starts_at()),
            ]),
            // Its link would open a ticket that is void.
            News::Cancelled => Parts {
                link: None,
                ..about.parts()
            },
            News::Soon => about.parts_with_lead(),
        };
        about.letter(facts, Parts { quote, ..parts })
    }

    pub fn files(&self, date: OffsetDateTime) -> Vec<File> {
        match self.news {
            News::Soon => Vec::new(),
            news => vec![render::date_file(
                &self.about,
                date,
                news == News::Cancelled,
            )],
        }
    }
}
