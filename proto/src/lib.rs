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

/// What messages with secrets, or with something of a guest, show of themselves: everything else.
mod discreet {
    include!(concat!(env!("OUT_DIR"), "/discreet.rs"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_printed_tells_no_secret() {
        let canary = || "canary".to_owned();
        let login = user::LoginRequest {
            email: canary(),
            password: canary(),
            code: canary(),
            network: "192.0.2.1".to_owned(),
            ..user::LoginRequest::default()
        };
        let shown = format!("{login:?}");
        assert!(shown.contains(r#"network: "192.0.2.1""#), "{shown}");
        let codes = user::ConfirmSecondFactorResponse {
            recovery_codes: vec![canary()],
        };
        let order = payment::Order {
            name: canary(),
            phone_number: canary(),
            ..payment::Order::default()
        };
        let placed = payment::PlaceOrderResponse {
            order: Some(order),
            secret: canary(),
            purchase_proof: canary(),
            ..payment::PlaceOrderResponse::default()
        };
        let link = event::AdminInvited {
            sealed_link: b"canary".to_vec(),
            ..event::AdminInvited::default()
        };
        let receipt = notify::RenderDocumentResponse {
            content: b"canary".to_vec(),
            ..notify::RenderDocumentResponse::default()
        };
        let mail = notify::ReadNotificationResponse {
            subject: canary(),
            ..notify::ReadNotificationResponse::default()
        };
        let shown = format!("{shown} {codes:?} {placed:?} {link:?} {receipt:?} {mail:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("99, 97"),
            "{shown}"
        );
    }
}
