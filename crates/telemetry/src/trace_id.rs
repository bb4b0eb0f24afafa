use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

const TRACEPARENT: &str = "traceparent";

/// Off where `OTEL_PROPAGATORS` says so.
static PROPAGATE: AtomicBool = AtomicBool::new(true);

pub(crate) fn propagate(yes: bool) {
    PROPAGATE.store(yes, Ordering::Relaxed);
}

/// The trace of a call (W3C Trace Context), and the span in it that causes what comes next.
/// Displayed as the id alone: 32 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceId {
    trace: opentelemetry::TraceId,
    span: SpanId,
    flags: TraceFlags,
}

impl TraceId {
    /// A new trace from 16 random bytes. No span of ours stands behind it, so its first half takes
    /// the place of one, and it is not marked as sampled.
    pub fn new(random: [u8; 16]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&random[..8]);
        Self {
            trace: opentelemetry::TraceId::from_bytes(random),
            span: SpanId::from_bytes(first),
            flags: TraceFlags::NOT_SAMPLED,
        }
    }

    /// From the header `traceparent`; none if it is absent or malformed.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        if !PROPAGATE.load(Ordering::Relaxed) {
            return None;
        }
        Self::from_traceparent(headers.get(TRACEPARENT)?.to_str().ok()?)
    }

    /// From `00-<trace>-<span>-<flags>`.
    pub fn from_traceparent(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.strip_prefix("00-")?.split('-');
        let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, len| {
            text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if parts.next().is_some() || !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
            return None;
        }
        let read = Self {
            trace: opentelemetry::TraceId::from_hex(trace).ok()?,
            span: SpanId::from_hex(span).ok()?,
            flags: TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        };
        read.context().is_valid().then_some(read)
    }

    /// To be stored with work that is done later, in this trace.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }

    /// The header for a call that this one causes; none if it is not to be told.
    pub fn header(&self) -> Option<String> {
        PROPAGATE
            .load(Ordering::Relaxed)
            .then(|| self.traceparent())
    }

    pub(crate) fn of(span: &SpanContext) -> Self {
        Self {
            trace: span.trace_id(),
            span: span.span_id(),
            flags: span.trace_flags(),
        }
    }

    /// As the parent of a span.
    pub(crate) fn context(&self) -> SpanContext {
        SpanContext::new(self.trace, self.span, self.flags, true, TraceState::NONE)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_kept_as_it_came() {
        let header = format!("00-{ID}-00f067aa0ba902b7-01");
        let trace = TraceId::from_traceparent(&header).unwrap();
        assert_eq!(trace.to_string(), ID);
        assert_eq!(trace.traceparent(), header);
    }

    #[test]
    fn a_malformed_trace_is_dropped() {
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            "00-short-x-01".to_owned(),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{ID}-0000000000000000-01"),
            format!("00-{ID}-00f067aa0ba902b7"),
            format!("00-{ID}-00f067aa0ba902b7-01-more"),
            format!("00-{}-00f067aa0ba902b7-01", ID.to_uppercase()),
        ] {
            assert_eq!(TraceId::from_traceparent(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_new_trace_can_be_read_back() {
        let trace = TraceId::new([7; 16]);
        assert_eq!(TraceId::from_traceparent(&trace.traceparent()), Some(trace));
    }
}
