//! Work that goes on without a request.

mod apply_provider_events;
mod drive_orders;

use std::{sync::Arc, time::Duration};

use kit::telemetry::Kind;
use proto::Peer;

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

/// Does stored work in the trace it came from.
async fn resume<F: Future>(name: &'static str, traceparent: Option<&str>, work: F) -> F::Output {
    kit::resume(
        Kind::Internal,
        Peer::Payment.name(),
        name,
        traceparent,
        work,
    )
    .await
}
