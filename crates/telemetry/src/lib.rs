//! Logs, traces and metrics of a process, on threads of their own. Nothing here can fail a start or
//! hold up a call: what cannot be exported is dropped.

mod export;
mod logs;
mod scrape;
mod settings;
mod span;
mod trace_id;

use std::{net::SocketAddr, thread, time::Duration};

use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::{self, Runtime};
use tokio_util::sync::CancellationToken;

pub use export::spans;
pub use logs::init_logs;
pub use settings::Settings;
pub use span::{Kind, Span};
pub use trace_id::TraceId;

/// For the last spans, when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The telemetry of this process. Dropping it sends the last spans, within two seconds.
#[must_use = "it ends when it is dropped"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics_addr: Option<SocketAddr>,
    stop: CancellationToken,
}

/// Starts logs, and what the settings ask for beyond. `service` names the process in the traces.
/// Only the first start in a process counts. A subscriber that stands already is kept: without
/// `spans` in it, nothing is exported.
pub fn init(service: &'static str, settings: &Settings) -> Telemetry {
    init_logs();
    trace_id::propagate(settings.propagates());
    let mut telemetry = Telemetry {
        traces: None,
        metrics_addr: None,
        stop: CancellationToken::new(),
    };
    let endpoint = settings.collector();
    if endpoint.is_none() && settings.metrics_addr.is_none() {
        return telemetry;
    }
    if let Err(error) = telemetry.start(service, endpoint, settings.metrics_addr) {
        tracing::error!(error = format!("{error:#}"), "no telemetry");
    }
    telemetry
}

impl Telemetry {
    /// Where the metrics are served, if they are.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    fn start(
        &mut self,
        service: &'static str,
        endpoint: Option<&str>,
        metrics_addr: Option<SocketAddr>,
    ) -> anyhow::Result<()> {
        // Not the runtime of the calls: neither may wait for the other.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        if let Some(endpoint) = endpoint {
            match export::start(service, endpoint) {
                Ok(traces) => self.traces = Some(traces),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "no traces are exported")
                }
            }
        }
        if let Some(addr) = metrics_addr {
            match scrape::start(addr, self.stop.clone()) {
                Ok(addr) => self.metrics_addr = Some(addr),
                Err(error) => {
                    tracing::error!(%addr, error = format!("{error:#}"), "no metrics are served")
                }
            }
        }
        drop(entered);
        run(runtime, self.stop.clone())
    }
}

/// Gives the runtime its thread, until the end.
fn run(runtime: Runtime, stop: CancellationToken) -> anyhow::Result<()> {
    let work = move || runtime.block_on(stop.cancelled());
    thread::Builder::new()
        .name("telemetry".to_owned())
        .spawn(work)?;
    Ok(())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = self.traces.take() {
            export::stop();
            if let Err(error) = traces.shutdown_with_timeout(FLUSH_TIMEOUT) {
                tracing::warn!(%error, "the last spans were not sent");
            }
        }
        self.stop.cancel();
    }
}
