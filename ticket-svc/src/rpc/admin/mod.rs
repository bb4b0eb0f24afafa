//! For admins: each sees and edits the events that they were granted, a superadmin all.

use kit::Failure;
use tonic::Request;

use crate::{app::App, store::changes::Actor};

pub mod cancel_event;
pub mod create_event;
pub mod create_ticket_type;
pub mod get_own_event;
pub mod list_own_events;
mod terms;
pub mod update_event;
pub mod update_ticket_type;

/// Who is calling, as it will stand in the audit log.
fn actor<T>(app: &App, request: &Request<T>) -> Result<Actor, Failure> {
    let admin = kit::admin(request)?;
    Ok(Actor {
        user_id: admin.id,
        superadmin: admin.superadmin,
        audit_id: app.sources.uuid_v7(),
        trace_id: kit::current().trace.map(|trace| trace.to_string()),
    })
}
