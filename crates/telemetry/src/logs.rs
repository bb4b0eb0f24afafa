use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::export;

/// Quiet where libraries chat, unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,sqlx=warn,h2=warn,hyper=warn,tonic=warn,tower=warn,\
    async_nats=warn,opentelemetry=warn,opentelemetry-otlp=error";

/// Log lines to stderr: for people on a terminal, JSON elsewhere. Only the first call counts.
pub fn init_logs() {
    // Each layer has its own filter: a quiet log takes nothing from the traces.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.compact().boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    let registry = tracing_subscriber::registry()
        .with(export::spans())
        .with(lines.with_filter(filter));
    // A second start in one process (tests, the all-in-one) keeps the first subscriber.
    drop(registry.try_init());
}
