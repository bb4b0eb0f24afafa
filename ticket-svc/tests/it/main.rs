//! The real server, generated clients, a real PostgreSQL. Every test ends with the invariants.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test ends what it spawns, and its dates are near today"
)]

mod admin;
mod audit;
mod begin_payment;
mod cancel;
mod catalog;
mod changes;
mod codes;
mod commit;
mod config;
mod days;
mod expiry;
mod fees;
mod grants;
mod guest_limits;
mod hold_batches;
mod holds;
mod hot;
mod images;
mod insights;
mod invariants;
mod life;
mod pools;
mod programme;
mod races;
mod record;
mod shop;
mod transfers;
mod void;
mod watch;
mod windows;
