//! Server-Sent Events about one order, for who waits for its payment or its tickets.

use std::{convert::Infallible, pin::pin, time::Duration};

use axum::{body::Body, extract::State, response::Response};
use base::OrderId;
use bytes::Bytes;
use futures::stream;
use kit::{ErrorReason, Shutdown};
use proto::payment::GetOrderMarkRequest;
use tokio::time::Instant;

use super::{get_order::fetch, stream_availability::event_stream};
use crate::{
    app::Shared,
    extract::{Access, Asker},
    problem::Problem,
    programme::Place,
    rest::{
        problems::{Faults, Secret},
        types::{Order, broken},
    },
};

/// How often it is looked whether anything has changed.
const LOOK: Duration = Duration::from_secs(2);
/// Tells who listens, and every proxy between, that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// An order, now and whenever anything of it changes, as Server-Sent Events.
///
/// `order` has the body of `GET /api/v1/orders/{id}`; `gone` is the last one where the secret opens it no more; `reconnect`
/// where the server stops.
#[utoipa::path(get, path = "/api/v1/orders/{id}/stream", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses((status = 200, content_type = "text/event-stream", body = String), Secret, Faults))]
pub async fn stream_order(
    State(app): State<Shared>,
    asker: Asker,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    let mark = mark(&app, &access).await?;
    let order = fetch(&app, &access, false).await?;
    let place = app.streams.enter(asker.network)?;
    let watcher = Watcher {
        closing: app.closing.clone(),
        app,
        access,
        mark,
        first: Some(message(&order)?),
        ended: false,
        _place: place,
    };
    let messages = stream::unfold(watcher, |mut watcher| async move {
        let message = watcher.next().await?;
        Some((Ok::<_, Infallible>(message), watcher))
    });
    Ok(event_stream(Body::from_stream(messages)))
}

/// One guest who waits.
struct Watcher {
    app: Shared,
    closing: Shutdown,
    access: Access<OrderId>,
    /// Of the order as it was told.
    mark: String,
    first: Option<Bytes>,
    ended: bool,
    _place: Place,
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
            tokio::select! {
                () = &mut closing => return Some(self.end("reconnect")),
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.look().await {
                Ok(Some(message)) => return Some(message),
                Err(problem) if opens_no_more(&problem) => return Some(self.end("gone")),
                // Whoever could not be asked is asked again.
                Ok(None) | Err(_) => {}
            }
        }
        Some(Bytes::from_static(b": \n\n"))
    }

    async fn look(&mut self) -> Result<Option<Bytes>, Problem> {
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
