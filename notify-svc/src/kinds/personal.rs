//! What messages to one person that are about no order have in common.

use base::Zone;
use minijinja::{Value, context};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::Error,
    facts::{self, Facts, parse},
    render::{self, Language, Letter, Parts, Seller, Words, one_line},
};

pub(crate) struct Personal {
    /// Of the request.
    pub id: Uuid,
    pub email: String,
    pub language: Language,
    pub(super) expires_at: OffsetDateTime,
    pub(super) seller: Seller,
}

impl Personal {
    pub(super) fn read(
        facts: &Facts,
        (id, email, locale): (&str, &str, &str),
        expires_at: Option<&prost_types::Timestamp>,
    ) -> Result<Self, Error> {
        Ok(Self {
            id: parse("id", id)?,
            email: facts::email(email)?,
            language: Language::of(locale),
            expires_at: facts::moment("expires_at", expires_at)?,
            seller: facts.house(),
        })
    }

    pub(super) fn letter(&self, facts: Value, parts: Parts) -> Letter {
        let sent_to = Words::of(self.language).sent_to;
        let facts = context! {
            email => one_line(&self.email),
            seller => one_line(&self.seller.name),
            expires_at => self.expires_at(),
            ..facts
        };
        Letter {
            email: self.email.clone(),
            name: None,
            language: self.language,
            seller: self.seller.clone(),
            facts,
            parts: Parts {
                foot: vec![format!("{sent_to} {}", one_line(&self.email))],
                ..parts
            },
        }
    }

    /// Nobody knows where the reader is.
    fn expires_at(&self) -> String {
        let utc: Zone = "UTC".parse().expect("the database of zones has UTC");
        render::moment(self.language, &utc, self.expires_at)
    }
}
