//! A span for each message that comes, in the trace of what caused it.

use kit::{
    TraceId,
    telemetry::{Kind, Span},
};
use proto::event::Envelope;

/// The messages go on below these spans; they end when the receiver has answered.
pub(crate) fn spans(member: &'static str, envelopes: &mut [Envelope]) -> Vec<Span> {
    envelopes
        .iter_mut()
        .map(|envelope| span(member, envelope))
        .collect()
}

pub(crate) fn end(spans: Vec<Span>, accepted: bool) {
    for mut span in spans {
        if !accepted {
            span.fail("not accepted");
        }
    }
}

fn span(member: &'static str, envelope: &mut Envelope) -> Span {
    let parent = TraceId::from_traceparent(&envelope.traceparent);
    let mut span = Span::start(Kind::Consumer, member, "process message", parent);
    span.set("messaging.system", "nats");
    span.set("messaging.operation.type", "process");
    span.set("messaging.message.id", envelope.message_id.clone());
    if let Some(trace) = span.trace() {
        envelope.traceparent = trace.traceparent();
    }
    span
}
