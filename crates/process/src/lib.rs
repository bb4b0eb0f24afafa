//! What a process has before it serves anything: settings, a place to listen, its end, and whether
//! it is ready.

mod bind;
pub mod config;
mod readiness;
mod shutdown;

pub use bind::Bind;
pub use readiness::{Check, Readiness, Reasons, UNREADY_HEADER};
pub use shutdown::Shutdown;
