//! Links that go out by mail. Each ends with a token of which only the hash is stored, behind a `#`, so that
//! no server and no Referer ever sees it.

use base::{Sealer, Sources};

use crate::config::PublicUrl;

/// What a link opens. notify-svc opens the sealed one with the same word.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Link {
    Invitation,
    PasswordReset,
}

impl Link {
    fn purpose(self) -> &'static str {
        match self {
            Self::Invitation => "invitation-link",
            Self::PasswordReset => "password-reset-link",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Invitation => "/admin/invitation",
            Self::PasswordReset => "/admin/password-reset",
        }
    }
}

pub(crate) struct Links {
    pub(crate) public_url: PublicUrl,
    pub(crate) sealer: Sealer,
}

impl Links {
    /// Unreadable for everyone but notify-svc.
    pub(crate) fn sealed(&self, sources: &Sources, link: Link, token: &str) -> Vec<u8> {
        let address = format!("{}#{token}", self.public_url.at(link.path()));
        self.sealer
            .seal(sources, link.purpose(), address.as_bytes())
    }
}
