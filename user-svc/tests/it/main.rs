#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod config;
mod harness;
mod login;
mod passwords;
mod setup;
mod tokens;
