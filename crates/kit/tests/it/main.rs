//! A server of the mesh and calls to it, over real sockets.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod access;
mod calls;
mod certified;
mod limits;
mod member;
mod replicas;
mod shutdown;
mod storm;
mod streams;
