//! The real server, generated clients, a real PostgreSQL. Every test ends with the invariants.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test ends what it spawns, and its dates are near today"
)]

mod admin;
mod begin_payment;
mod catalog;
mod commit;
mod config;
mod expiry;
mod holds;
mod invariants;
mod races;
mod shop;
