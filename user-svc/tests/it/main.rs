#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod accounts;
mod api_keys;
mod config;
mod delays;
mod forget;
mod harness;
mod login;
mod passwords;
mod registration;
mod second_factor;
mod sessions;
mod setup;
mod tokens;
