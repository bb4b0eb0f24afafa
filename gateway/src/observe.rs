//! A request as an operator sees it: a span, a count, a duration.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use http::{Method, StatusCode};
use kit::{
    TraceId,
    telemetry::{Kind, Span},
};

/// From the first look at a request until this is dropped.
pub struct Observed {
    method: &'static str,
    route: String,
    span: Span,
    started: Instant,
    /// None while there is no answer; it stays so when the client leaves.
    status: Option<StatusCode>,
}

impl Observed {
    pub fn begin(request: &Request) -> Self {
        let method = method_of(request.method());
        let route = route_of(request).to_owned();
        let parent = TraceId::from_headers(request.headers());
        let mut span = Span::start(Kind::Server, "gateway", format!("{method} {route}"), parent);
        span.set("http.request.method", method);
        span.set("http.route", route.clone());
        Self {
            method,
            route,
            span,
            started: Instant::now(),
            status: None,
        }
    }

    /// What the calls of this request belong to.
    pub fn trace(&self) -> Option<TraceId> {
        self.span.trace()
    }

    pub fn end(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let status = match self.status {
            Some(status) => {
                let code = i64::from(status.as_u16());
                self.span.set("http.response.status_code", code);
                if status.is_server_error() {
                    self.span.fail("5xx");
                }
                status.as_str().to_owned()
            }
            None => "none".to_owned(),
        };
        let labels = [
            ("method", self.method.to_owned()),
            ("route", std::mem::take(&mut self.route)),
        ];
        let elapsed = self.started.elapsed();
        metrics::histogram!("http_server_request_duration_seconds", &labels).record(elapsed);
        let [method, route] = labels;
        let labels = [method, route, ("status", status)];
        metrics::counter!("http_server_requests_total", &labels).increment(1);
    }
}

/// The pattern of the route, never the path itself: paths of links carry secrets.
pub fn route_of(request: &Request) -> &str {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or("unmatched", MatchedPath::as_str)
}

/// Anybody can make up a method; labels are few.
fn method_of(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("_OTHER")
}
