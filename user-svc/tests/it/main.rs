#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod config;
mod harness;
mod login;
mod passwords;
mod setup;
mod tokens;
