//! Certificates from files that may change, and connections that prove both ends.

mod certificates;
mod connector;

pub use certificates::{Certificates, CertificatesError, is_named};
pub use connector::Connector;
