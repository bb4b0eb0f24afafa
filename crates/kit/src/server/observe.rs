//! A call as an operator sees it: a span in its caller's trace, a count, a duration, and the trace id
//! on every log line within.

use std::time::Instant;

use http::Response;
use telemetry::{Kind, Span};
use tonic::body::Body;
use tracing::Instrument as _;

use crate::{CallContext, Code, TraceId, with_context};

/// Names of methods come from strangers too; only those of the contracts become labels.
const UNKNOWN: &str = "unknown";

pub(super) async fn observe<E>(
    member: &'static str,
    path: &str,
    mut context: CallContext,
    work: impl Future<Output = Result<Response<Body>, E>>,
) -> Result<Response<Body>, E> {
    let mut observed = Observed::begin(member, path, context.trace);
    context.trace = observed.span.trace();
    // Of the highest level, so that a filter that hides chatter keeps the trace on what it shows.
    let lines = tracing::error_span!(
        "call",
        member,
        method = path,
        trace_id = context.trace.as_ref().map(tracing::field::display)
    );
    let answer = with_context(context, work.instrument(lines)).await;
    observed.code = answer.as_ref().map_or(Code::Unknown, status_of);
    answer
}

/// From the first look at a call until this is dropped.
struct Observed {
    member: &'static str,
    service: &'static str,
    method: &'static str,
    span: Span,
    started: Instant,
    /// Cancelled until there is an answer; it stays so when the caller leaves.
    code: Code,
}

impl Observed {
    fn begin(member: &'static str, path: &str, parent: Option<TraceId>) -> Self {
        let policy = proto::policy(path);
        let known = policy.and_then(|policy| policy.path.strip_prefix('/')?.split_once('/'));
        let (service, method) = known.unwrap_or((UNKNOWN, UNKNOWN));
        let mut span = Span::start(Kind::Server, member, format!("{service}/{method}"), parent);
        span.set("rpc.system", "grpc");
        span.set("rpc.service", service);
        span.set("rpc.method", method);
        Self {
            member,
            service,
            method,
            span,
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let word = word(self.code);
        self.span
            .set("rpc.grpc.status_code", i64::from(i32::from(self.code)));
        if is_fault(self.code) {
            self.span.fail(word);
        }
        let labels = [
            ("member", self.member),
            ("service", self.service),
            ("method", self.method),
        ];
        metrics::histogram!("rpc_server_duration_seconds", &labels).record(self.started.elapsed());
        let [member, service, method] = labels;
        let labels = [member, service, method, ("code", word)];
        metrics::counter!("rpc_server_requests_total", &labels).increment(1);
    }
}

/// A refusal stands in the headers, because no message follows; success comes after the message.
fn status_of(answer: &Response<Body>) -> Code {
    let status = answer.headers().get("grpc-status");
    status.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// Faults of ours by the semantic conventions; everything else is an answer.
fn is_fault(code: Code) -> bool {
    use Code as C;
    matches!(
        code,
        C::Unknown
            | C::DeadlineExceeded
            | C::Unimplemented
            | C::Internal
            | C::Unavailable
            | C::DataLoss
    )
}

/// As the gRPC specification writes it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
