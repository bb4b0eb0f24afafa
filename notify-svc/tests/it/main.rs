//! The service as its neighbours see it, and the documents as a guest sees them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod accept;
mod config;
mod documents;
mod harness;
mod jetstream;
mod letters;
mod render;
mod send;
