//! A guest looks for their orders: the code to type in.

use minijinja::context;
use proto::event::LookupCodeRequested;

use super::personal::Personal;
use crate::{
    error::Error,
    facts::Facts,
    render::{Letter, Parts, one_line},
};

const CODE: &str = "lookup-code";

pub(crate) struct LookupCode {
    pub personal: Personal,
    pub(super) code: String,
}

impl LookupCode {
    pub fn read(facts: &Facts, message: &LookupCodeRequested) -> Result<Self, Error> {
        let who = (&*message.id, &*message.email, &*message.locale);
        let code = facts.open("sealed_code", CODE, &message.sealed_code)?;
        Ok(Self {
            personal: Personal::read(facts, who, message.expires_at.as_ref())?,
            code: one_line(&code),
        })
    }

    pub fn letter(&self) -> Letter {
        let parts = Parts {
            code: Some(self.code.clone()),
            ..Parts::default()
        };
        self.personal.letter(context! {}, parts)
    }
}
