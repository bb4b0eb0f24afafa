//! Both ends of the promise, against a real PostgreSQL and a real nats-server.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod alarm;
mod broker;
mod broker_silent;
mod confirmation;
mod consumer;
mod harness;
mod leases;
mod outbox;
mod receiver;
mod stream;
