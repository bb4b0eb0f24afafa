use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter,
    filter::{FilterExt as _, filter_fn},
    fmt,
    prelude::*,
};

use crate::export;

/// Quiet where libraries chat, unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,sqlx=warn,h2=warn,hyper=warn,tonic=warn,tower=warn,\
    async_nats=warn,opentelemetry=warn,opentelemetry-otlp=error";

/// At its most talkative the library of NATS writes whole messages, and they hold all that a guest is. Nobody may ask
/// for that by accident.
fn is_no_payload(metadata: &Metadata<'_>) -> bool {
    !(metadata.target().starts_with("async_nats") && *metadata.level() == Level::TRACE)
}

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
        .with(lines.with_filter(filter.and(filter_fn(is_no_payload))));
    // A second start in one process (tests, the all-in-one) keeps the first subscriber.
    drop(registry.try_init());
}
