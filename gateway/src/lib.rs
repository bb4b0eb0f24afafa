//! The edge: REST and the shop's pages in, gRPC out. It owns no data.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use axum::Router;
use base::Sources;
use hints::Hints;
use kit::{Bind, Limits, Shutdown, Tasks};
use tokio::net::TcpListener;

mod app;
mod arrival;
mod breaker;
mod compress;
mod config;
mod cookies;
mod cors;
mod cross_site;
mod dashboard;
mod edge;
mod error_pages;
mod extract;
mod guard;
mod guesses;
mod holds;
mod images;
mod lanes;
mod network;
mod observe;
mod probes;
mod problem;
mod programme;
mod providers;
mod rates;
mod rest;
mod retries;
mod routes;
mod session;
mod shop;
mod told;
mod upstream;
mod views;
mod zip;

pub use config::{Config, Cors, Proxies, PublicUrl, PublicUrlError, RateLimits};
pub use error_pages::page as error_page;
pub use problem::status as status_of;

/// Binds the port. Upstreams are connected on first use, so that the gateway starts in any order.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<Server> {
    let listener = bind.listen().await.context("cannot listen for HTTP")?;
    let app = Arc::new(app::App::new(config, sources)?);
    let hints = match &config.nats_url {
        Some(url) => Some(Hints::connect(url, "gateway").await.context("NATS_URL")?),
        None => None,
    };
    programme::start(&app, hints);
    views::start(&app);
    Ok(Server {
        addr: listener.local_addr()?,
        listener,
        tasks: app.tasks.clone(),
        limits: config.limits(),
        readiness_off: config.readiness_off(),
        closing: app.closing.clone(),
        router: routes::router(app, config.body_limit_bytes)
            .map_err(|failure| anyhow!(failure.detail))?,
    })
}

/// A gateway that is bound and not yet serving.
pub struct Server {
    addr: SocketAddr,
    listener: TcpListener,
    router: Router,
    tasks: Tasks,
    limits: Limits,
    readiness_off: Duration,
    closing: Shutdown,
}

impl Server {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Requests in work are tracked here: they end even if their client leaves.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Serves until the shutdown, then says it is not ready, takes no more connections and drains
    /// the open ones.
    pub async fn serve(self, shutdown: Shutdown) -> anyhow::Result<()> {
        tracing::info!(service = "gateway", addr = %self.addr, "serving");
        let drain = Shutdown::new();
        let closing = self.closing.clone();
        let _counted = kit::telemetry::ready_when(move || !closing.has_begun());
        let serving = listen::serve(self.listener, self.limits, self.router, drain.token());
        let ending = async {
            shutdown.begun().await;
            self.closing.begin();
            tokio::time::sleep(self.readiness_off).await;
            drain.begin();
        };
        tokio::join!(serving, ending);
        self.tasks.finish().await;
        tracing::info!(service = "gateway", "stopped");
        Ok(())
    }
}
