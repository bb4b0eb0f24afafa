//! For admins: each sees and edits the events that they were granted, a superadmin all.

use kit::Failure;
use tonic::Request;

use crate::{app::App, store::changes::Actor};

pub mod archive_event;
pub mod cancel_event;
pub mod clone_event;
pub mod create_event;
pub mod create_pool;
pub mod create_ticket_type;
pub mod delete_event;
pub mod delete_ticket_type;
pub mod get_own_event;
pub mod list_event_grants;
pub mod list_halted_pools;
pub mod list_own_events;
pub mod list_pools;
pub mod list_ticket_keys;
pub mod postpone_event;
pub mod read_traffic;
pub mod remove_event_grant;
pub mod resume_pool;
pub mod rotate_ticket_keys;
pub mod set_event_grant;
pub mod set_event_image;
mod terms;
pub mod update_event;
pub mod update_pool;
pub mod update_ticket_type;
pub mod verify_ticket;

/// Who is calling, as it will stand in the audit log.
fn actor<T>(app: &App, request: &Request<T>) -> Result<Actor, Failure> {
    let admin = kit::admin(request)?;
    let call = kit::current();
    Ok(Actor {
        user_id: admin.id,
        superadmin: admin.superadmin,
        grants: kit::grants(request),
        audit_id: app.sources.uuid_v7(),
        trace_id: call.trace.map(|trace| trace.to_string()),
        address: call.client.map(|address| address.to_string()),
    })
}
