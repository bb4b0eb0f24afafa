//! Both ends of the promise, against a real PostgreSQL and a real nats-server.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod broker;
mod confirmation;
mod consumer;
mod harness;
mod outbox;
mod receiver;
