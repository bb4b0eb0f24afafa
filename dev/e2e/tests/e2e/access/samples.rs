//! Requests that are good enough to come as far as the question who asks.

use std::sync::atomic::Ordering;

use prost::Message as _;
use proto::{Audience, Policy, audit, notify, payment, ticket, user};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::keys::idempotency_key;

use super::people::House;
use crate::harness::ADMIN_PASSWORD;

/// The id of nothing. Who is told so is past the door.
pub const ABSENT: &str = "0190b6a2-7c1e-7000-8000-00000000dead";

const LOOKUP_CODE: &str = include_str!("../../../../../notify-svc/templates/en/lookup_code.txt");

fn in_2032() -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: 1_970_000_000,
        nanos: 0,
    }
}

/// The request of a method. Without one that its handler takes, what asks for no grant is judged all the same.
pub fn message(house: &House, policy: &Policy) -> Vec<u8> {
    if !matches!(policy.audience, Audience::Admin | Audience::Superadmin) {
        return Vec::new();
    }
    let method = policy.path.rsplit('/').next().unwrap();
    let service = policy.path.split('.').nth(1).unwrap();
    let event_id = house.on_sale.event_id.clone();
    let message = match service {
        "audit" => Some(audit::ListAuditRequest::default().encode_to_vec()),
        "ticket" => of_ticket(house, method, event_id),
        "payment" => of_payment(house, method, event_id),
        "notify" => of_notify(house, method),
        "user" => of_user(house, method),
        _ => None,
    };
    assert!(
        message.is_some() || policy.grants.is_empty(),
        "a sample is missing for {}",
        policy.path
    );
    message.unwrap_or_default()
}

