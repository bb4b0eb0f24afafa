//! Which spans are sent: those of sampled traces, and beside them whatever failed or took long, though
//! its trace was not sampled.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    Context, KeyValue, TraceId,
    trace::{Link, SpanContext, SpanKind, Status},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        Config, SamplingDecision, SamplingResult, ShouldSample, Span, SpanData, SpanProcessor,
    },
};

/// In an outage everything fails. What is sent beyond the sample stays a bounded cost.
const KEPT_MAX_PER_SECOND: u32 = 100;

/// Says on a span why it was sent without its trace, so that nobody counts it as part of the sample.
const KEPT: &str = "boxoffice.kept";

/// What the specification's settings ask for, but what they drop is recorded until it ends.
#[derive(Clone, Debug)]
pub(crate) struct RecordAll(Box<dyn ShouldSample>);

impl RecordAll {
    /// The sampler of `OTEL_TRACES_SAMPLER`, as the SDK reads it.
    pub(crate) fn of_environment() -> Self {
        Self(Config::default().sampler)
    }
}

impl ShouldSample for RecordAll {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = &self.0;
        let mut result = sampler.should_sample(parent, trace, name, kind, attributes, links);
        if result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}

/// Hands on what is to be sent. A call that fails or waits makes its callers fail or wait, so what is
/// kept is the way from the edge to the cause, decided by each process for its own spans.
#[derive(Debug)]
pub(crate) struct Keep<P> {
    next: P,
    slow: Duration,
    allowance: Allowance,
}

impl<P> Keep<P> {
    /// `slow`: what takes as long is kept.
    pub(crate) fn new(next: P, slow: Duration) -> Self {
        Self {
            next,
            slow,
            allowance: Allowance::default(),
        }
    }

    fn reason(&self, span: &SpanData) -> Option<&'static str> {
        if matches!(span.status, Status::Error { .. }) {
            return Some("failed");
        }
        let took = span.end_time.duration_since(span.start_time);
        (took.unwrap_or_default() >= self.slow).then_some("slow")
    }
}

impl<P: SpanProcessor> SpanProcessor for Keep<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if !span.span_context.is_sampled() {
            let Some(reason) = self.reason(&span) else {
                return;
            };
            if !self.allowance.take(span.end_time) {
                return;
            }
            span.attributes.push(KeyValue::new(KEPT, reason));
            // The queue behind takes sampled spans only.
            span.span_context = sampled(&span.span_context);
        }
        self.next.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

fn sampled(context: &SpanContext) -> SpanContext {
    SpanContext::new(
        context.trace_id(),
        context.span_id(),
        context.trace_flags().with_sampled(true),
        context.is_remote(),
        context.trace_state().clone(),
    )
}

/// So many a second, by the clock of the spans. The second above, what was taken of it below.
#[derive(Debug, Default)]
struct Allowance(AtomicU64);

impl Allowance {
    fn take(&self, at: SystemTime) -> bool {
        let now = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() << 32;
        let one_more = |last: u64| {
            // Ends come a little out of order; an earlier second counts towards the latest.
            let begun = last.max(now);
            let taken = if last < now {
                0
            } else {
                last & u64::from(u32::MAX)
            };
            (taken < u64::from(KEPT_MAX_PER_SECOND))
                .then_some((begun & !u64::from(u32::MAX)) | (taken + 1))
        };
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_keeps_a_hundred_spans_a_second() {
        let allowance = Allowance::default();
        let taken = |at: u64| {
            let at = UNIX_EPOCH + Duration::from_secs(at);
            (0..1000).filter(|_| allowance.take(at)).count()
        };
        assert_eq!(taken(1_790_000_000), 100);
        assert_eq!(taken(1_790_000_000), 0, "the second is used up");
        assert_eq!(taken(1_790_000_001), 100);
        assert_eq!(taken(1_790_000_000), 0, "a late end opens no old second");
        assert_eq!(taken(1_790_000_005), 100);
    }
}
