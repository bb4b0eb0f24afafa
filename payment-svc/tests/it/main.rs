//! payment-svc as a whole: the real server on a real database, a real HTTP receiver for its webhooks,
//! and in place of ticket-svc a small stand-in that keeps its promises.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod cancel;
mod crash;
mod expiry;
mod hook;
mod invariants;
mod inventory;
mod pay;
mod place;
mod privacy;
mod webhooks;
mod world;
