//! The service as its neighbours see it, and the documents as a guest sees them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod accept;
mod admins;
mod bounces;
mod calendar;
mod config;
mod corrections;
mod documents;
mod drills;
mod erase;
mod faults;
mod golden;
mod harness;
mod jetstream;
mod letters;
mod news;
mod paper;
mod render;
mod send;
mod templates;
mod tls;
