//! The edge: REST and the shop's pages in, gRPC out. It owns no data.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    serve::{ListenerExt as _, serve},
};
use base::Sources;
use kit::{Bind, Shutdown, Tasks};
use tokio::net::TcpListener;

mod app;
mod config;
mod cookies;
mod edge;
mod error_pages;
mod extract;
mod problem;
mod rest;
mod routes;
mod shop;

pub use config::{Config, PublicUrl, PublicUrlError};
pub use error_pages::page as error_page;
pub use problem::status as status_of;

/// Binds the port. Upstreams are connected on first use, so that the gateway starts in any order.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<Server> {
    let listener = bind.listen().await.context("cannot listen for HTTP")?;
    let app = Arc::new(app::App::new(config, sources)?);
    Ok(Server {
        addr: listener.local_addr()?,
        listener,
        tasks: app.tasks.clone(),
        drain_timeout: config.drain_timeout(),
        router: routes::router(app, config.body_limit_bytes),
    })
}

/// A gateway that is bound and not yet serving.
pub struct Server {
    addr: SocketAddr,
    listener: TcpListener,
    router: Router,
    tasks: Tasks,
    drain_timeout: Duration,
}

impl Server {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Requests in work are tracked here: they end even if their client leaves.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Serves until the shutdown, then takes no more connections and drains the open ones.
    pub async fn serve(self, shutdown: Shutdown) -> anyhow::Result<()> {
        tracing::info!(service = "gateway", addr = %self.addr, "serving");
        let begun = shutdown.clone();
        let listener = self.listener.tap_io(|stream| {
            // Without it small answers wait for the client's acknowledgement.
            drop(stream.set_nodelay(true));
        });
        let serving = serve(listener, self.router)
            .with_graceful_shutdown(async move { begun.begun().await })
            .into_future();
        let hard_stop = async {
            shutdown.begun().await;
            tokio::time::sleep(self.drain_timeout).await;
        };
        let served = tokio::select! {
            served = serving => served,
            () = hard_stop => Ok(()),
        };
        self.tasks.finish().await;
        tracing::info!(service = "gateway", "stopped");
        Ok(served?)
    }
}
