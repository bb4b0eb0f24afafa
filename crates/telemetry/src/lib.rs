//! Logs, traces and metrics of a process, on threads of their own. Nothing here can fail a start or
//! hold up a call: what cannot be exported is dropped.

mod export;
mod health;
mod keep;
mod logs;
mod panics;
mod push;
mod recorder;
mod scrape;
mod settings;
mod span;
mod trace_id;

use std::{
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tokio::runtime::{self, Runtime};
use tokio_util::sync::CancellationToken;

pub use export::spans;
pub use health::{Counted, ready_when};
pub use logs::init_logs;
pub use panics::log_panics;
pub use settings::Settings;
pub use span::{Kind, Span};
pub use trace_id::TraceId;

/// For the last spans and metrics, when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The telemetry of this process. Dropping it sends the last spans and metrics, within two seconds.
#[must_use = "it ends when it is dropped"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    sinks: Vec<recorder::Sink>,
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
        metrics: None,
        sinks: Vec::new(),
        metrics_addr: None,
        stop: CancellationToken::new(),
    };
    let wanted = Wanted {
        traces: settings.collector(),
        slow: settings.slow(),
        metrics: settings.metrics_collector(),
        metrics_addr: settings.metrics_addr,
    };
    if wanted.traces.is_none() && wanted.metrics.is_none() && wanted.metrics_addr.is_none() {
        return telemetry;
    }
    if let Err(error) = telemetry.start(service, &wanted) {
        tracing::error!(error = format!("{error:#}"), "no telemetry");
    }
    telemetry
}

struct Wanted<'a> {
    traces: Option<&'a str>,
    slow: Option<Duration>,
    metrics: Option<&'a str>,
    metrics_addr: Option<SocketAddr>,
}

impl Telemetry {
    /// Where the metrics are served, if they are.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    fn start(&mut self, service: &'static str, wanted: &Wanted<'_>) -> anyhow::Result<()> {
        // Not the runtime of the calls: neither may wait for the other.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        if let Some(endpoint) = wanted.traces {
            match export::start(service, endpoint, wanted.slow) {
                Ok(traces) => self.traces = Some(traces),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "no traces are exported")
                }
            }
        }
        if let Some(endpoint) = wanted.metrics
            && let Err(error) = self.push(service, endpoint)
        {
            tracing::error!(error = format!("{error:#}"), "no metrics are exported");
        }
        if let Some(addr) = wanted.metrics_addr
            && let Err(error) = self.scrape(addr)
        {
            tracing::error!(%addr, error = format!("{error:#}"), "no metrics are served");
        }
        drop(entered);
        run(runtime, self.stop.clone())
    }

    fn push(&mut self, service: &'static str, endpoint: &str) -> anyhow::Result<()> {
        let (provider, instruments) = push::start(service, endpoint)?;
        self.metrics = Some(provider);
        self.record_to(Arc::new(instruments))
    }

    fn scrape(&mut self, addr: SocketAddr) -> anyhow::Result<()> {
        let (addr, recorder) = scrape::start(addr, self.stop.clone())?;
        self.record_to(Arc::new(recorder))?;
        self.metrics_addr = Some(addr);
        Ok(())
    }

    fn record_to(&mut self, sink: recorder::Sink) -> anyhow::Result<()> {
        recorder::add(sink.clone())?;
        self.sinks.push(sink);
        Ok(())
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
        let begun = Instant::now();
        self.sinks.iter().for_each(recorder::remove);
        let ending = self.metrics.take().map(push::stop);
        if let Some(traces) = self.traces.take() {
            export::stop();
            if let Err(error) = traces.shutdown_with_timeout(FLUSH_TIMEOUT) {
                tracing::warn!(%error, "the last spans were not sent");
            }
        }
        let left = FLUSH_TIMEOUT.saturating_sub(begun.elapsed());
        if ending.is_some_and(|ending| !ending.wait(left)) {
            tracing::warn!("the last metrics were not sent");
        }
        self.stop.cancel();
    }
}
