//! payment-svc as a whole: the real server on a real database, a real HTTP receiver for its webhooks,
//! and in place of ticket-svc a small stand-in that keeps its promises.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod accounts;
mod cancel;
mod crash;
mod desk;
mod event_cancel;
mod expiry;
mod export;
mod external_refunds;
mod hook;
mod invariants;
mod inventory;
mod late;
mod manual;
mod mismatch;
mod order_lists;
mod pay;
mod place;
mod privacy;
mod processing;
mod refund_crash;
mod refund_rpc;
mod refunds;
mod sale;
mod sandbox;
mod second_payment;
mod seed;
mod slow;
mod stripe;
mod stripe_events;
mod stripe_refunds;
mod switched_off;
mod till;
mod together;
mod webhooks;
mod world;
