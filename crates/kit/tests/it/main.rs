//! A server of the mesh and calls to it, over real sockets.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod access;
mod calls;
mod member;
