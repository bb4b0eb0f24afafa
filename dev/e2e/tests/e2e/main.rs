//! The whole mesh in one process, on a real PostgreSQL, a real NATS and an SMTP sink, used over
//! HTTP like a guest and an admin would. Every test ends with the same checks of all four databases.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod bad_input;
mod broker_away;
mod guest;
mod harness;
mod invariants;
mod purchase;
mod races;
mod restarts;
