//! Rules without I/O.

mod account;
mod blocklist;
pub(crate) mod delay;
mod password;
pub(crate) mod session;
pub(crate) mod totp;

pub(crate) use account::{Account, email_key, role_from_wire, role_to_wire};
pub use password::Password;
pub(crate) use password::{check_named, check_new_password, check_presented_password};

/// Of a language tag.
pub(crate) const LOCALE_MAX_CHARS: usize = 35;
