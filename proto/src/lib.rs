//! The contract of the mesh: generated messages, clients and servers, who may call what, and the
//! conversions between what travels and the vocabulary of `base`.

mod convert;
mod policy;
mod reason;
mod scope;

/// Generated code, a module per package.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

pub use convert::{ConvertError, money, money_from, timestamp, timestamp_from};
pub use generated::boxoffice::{
    audit::v1 as audit, common::v1 as common, event::v1 as event, notify::v1 as notify,
    payment::v1 as payment, status::v1 as status, ticket::v1 as ticket, user::v1 as user,
};
pub use policy::{Audience, Grant, POLICIES, Peer, Policy, policy};
pub use scope::{Area, Scopes};

/// Every contract as an encoded `FileDescriptorSet`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
