//! The testkit tests itself: many tests, each with a runtime of its own, on shared servers.

mod database;
mod eventually;
mod nats;
mod smtp;
