//! An admin has forgotten the password.

use minijinja::context;
use proto::event::PasswordResetRequested;

use super::personal::Personal;
use crate::{
    error::Error,
    facts::Facts,
    render::{Letter, Parts},
};

const LINK: &str = "password-reset-link";

pub(crate) struct PasswordReset {
    pub personal: Personal,
    pub(super) link: String,
}

impl PasswordReset {
    pub fn read(facts: &Facts, message: &PasswordResetRequested) -> Result<Self, Error> {
        let who = (&*message.id, &*message.email, &*message.locale);
        Ok(Self {
            personal: Personal::read(facts, who, message.expires_at.as_ref())?,
            link: facts.open("sealed_link", LINK, &message.sealed_link)?,
        })
    }

    pub fn letter(&self) -> Letter {
        let parts = Parts {
            link: Some(self.link.clone()),
            ..Parts::default()
        };
        self.personal.letter(context! {}, parts)
    }
}
