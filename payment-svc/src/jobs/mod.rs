//! Work that goes on without a request.

mod apply_provider_events;
mod drive_orders;

use std::{sync::Arc, time::Duration};

use kit::{CallContext, TraceId};

use crate::app::App;

/// A job looks by itself this often, should a nudge be lost with its process.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) fn start(app: &Arc<App>) {
    let shared = app.clone();
    app.tasks.job(
        "drive_orders",
        POLL_INTERVAL,
        app.nudges.orders.clone(),
        move || drive_orders::round(shared.clone()),
    );
    let shared = app.clone();
    let nudge = app.nudges.provider_events.clone();
    app.tasks
        .job("apply_provider_events", POLL_INTERVAL, nudge, move || {
            apply_provider_events::round(shared.clone())
        });
}

/// The trace that stored work came from, so that what it causes belongs to the same story.
fn context(trace_id: Option<&str>) -> CallContext {
    let trace = trace_id.and_then(|id| {
        let span = id.get(..16)?;
        TraceId::from_traceparent(&format!("00-{id}-{span}-00"))
    });
    CallContext {
        deadline: None,
        trace,
    }
}
