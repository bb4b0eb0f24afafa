//! Metrics as Prometheus text, and whether the process is alive and ready, on a port of their own that is never the
//! public one.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use listen::{Limits, RequestBody};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio::net::TcpListener;
use tokio_util::{bytes::Bytes, sync::CancellationToken};

use crate::health;

/// From a cached page to the longest deadline of a call.
pub(crate) const BUCKETS_SECS: [f64; 13] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// From one alone to the largest batch there is.
const BUCKETS_ITEMS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// What is measured piles up until it is sorted into its buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
const CONNECTIONS_MAX: usize = 16;

/// Binds the port and serves on the current runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "they serve the whole process and end with it"
)]
pub(crate) fn start(
    addr: SocketAddr,
    stop: CancellationToken,
) -> anyhow::Result<(SocketAddr, PrometheusRecorder)> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS_SECS)?
        .set_buckets_for_metric(Matcher::Suffix("_items".to_owned()), &BUCKETS_ITEMS)?
        .build_recorder();
    let metrics = recorder.handle();
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(upkeep(metrics.clone()));
    tokio::spawn(serve(listener, metrics, stop));
    Ok((addr, recorder))
}

async fn upkeep(metrics: PrometheusHandle) {
    let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        interval.tick().await;
        metrics.run_upkeep();
    }
}

async fn serve(listener: TcpListener, metrics: PrometheusHandle, stop: CancellationToken) {
    let limits = Limits {
        connections_max: CONNECTIONS_MAX,
        ..Limits::edge()
    };
    let answers = tower::service_fn(move |request: Request<RequestBody>| {
        let response = answer(request.uri().path(), &metrics);
        async move { Ok::<_, Infallible>(response) }
    });
    listen::serve(listener, limits, answers, stop).await;
}

fn answer(path: &str, metrics: &PrometheusHandle) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        "/metrics" => (StatusCode::OK, metrics.render()),
        // Asks nothing: who answers is alive.
        "/livez" => (StatusCode::OK, "alive\n".to_owned()),
        "/readyz" if health::is_ready() => (StatusCode::OK, "ready\n".to_owned()),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
        _ => (
            StatusCode::NOT_FOUND,
            "The metrics are at /metrics.\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
