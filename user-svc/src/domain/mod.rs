//! Rules without I/O.

mod account;
mod password;

pub(crate) use account::{Account, email_key};
pub(crate) use password::{check_new_password, check_presented_password};
