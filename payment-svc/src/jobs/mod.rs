//! Work that goes on without a request.

mod apply_provider_events;
mod drive_orders;
mod drive_refunds;
mod drive_transfers;
mod fold_sales;
mod follow_event_changes;
mod follow_events;
mod forget_desk;
mod measure_orders;
mod reconcile_refunds;
mod refund_cancelled_events;
mod remind_guests;
mod room;
mod tell_holders;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use kit::telemetry::Kind;
use proto::Peer;

use crate::app::App;
pub(crate) use apply_provider_events::{Finished, finish_all};
use reconcile_refunds::Cursors;
use room::Room;

/// A job looks by itself this often, should a nudge be lost with its process.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const MEASURE_INTERVAL: Duration = Duration::from_secs(15);
const FORGET_INTERVAL: Duration = Duration::from_secs(600);
const REMINDER_INTERVAL: Duration = Duration::from_secs(10);

pub(crate) fn start(app: &Arc<App>) {
    let (shared, room) = (app.clone(), Arc::new(Room::default()));
    let nudge = app.nudges.orders.clone();
    app.tasks
        .job("drive_orders", POLL_INTERVAL, nudge, move || {
            drive_orders::round(shared.clone(), room.clone())
        });
    let (shared, room) = (app.clone(), Arc::new(Room::default()));
    let nudge = app.nudges.provider_events.clone();
    app.tasks
        .job("apply_provider_events", POLL_INTERVAL, nudge, move || {
            apply_provider_events::round(shared.clone(), room.clone())
        });
    let shared = app.clone();
    app.tasks
        .job("fold_sales", POLL_INTERVAL, Arc::default(), move || {
            fold_sales::round(shared.clone())
        });
    let shared = app.clone();
    app.tasks.job(
        "measure_orders",
        MEASURE_INTERVAL,
        Arc::default(),
        move || measure_orders::round(shared.clone()),
    );
    start_refunds(app);
    start_news(app);
    start_desk(app);
}

fn start_desk(app: &Arc<App>) {
    let shared = app.clone();
    app.tasks.job(
        "drive_transfers",
        POLL_INTERVAL,
        Arc::default(),
        move || drive_transfers::round(shared.clone()),
    );
    let shared = app.clone();
    app.tasks
        .job("forget_desk", FORGET_INTERVAL, Arc::default(), move || {
            forget_desk::round(shared.clone())
        });
}

fn start_news(app: &Arc<App>) {
    let shared = app.clone();
    app.tasks.job(
        "follow_event_changes",
        POLL_INTERVAL,
        Arc::default(),
        move || follow_event_changes::round(shared.clone()),
    );
    let shared = app.clone();
    app.tasks
        .job("follow_events", POLL_INTERVAL, Arc::default(), move || {
            follow_events::round(shared.clone())
        });
    let shared = app.clone();
    app.tasks.job(
        "remind_guests",
        REMINDER_INTERVAL,
        Arc::default(),
        move || remind_guests::round(shared.clone()),
    );
    let shared = app.clone();
    app.tasks
        .job("tell_holders", POLL_INTERVAL, Arc::default(), move || {
            tell_holders::round(shared.clone())
        });
}

fn start_refunds(app: &Arc<App>) {
    let (shared, room) = (app.clone(), Arc::new(Room::default()));
    let nudge = app.nudges.refunds.clone();
    app.tasks
        .job("drive_refunds", POLL_INTERVAL, nudge, move || {
            drive_refunds::round(shared.clone(), room.clone())
        });
    let (shared, cursors) = (app.clone(), Arc::new(Cursors::default()));
    app.tasks.job(
        "reconcile_refunds",
        POLL_INTERVAL,
        Arc::default(),
        move || reconcile_refunds::round(shared.clone(), cursors.clone()),
    );
    let shared = app.clone();
    app.tasks.job(
        "refund_cancelled_events",
        POLL_INTERVAL,
        Arc::default(),
        move || refund_cancelled_events::round(shared.clone()),
    );
}

/// Does stored work in the trace it came from.
fn resume<'a, F>(
    name: &'static str,
    traceparent: Option<&'a str>,
    work: F,
) -> BoxFuture<'a, F::Output>
where
    F: Future + Send + 'a,
{
    let member = Peer::Payment.name();
    Box::pin(kit::resume(Kind::Internal, member, name, traceparent, work))
}
