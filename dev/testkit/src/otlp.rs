use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A collector of traces that keeps what it is sent. Gone when dropped.
#[derive(Debug)]
pub struct OtlpReceiver {
    url: String,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

/// A span as it was sent, with ids in hex.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    pub trace_id: String,
    pub span_id: String,
    /// Empty at the root of a trace.
    pub parent_span_id: String,
    pub name: String,
    /// `service.name` of the process.
    pub service: String,
    /// Attributes by name, values as text.
    pub attributes: Vec<(String, String)>,
    /// Everything of it, to be searched for what must not be there.
    pub text: String,
}

impl ReceivedSpan {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Default)]
struct State {
    spans: Mutex<Vec<ReceivedSpan>>,
    metrics: Mutex<String>,
    frozen: AtomicBool,
}

impl OtlpReceiver {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(State::default());
        let service = TraceServiceServer::new(Collector(state.clone()));
        let serving = tonic::transport::Server::builder()
            .add_service(service)
            .add_service(MetricsServiceServer::new(Collector(state.clone())))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move { serving.await.expect("the collector serves") });
        Self {
            url,
            state,
            serving,
        }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// While on, calls are taken and never answered.
    pub fn freeze(&self, on: bool) {
        self.state.frozen.store(on, Ordering::SeqCst);
    }

    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.state
            .spans
            .lock()
            .expect("no test panics while it holds the lock")
            .clone()
    }

    /// All metrics that were sent, to be searched.
    pub fn metrics(&self) -> String {
        self.state.metrics.lock().expect("unpoisoned").clone()
    }

    /// The spans of a trace, once they are as `enough` wants them.
    pub async fn wait_for(
        &self,
        trace_id: &str,
        patience: Duration,
        enough: impl Fn(&[ReceivedSpan]) -> bool,
    ) -> Vec<ReceivedSpan> {
        let of_trace = || {
            let mut spans = self.spans();
            spans.retain(|span| span.trace_id == trace_id);
            spans
        };
        let waiting = async {
            while !enough(&of_trace()) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        if tokio::time::timeout(patience, waiting).await.is_err() {
            let names: Vec<String> = of_trace().into_iter().map(|span| span.name).collect();
            panic!("not within {patience:?}: the spans of trace {trace_id}; there are {names:#?}");
        }
        of_trace()
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Collector(Arc<State>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if self.0.frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let received = read(request.into_inner());
        self.0
            .spans
            .lock()
            .expect("no test panics while it holds the lock")
            .extend(received);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        if self.0.frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let received = format!("{:?}\n", request.into_inner());
        let mut metrics = self.0.metrics.lock().expect("unpoisoned");
        metrics.push_str(&received);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn read(request: ExportTraceServiceRequest) -> Vec<ReceivedSpan> {
    let mut received = Vec::new();
    for process in request.resource_spans {
        let resource = process.resource.unwrap_or_default();
        let attributes = texts(&resource.attributes);
        let service = attributes.iter().find(|(key, _)| key == "service.name");
        let service = service.map(|(_, name)| name.clone()).unwrap_or_default();
        for span in process
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans)
        {
            received.push(ReceivedSpan {
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent_span_id: hex(&span.parent_span_id),
                name: span.name.clone(),
                service: service.clone(),
                attributes: texts(&span.attributes),
                text: format!("{span:?} {resource:?}"),
            });
        }
    }
    received
}

fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    attributes
        .iter()
        .map(|attribute| (attribute.key.clone(), text(attribute)))
        .collect()
}

fn text(attribute: &KeyValue) -> String {
    match attribute
        .value
        .as_ref()
        .and_then(|value| value.value.as_ref())
    {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
