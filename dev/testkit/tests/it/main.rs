//! The testkit tests itself: many tests, each with a runtime of its own, on shared servers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod database;
mod eventually;
mod fault_proxy;
mod nats;
mod patient;
mod postgres;
mod smtp;
mod stripe;
