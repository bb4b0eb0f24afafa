//! payment-svc as a whole: the real server on a real database, a real HTTP receiver for its webhooks,
//! and in place of ticket-svc a small stand-in that keeps its promises.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod accounts;
mod cancel;
mod change_address;
mod corrections;
mod crash;
mod desk;
mod erasure;
mod event_cancel;
mod event_moves;
mod expiry;
mod export;
mod external_refunds;
mod guest_cancel;
mod handed_on;
mod holders;
mod hook;
mod insights;
mod invariants;
mod inventory;
mod late;
mod lookups;
mod manual;
mod mismatch;
mod order_lists;
mod pay;
mod place;
mod preferences;
mod privacy;
mod processing;
mod record;
mod refund_crash;
mod refund_rpc;
mod refunds;
mod reminders;
mod resend;
mod sale;
mod sandbox;
mod second_payment;
mod seed;
mod slow;
mod stripe;
mod stripe_events;
mod stripe_refunds;
mod switched_off;
mod terms;
mod till;
mod together;
mod transfer_notices;
mod webhooks;
mod world;