fn of_user(house: &House, method: &str) -> Option<Vec<u8>> {
    Some(match method {
        "CreateAccount" => user::CreateAccountRequest {
            email: "at.once@example.org".to_owned(),
            role: user::Role::Admin.into(),
            password: ADMIN_PASSWORD.to_owned(),
        }
        .encode_to_vec(),
        "CreateApiKey" => user::CreateApiKeyRequest {
            name: "The till".to_owned(),
            scopes: vec!["record:read".to_owned()],
            days: 1,
            password: ADMIN_PASSWORD.to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "InviteAdmin" => user::InviteAdminRequest {
            email: "new@example.org".to_owned(),
            role: user::Role::Admin.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        "RevokeInvitation" => user::RevokeInvitationRequest {
            invitation_id: house.invitation.clone(),
        }
        .encode_to_vec(),
        "UpdateAccount" => user::UpdateAccountRequest {
            user_id: house.spare.clone(),
            role: user::Role::Superadmin.into(),
            note: "She looks after the house.".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        _ => return None,
    })
}

fn of_ticket(house: &House, method: &str, event_id: String) -> Option<Vec<u8>> {
    Some(match method {
        "ListOwnEvents" => Vec::new(),
        // Each of these begins with the event, and the rest may be left out.
        "GetOwnEvent" | "CancelEvent" | "DeleteEvent" | "ListPools" | "ListTicketKeys"
        | "ListEventGrants" | "ReadTraffic" => {
            ticket::GetOwnEventRequest { event_id }.encode_to_vec()
        }
        // Into the archive and out of it, in turn.
        "ArchiveEvent" => ticket::ArchiveEventRequest {
            event_id: house.cancelled.clone(),
            archived: !house.is_archived.fetch_xor(true, Ordering::Relaxed),
            ..Default::default()
        }
        .encode_to_vec(),
        "UpdateEvent" => ticket::UpdateEventRequest {
            event_id,
            location: Some("Palác Akropolis".to_owned()),
            ..Default::default()
        }
        .encode_to_vec(),
        "SetEventImage" => ticket::SetEventImageRequest {
            event_id,
            image: Some(ticket::EventImage {
                key: "0f".repeat(32),
                width: 1920,
                height: 1080,
                alt: "A stage".to_owned(),
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "PostponeEvent" => ticket::PostponeEventRequest {
            event_id,
            date_time: Some(in_2032()),
            ..Default::default()
        }
        .encode_to_vec(),
        "CloneEvent" => ticket::CloneEventRequest {
            event_id,
            date_time: Some(in_2032()),
            ..Default::default()
        }
        .encode_to_vec(),
        _ => return of_stock(house, method, event_id),
    })
}

fn of_stock(house: &House, method: &str, event_id: String) -> Option<Vec<u8>> {
    let ticket_type_id = house.on_sale.ticket_type_id.clone();
    Some(match method {
        "CreateTicketType" => ticket::CreateTicketTypeRequest {
            event_id,
            category: "Balcony".to_owned(),
            price: Some(proto::common::Money {
                amount_minor: 100,
                currency: "EUR".to_owned(),
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "UpdateTicketType" | "DeleteTicketType" => ticket::DeleteTicketTypeRequest {
            ticket_type_id,
            ..Default::default()
        }
        .encode_to_vec(),
        "CreatePool" => ticket::CreatePoolRequest {
            event_id,
            name: idempotency_key(),
            ..Default::default()
        }
        .encode_to_vec(),
        "UpdatePool" => ticket::UpdatePoolRequest {
            pool_id: house.pool.clone(),
            ..Default::default()
        }
        .encode_to_vec(),
        "RotateTicketKeys" => ticket::RotateTicketKeysRequest {
            event_id,
            key_number: 1,
            ..Default::default()
        }
        .encode_to_vec(),
        "VerifyTicket" => ticket::VerifyTicketRequest {
            event_id,
            code: "no code".to_owned(),
        }
        .encode_to_vec(),
        "CreateEvent" => ticket::CreateEventRequest {
            title: "Another".to_owned(),
            location: "Praha".to_owned(),
            date_time: Some(in_2032()),
            timezone: "Europe/Prague".to_owned(),
            currency: "EUR".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "SetEventGrant" | "RemoveEventGrant" => ticket::SetEventGrantRequest {
            event_id,
            user_id: house.spare.clone(),
            grant: proto::common::Grant::Door.into(),
        }
        .encode_to_vec(),
        _ => return None,
    })
}

fn of_payment(house: &House, method: &str, event_id: String) -> Option<Vec<u8>> {
    let order_id = house.order["id"].as_str().unwrap().to_owned();
    Some(match method {
        "ListOrders" | "ExportOrders" | "ListRefunds" => Vec::new(),
        "InspectOrder" | "VerifyPayment" | "RejectPayment" => {
            payment::InspectOrderRequest { order_id }.encode_to_vec()
        }
        "ChangeAddress" => payment::ChangeAddressRequest {
            order_id,
            email: "ada3@example.org".to_owned(),
            reason: "A typo.".to_owned(),
            idempotency_key: idempotency_key(),
        }
        .encode_to_vec(),
        "SendReceipt" => payment::SendReceiptRequest {
            order_id,
            idempotency_key: idempotency_key(),
        }
        .encode_to_vec(),
        "ConfirmPayment" => payment::ConfirmPaymentRequest {
            order_id,
            idempotency_key: idempotency_key(),
            ..Default::default()
        }
        .encode_to_vec(),
        "ResolveMismatch" => payment::ResolveMismatchRequest {
            order_id,
            decision: payment::MismatchDecision::Accept.into(),
            note: "Fine.".to_owned(),
        }
        .encode_to_vec(),
        "RefundOrder" => payment::RefundOrderRequest {
            order_id,
            reason: "Asked for.".to_owned(),
            idempotency_key: idempotency_key(),
            ..Default::default()
        }
        .encode_to_vec(),
        "RetryRefund" | "SettleRefund" => payment::RetryRefundRequest {
            refund_id: house.refund.clone(),
        }
        .encode_to_vec(),
        "EraseGuest" => payment::EraseGuestRequest {
            order_id: house.other_order["id"].as_str().unwrap().to_owned(),
            note: "Asked for.".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "ReadSales" => payment::ReadSalesRequest {
            events: vec![payment::SalesPeriod {
                event_id,
                timezone: "Europe/Prague".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }
        .encode_to_vec(),
        "GetEventAccounts" => payment::GetEventAccountsRequest { event_id }.encode_to_vec(),
        "GetEventRefund" => payment::GetEventRefundRequest {
            event_id: house.cancelled.clone(),
        }
        .encode_to_vec(),
        _ => return None,
    })
}

fn of_notify(house: &House, method: &str) -> Option<Vec<u8>> {
    let notification_id = house.notification.clone();
    Some(match method {
        "ListNotifications" => Vec::new(),
        "GetNotification" | "ReadNotification" | "RetryNotification" => {
            notify::GetNotificationRequest { notification_id }.encode_to_vec()
        }
        "ResendNotification" => notify::ResendNotificationRequest {
            notification_id,
            idempotency_key: idempotency_key(),
        }
        .encode_to_vec(),
        "ReportBounce" => notify::ReportBounceRequest {
            notification_id,
            explanation: "They wrote from another address.".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "PublishTemplate" => notify::PublishTemplateRequest {
            kind: "lookup_code".to_owned(),
            language: "en".to_owned(),
            source: format!("{LOOKUP_CODE}\nSee you soon.\n"),
            note: "Friendlier.".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        // After it was published.
        "RevertTemplate" => notify::RevertTemplateRequest {
            kind: "lookup_code".to_owned(),
            language: "en".to_owned(),
            note: "Too friendly.".to_owned(),
            ..Default::default()
        }
        .encode_to_vec(),
        "DismissNotification" => notify::DismissNotificationRequest {
            notification_id,
            note: "Told them.".to_owned(),
        }
        .encode_to_vec(),
        _ => return None,
    })
}

/// The path of a route, with what its braces stand for. `secret` is the caller's.
pub fn path(house: &House, route: &str, secret: &str) -> String {
    let order = house.order["id"].as_str().unwrap();
    let id = match route {
        "/api/v1/admin/events/{id}/refund" => &house.cancelled,
        route if route.contains("/events/") => house.on_sale.event_id.as_str(),
        route if route.contains("/ticket-types/") => &house.on_sale.ticket_type_id,
        route if route.contains("/pools/") => &house.pool,
        route if route.contains("/refunds/{id}") => &house.refund,
        route if route.contains("/notifications/") => &house.notification,
        route
            if route.contains("/holds/")
                || route.contains("/checkout/")
                || route.starts_with("/h/") =>
        {
            house.hold["id"].as_str().unwrap()
        }
        route if route.contains("/transferred-tickets/") => &house.handed_on.0,
        route if route.starts_with("/tickets/") || route.starts_with("/t/") => &house.handed_on.0,
        route
            if route.contains("/orders/")
                || route.starts_with("/o/")
                || route.starts_with("/u/") =>
        {
            order
        }
        // What is about an account or a session of its own is asked of an absent one.
        _ => ABSENT,
    };
    route
        .replace("{id}", id)
        .replace("{user_id}", &house.spare)
        .replace("{ticket_id}", &house.ticket)
        .replace("{ticket}", &house.ticket_of_pages)
        .replace("{secret}", secret)
        .replace("{token}", secret)
        .replace("{reference}", &house.checkout)
        .replace("{reason}", "SOLD_OUT")
        .replace("{provider}", "sandbox")
        .replace("{name}", &format!("{ABSENT}.jpg"))
        .replace("{kind}", "receipt")
        .replace("{language}", "en")
}

/// What is sent with a route that takes a body; an empty object where everything may be left out.
pub fn body(house: &House, route: &str, secret: &str) -> Value {
    let (method, path) = route.split_once(' ').unwrap();
    if path.ends_with("/unsubscribe") {
        return json!({"token": secret});
    }
    if path.contains("/signing-keys/") {
        return json!({});
    }
    let end = path.rsplit('/').next().unwrap();
    match (method, end) {
        ("POST", "events") => json!({
            "title": "Another", "description": "", "location": "Praha", "currency": "EUR",
            "date_time": "2031-06-12T18:00:00Z", "timezone": "Europe/Prague", "status": "inactive",
        }),
        ("POST", "postpone") => json!({"date_time": "2032-06-12T18:00:00Z", "reason": "Ill."}),
        ("POST", "clone") => json!({"date_time": "2032-06-12T18:00:00Z"}),
        ("POST", "ticket-types") => {
            let price = json!({"amount_minor": 100, "currency": "EUR"});
            json!({"category": "Balcony", "price": price, "total_stock": 5})
        }
        ("POST", "pools") => json!({"name": idempotency_key()}),
        ("POST", "rotate") => json!({"key_number": 1}),
        ("POST", "verify-ticket") => json!({"code": "no code"}),
        ("POST", "archive") => json!({"archived": false}),
        ("POST", "refunds") => json!({"reason": "Asked for."}),
        ("POST", "resolve-mismatch") => json!({"decision": "accept", "note": "Fine."}),
        ("POST", "settle" | "dismiss") => json!({"note": "Told them."}),
        ("PUT", "{user_id}") => json!({"grant": "door"}),
        ("POST", "resume") => json!({"believe": "ledger", "note": "Edited by hand."}),
        ("POST", "bounces") => json!({"report": "x"}),
        ("PUT", "{language}") => json!({"source": "x", "note": "x"}),
        ("POST", "revert") => json!({"version": 0, "note": "x"}),
        ("POST", "transfer") => json!({"email": "mary@example.org", "name": "Mary"}),
        ("POST", "correct-address") => json!({
            "email": "ada2@example.org", "purchase_proof": house.order["purchase_proof"],
        }),
        ("POST", "address") => json!({"email": "ada3@example.org", "reason": "A typo."}),
        ("POST", "invitations") => json!({"email": "new@example.org", "role": "admin"}),
        ("POST", "users") => json!({
            "email": "at.once@example.org", "role": "admin", "password": ADMIN_PASSWORD,
        }),
        ("POST", "decide") => json!({"approve": false}),
        // Each is refused for what it says: a wrong password would keep its account waiting.
        ("POST", "password") => {
            json!({"current_password": ADMIN_PASSWORD, "new_password": "short"})
        }
        ("POST", "api-keys") => {
            json!({"name": "", "scopes": [], "days": 0, "password": ADMIN_PASSWORD})
        }
        ("POST", "second-factor" | "remove") => json!({"password": ADMIN_PASSWORD}),
        ("POST", "confirm") => json!({"code": ""}),
        _ => json!({}),
    }
}

/// Whether the route takes a form, as pages do.
pub fn is_page(route: &str) -> bool {
    let (_, path) = route.split_once(' ').unwrap();
    let programs = [
        "/api/",
        "/.well-known/",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ];
    !programs.iter().any(|start| path.starts_with(start))
}

pub fn method(route: &str) -> Method {
    route.split_once(' ').unwrap().0.parse().unwrap()
}
