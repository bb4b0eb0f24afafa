//! Codes as scanners meet them: the published examples, and forgeries.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod forgeries;
mod vectors;
