#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod forge;
mod keys;
mod tokens;
