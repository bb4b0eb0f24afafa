//! Somebody is to become an admin.

use minijinja::context;
use proto::event::AdminInvited;

use super::personal::Personal;
use crate::{
    error::Error,
    facts::{self, Facts},
    render::{Letter, Parts, one_line},
};

const LINK: &str = "invitation-link";

pub(crate) struct Invitation {
    pub personal: Personal,
    pub revision: i32,
    pub(super) link: String,
    pub(super) invited_by: String,
}

impl Invitation {
    pub fn read(facts: &Facts, message: &AdminInvited) -> Result<Self, Error> {
        let who = (&*message.id, &*message.email, &*message.locale);
        Ok(Self {
            personal: Personal::read(facts, who, message.expires_at.as_ref())?,
            revision: facts::revision(message.number)?,
            link: facts.open("sealed_link", LINK, &message.sealed_link)?,
            invited_by: message.invited_by.clone(),
        })
    }

    pub fn letter(&self) -> Letter {
        let parts = Parts {
            link: Some(self.link.clone()),
            ..Parts::default()
        };
        let facts = context! { invited_by => one_line(&self.invited_by) };
        self.personal.letter(facts, parts)
    }
}
