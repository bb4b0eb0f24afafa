//! What a request carries, refused as a problem where axum would answer plain text.

mod body;
mod credentials;
mod json;
mod params;

pub use body::{Form, Json, JsonOrEmpty, RawBody, too_large, unreadable};
pub use credentials::{Access, AccessTo, AdminToken, Key, OptionalKey, secret_of};
pub use json::{Given, Object};
pub use params::{Id, Path, Query};

pub use crate::network::{Asker, Network};

use kit::ErrorReason;

use crate::problem::Problem;

fn malformed(detail: &str) -> Problem {
    Problem::refused(ErrorReason::MalformedBody, detail)
}

/// The decoder of forms and queries puts U+FFFD in the place of bytes that are no UTF-8.
fn not_utf8(text: &str) -> bool {
    text.contains(char::REPLACEMENT_CHARACTER)
}
