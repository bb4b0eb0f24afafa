//! Spans are started by name in a few places, never by a library: so what they say is known.

use std::borrow::Cow;

use opentelemetry::{
    Context, Value,
    trace::{Status, TraceContextExt as _},
};
use tracing::Level;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{TraceId, export};

/// The mark of the spans that are exported. Nothing else may bear it.
pub(crate) const TARGET: &str = "boxoffice::trace";

/// What a span is in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers a call.
    Server,
    /// Works on a message.
    Consumer,
    /// Calls something outside of the mesh.
    Client,
    /// Work that was stored and is taken up.
    Internal,
}

/// A piece of work in a trace, from its start until it is dropped. While nothing is exported it
/// costs nothing and only hands the trace on. It is never entered, so no log line tells of it.
#[derive(Debug)]
pub struct Span {
    exported: tracing::Span,
    /// What calls made within belong to.
    trace: Option<TraceId>,
}

impl Span {
    /// Starts it. `service` is the member of the mesh that does the work: five of them may share one
    /// process. Without a parent it starts a trace.
    pub fn start(
        kind: Kind,
        service: &'static str,
        name: impl Into<Cow<'static, str>>,
        parent: Option<TraceId>,
    ) -> Self {
        if !export::is_on() {
            return Self {
                exported: tracing::Span::none(),
                trace: parent,
            };
        }
        let name = name.into();
        // Its parent comes from the call, not from whatever this thread happens to be in. Of the
        // highest level, so that no bound on levels takes it.
        let exported = tracing::span!(
            target: TARGET,
            parent: None,
            Level::ERROR,
            "work",
            otel.name = &*name,
            otel.kind = kind.word(),
            boxoffice.service = service,
        );
        if let Some(parent) = &parent {
            let context = Context::new().with_remote_span_context(parent.context());
            // It fails where the process has a subscriber of its own without our layer.
            drop(exported.set_parent(context));
        }
        // Asking for the context starts the span, which gives it its id.
        let context = exported.context();
        let started = context.span().span_context().clone();
        let trace = started.is_valid().then(|| TraceId::of(&started)).or(parent);
        Self { exported, trace }
    }

    /// What calls made within this work belong to; none where there was no parent and nothing is
    /// exported.
    pub fn trace(&self) -> Option<TraceId> {
        self.trace.clone()
    }

    /// States a fact, by its name in the semantic conventions. Never a path, a body or a header.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.exported.set_attribute(name, value);
    }

    /// Marks it as failed by a fault of ours; a refusal is no failure.
    pub fn fail(&mut self, reason: &'static str) {
        self.exported.set_status(Status::error(reason));
    }
}

impl Kind {
    /// As the bridge to OpenTelemetry reads it.
    fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Consumer => "consumer",
            Self::Client => "client",
            Self::Internal => "internal",
        }
    }
}
