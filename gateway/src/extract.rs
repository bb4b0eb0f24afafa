//! What a request carries, refused as a problem where axum would answer plain text.

mod body;
mod credentials;
mod params;

pub use body::{Form, Json, JsonOrEmpty, RawBody};
pub use credentials::{Access, AdminToken, Key, OptionalKey};
pub use params::{Id, Path, Query};
