//! Peers that are silent, slow or too many, over real sockets.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod drain;
mod harness;
mod timers;
