use telemetry::{Kind, Span, TraceId};
use tracing::Instrument as _;

use crate::{CallContext, with_context};

/// Does work that was stored, as a span in the trace it came from: its calls and log lines belong to
/// the same story. `traceparent` is what was stored with it; without one it is a story of its own.
pub async fn resume<F: Future>(
    kind: Kind,
    member: &'static str,
    name: &'static str,
    traceparent: Option<&str>,
    work: F,
) -> F::Output {
    let parent = traceparent.and_then(TraceId::from_traceparent);
    let span = Span::start(kind, member, name, parent);
    let context = CallContext {
        deadline: None,
        trace: span.trace(),
        client: None,
    };
    let lines = tracing::error_span!(
        "work",
        member,
        name,
        trace_id = context.trace.as_ref().map(tracing::field::display)
    );
    let outcome = with_context(context, work.instrument(lines)).await;
    drop(span);
    outcome
}
