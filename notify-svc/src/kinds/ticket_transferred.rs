//! A ticket was handed on. Told to whom it belongs now, with the ticket.

use base::{Currency, Money};
use minijinja::context;
use proto::{ConvertError, event::TicketTransferred};
use time::OffsetDateTime;

use super::receipt;
use crate::{
    error::Error,
    facts::Facts,
    render::{About, Letter, Order, Parts, Receipt, Ticket, one_line},
};

pub(crate) struct Transferred {
    pub about: About,
    pub revision: i32,
    pub(super) ticket: Ticket,
    pub(super) from_name: String,
}

impl Transferred {
    pub fn read(facts: &Facts, message: &TicketTransferred) -> Result<Self, Error> {
        let ticket = message.ticket.as_ref();
        let ticket = ticket.ok_or_else(|| Error::field("ticket", ConvertError::Missing))?;
        let generation = i32::try_from(message.generation);
        let about = facts.about_without_total(message.order.as_ref())?;
        Ok(Self {
            // To end the buyer's messages is not for whom the ticket was handed to.
            about: About {
                unsubscribe: None,
                ..about
            },
            revision: generation.map_err(|_| Error::field("generation", "is too large"))?,
            ticket: receipt::ticket(ticket)?,
            from_name: message.from_name.clone(),
        })
    }

    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    pub fn letter(&self) -> Letter {
        let about = &self.about;
        let facts = context! {
            from_name => one_line(&self.from_name),
            category => one_line(&self.ticket.category),
        };
        let parts = Parts {
            tickets: vec![self.ticket.clone()],
            ..about.parts_with_lead()
        };
        about.letter(facts, parts)
    }

    /// What its documents are made of: this ticket alone, and no money.
    pub fn document(&self, transferred_at: OffsetDateTime) -> Receipt {
        let about = &self.about;
        Receipt {
            order: Order {
                id: about.id,
                number: about.number.clone(),
                email: about.email.clone(),
                name: about.name.clone(),
                phone: String::new(),
                paid_at: transferred_at,
                total: Money::zero(Currency::EUR),
                link: about.link.clone(),
                language: about.language,
            },
            event: about.event.clone(),
            lines: Vec::new(),
            tickets: vec![self.ticket.clone()],
            seller: about.seller.clone(),
        }
    }
}
