//! Server-Sent Events about one order, for who waits for its payment or its tickets.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{body::Body, extract::State, response::Response};
use base::OrderId;
use bytes::Bytes;
use futures::stream;
use kit::{ErrorReason, Shutdown};
use proto::payment::GetOrderMarkRequest;
use tokio::time::Instant;

use super::{
    get_order::fetch,
    stream_availability::{event_stream, retry_ms},
};
use crate::{
    app::Shared,
    extract::Access,
    problem::Problem,
    programme::{Place, Streams},
    rest::{
        problems::{Faults, Secret},
        types::{Order, broken},
    },
};

/// How often it is looked whether anything has changed: a call to payment-svc.
const LOOK: Duration = Duration::from_secs(2);
/// Tells who listens, and every proxy between, that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Longer than a payment takes. Whoever waits longer comes again, and is asked for the secret again.
const LIFE: Duration = Duration::from_secs(15 * 60);
/// Who may wait at once in this gateway, a hundred calls a second; and for one order, in several tabs.
const WATCHERS_MAX: usize = 200;
const WATCHERS_PER_ORDER_MAX: usize = 4;

/// Places for who waits.
pub fn places() -> Arc<Streams<OrderId>> {
    Streams::new(WATCHERS_MAX, WATCHERS_PER_ORDER_MAX)
}

/// An order, now and whenever anything of it changes, as Server-Sent Events.
///
/// `order` has the body of `GET /api/v1/orders/{id}`; `gone` is the last one where the secret opens it no more; `reconnect`
/// where the server stops, could not look, or a quarter of an hour is over. What ends by time alone is not told.
#[utoipa::path(get, path = "/api/v1/orders/{id}/stream", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses((status = 200, content_type = "text/event-stream", body = String), Secret, Faults))]
pub async fn stream_order(
    State(app): State<Shared>,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    let place = app.order_streams.enter(Some(access.id))?;
    let mark = mark(&app, &access).await?;
    let order = message(&fetch(&app, &access, false).await?)?;
    let retry = format!("retry: {}\n", retry_ms(&app));
    let watcher = Watcher {
        closing: app.closing.clone(),
        app,
        access,
        mark,
        first: Some([retry.as_bytes(), &order].concat().into()),
        ends_at: Instant::now() + LIFE,
        ended: false,
        _place: place,
    };
    let messages = stream::unfold(watcher, |mut watcher| async move {
        let message = watcher.next().await?;
        Some((Ok::<_, Infallible>(message), watcher))
    });
    // It has the codes of the tickets.
    Ok(event_stream(Body::from_stream(messages), "no-store"))
}

/// One guest who waits.
struct Watcher {
    app: Shared,
    closing: Shutdown,
    access: Access<OrderId>,
    /// Of the order as it was told.
    mark: String,
    first: Option<Bytes>,
    ends_at: Instant,
    ended: bool,
    _place: Place<OrderId>,
}

impl Watcher {
    /// None: the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let closing = self.closing.clone();
        let mut closing = pin!(closing.begun());
        let spoke = Instant::now();
        while spoke.elapsed() < HEARTBEAT {
            let looked = tokio::select! {
                () = &mut closing => return Some(self.end("reconnect")),
                () = tokio::time::sleep_until(self.ends_at) => return Some(self.end("reconnect")),
                looked = self.look() => looked,
            };
            match looked {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(problem) if opens_no_more(&problem) => return Some(self.end("gone")),
                // Whoever comes again hears what is the matter.
                Err(problem) => {
                    let reason = problem.reason().word();
                    tracing::info!(reason, "an order's stream ends early");
                    return Some(self.end("reconnect"));
                }
            }
        }
        Some(Bytes::from_static(b": \n\n"))
    }

    /// After a while.
    async fn look(&mut self) -> Result<Option<Bytes>, Problem> {
        tokio::time::sleep(LOOK).await;
        // The mark first: what changes after it is told next time.
        let mark = mark(&self.app, &self.access).await?;
        if mark == self.mark {
            return Ok(None);
        }
        let order = fetch(&self.app, &self.access, false).await?;
        self.mark = mark;
        Ok(Some(message(&order)?))
    }

    fn end(&mut self, event: &str) -> Bytes {
        self.ended = true;
        format!("event: {event}\ndata: {{}}\n\n").into()
    }
}

async fn mark(app: &Shared, access: &Access<OrderId>) -> Result<String, Problem> {
    let request = GetOrderMarkRequest {
        order_id: access.id.to_string(),
        secret: access.secret.clone(),
    };
    let found = app.upstreams.desk().get_order_mark(request).await?;
    Ok(found.into_inner().mark)
}

/// The order's secret is another one now, or the guest was erased.
fn opens_no_more(problem: &Problem) -> bool {
    matches!(
        problem.reason(),
        ErrorReason::NotFound | ErrorReason::Unauthenticated
    )
}

fn message(order: &Order) -> Result<Bytes, Problem> {
    let json = serde_json::to_string(order).map_err(|_| broken("order"))?;
    Ok(format!("event: order\ndata: {json}\n\n").into())
}
