//! After a change of the programme: a hint to whoever keeps a copy of it. It may be lost; copies look
//! at the list of changes now and then anyway.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Context as _;
use futures::future::BoxFuture;
use hints::{Hints, subject::PROGRAMME_CHANGED};
use kit::Tasks;
use proto::Peer;
use tokio::sync::Notify;
use tonic::{
    codegen::{Service, http},
    server::NamedService,
};

use crate::config::Config;

/// Copies hear at least so often that all is well.
const EVERY: Duration = Duration::from_secs(600);

/// Sends a hint per nudge, a burst of nudges at once. Without NATS_URL nothing is sent.
pub async fn start(config: &Config, tasks: &Tasks) -> anyhow::Result<Arc<Notify>> {
    let nudge = Arc::new(Notify::new());
    if let Some(url) = &config.nats_url {
        let hints = Hints::connect(url, Peer::Ticket.name())
            .await
            .context("NATS_URL")?;
        tasks.job("announce_changes", EVERY, nudge.clone(), move || {
            let hints = hints.clone();
            async move {
                hints.send(PROGRAMME_CHANGED).await;
                Ok(false)
            }
        });
    }
    Ok(nudge)
}

/// A service whose changes are announced: whatever a method does, here it is done.
#[derive(Clone)]
pub struct Announced<S> {
    service: S,
    nudge: Arc<Notify>,
}

impl<S> Announced<S> {
    pub fn new(service: S, nudge: Arc<Notify>) -> Self {
        Self { service, nudge }
    }
}

impl<S: NamedService> NamedService for Announced<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for Announced<S>
where
    S: Service<http::Request<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mutates = proto::policy(request.uri().path()).is_some_and(|policy| policy.mutates);
        let nudge = mutates.then(|| self.nudge.clone());
        let work = self.service.call(request);
        Box::pin(async move {
            let answer = work.await;
            // Also after a refusal: its outcome may be unknown, and a hint too many costs little.
            if let Some(nudge) = nudge {
                nudge.notify_one();
            }
            answer
        })
    }
}
