//! Spans on their way to a collector: a bounded queue that drops, emptied by a thread of its own.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::{
    Context, Key, KeyValue, global,
    global::BoxedSpan,
    trace::{SpanBuilder, Tracer, noop::NoopTracerProvider},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SdkTracerProvider},
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{
    keep::{Keep, RecordAll},
    span::TARGET,
};

static ON: AtomicBool = AtomicBool::new(false);

/// Whether spans go anywhere.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Takes the spans that are named in this crate to the exporter, and no other span or event: what
/// libraries say stays out of the traces. For the one subscriber of a process; `init` installs one
/// that has it, and a process that brings its own must add it or export nothing.
pub fn spans<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let ours = filter_fn(|what| what.is_span() && what.target() == TARGET)
        .with_max_level_hint(LevelFilter::ERROR);
    tracing_opentelemetry::layer()
        .with_tracer(ToExporter)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(ours)
}

/// The subscriber is installed once, before the first exporter, and outlives it.
struct ToExporter;

impl Tracer for ToExporter {
    type Span = BoxedSpan;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> BoxedSpan {
        global::tracer("boxoffice").build_with_context(builder, parent)
    }
}

/// Spans that failed or took as long as `slow` go too where the sampler left them out; without it,
/// nothing but the sample. Must run within the runtime that is to carry the connection.
pub(crate) fn start(
    service: &'static str,
    endpoint: &str,
    slow: Option<Duration>,
) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        // Not the library's words: they repeat the address, and an address may hold a password.
        .map_err(|_| anyhow::anyhow!("the address of the collector is not usable"))?;
    let queue = BatchSpanProcessor::builder(exporter).build();
    let builder = SdkTracerProvider::builder().with_resource(resource(service));
    let provider = match slow {
        Some(slow) => builder
            .with_sampler(RecordAll::of_environment())
            .with_span_processor(Keep::new(queue, slow)),
        None => builder.with_span_processor(queue),
    }
    .build();
    if !ON.swap(true, Ordering::Relaxed) {
        global::set_tracer_provider(provider.clone());
    }
    Ok(provider)
}

pub(crate) fn stop() {
    ON.store(false, Ordering::Relaxed);
    global::set_tracer_provider(NoopTracerProvider::new());
}

/// An operator's `OTEL_SERVICE_NAME` goes first.
pub(crate) fn resource(service: &'static str) -> Resource {
    let said = Resource::builder().build();
    let named = said
        .get(&Key::from_static_str("service.name"))
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if named {
        builder.build()
    } else {
        builder.with_service_name(service).build()
    }
}
