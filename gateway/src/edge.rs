//! What happens around every request: trace, deadline, a task that outlives its client, the
//! rendering of problems, security headers, and one log line per failure.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base::Language;
use http::{HeaderName, HeaderValue, Method, header};
use kit::{CallContext, ErrorReason, Failure, TraceId, with_context};
use tracing::Instrument as _;

use crate::{
    app::{App, Shared},
    compress::Wish,
    cross_site, lanes,
    observe::{Observed, route_of},
    problem::{self, Problem},
    programme, retries,
    shop::{self, problem_page::WayOn, reader::Reader},
};

/// Paths that programs use; everything else is a page.
const API_PREFIXES: [&str; 5] = [
    "/api/",
    "/.well-known/",
    "/healthz",
    "/readyz",
    "/openapi.json",
];
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What must be known of a request after it is gone.
struct Seen {
    method: Method,
    /// The pattern of the route, never the path itself: paths of links carry secrets.
    route: String,
    page: bool,
    /// Where a page with a problem leads.
    way_on: WayOn,
    /// Of that page.
    language: Language,
    trace_id: String,
    /// Of a request for what only a secret opens.
    guesser: Option<String>,
}

/// Routes that a secret opens: who tries many of them waits.
const GUARDED: [&str; 10] = [
    "/api/v1/holds/{id}",
    "/api/v1/orders/{id}",
    "/api/v1/transferred-tickets/{id}",
    "/checkout/{id}",
    "/h/{id}",
    "/o/{id}",
    "/orders/{id}",
    "/t/{id}",
    "/tickets/{id}",
    "/u/{id}",
];

impl Seen {
    fn of(app: &App, request: &Request, trace: &TraceId) -> Self {
        let route = route_of(request);
        let guarded = GUARDED.iter().any(|start| route.starts_with(start));
        let network = || app.proxies.network(request.extensions(), request.headers());
        let path = request.uri().path();
        let reader = Reader::of(&app.public_url, request.uri().query(), request.headers());
        let matched = request.extensions().get::<MatchedPath>();
        let api = API_PREFIXES.iter().any(|prefix| path.starts_with(prefix));
        let accept = request.headers().get(header::ACCEPT);
        let accept = accept
            .and_then(|accept| accept.to_str().ok())
            .unwrap_or_default();
        let page_by_path = matched.is_some() && !api && !accept.contains("json");
        Self {
            method: request.method().clone(),
            route: route.to_owned(),
            guesser: guarded.then(network),
            page: page_by_path || accept.contains("text/html"),
            way_on: WayOn::of(path),
            language: reader.language,
            trace_id: trace.to_string(),
        }
    }

    /// Who has tried too many links that lead nowhere is told to wait, and no more. A right link is
    /// opened in any case: many guests may share a network with one who tries.
    fn after_guess(&self, app: &App, problem: Problem) -> Problem {
        let Some(network) = &self.guesser else {
            return problem;
        };
        if problem.reason() != ErrorReason::NotFound {
            return problem;
        }
        let now = Instant::now();
        let checked = app.guesses.check(network, now);
        app.guesses.count(network, now);
        checked.err().map_or(problem, Problem::from)
    }

    fn read_only(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }
}

/// These answer when nothing else does.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// Calls end with the deadline; what only then has to be written still gets through.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// The outermost layer.
pub async fn edge(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let sharing = app.cors.of(&request);
    if sharing.is_with_another_site(app.public_url.origin()) {
        request.headers_mut().remove(header::COOKIE);
    }
    let wish = Wish::of(&request);
    let mut response = match app.cors.preflight(&request, &sharing) {
        Some(response) => response,
        None => {
            let response = told(&app, request, next).await;
            let mut response = app.compressor.answer(wish, response).await;
            sharing.mark(response.headers_mut());
            response
        }
    };
    app.guard.mark(&mut response);
    response
}

/// The answer with its trace, seen by whoever operates this.
async fn told(app: &Shared, request: Request, next: Next) -> Response {
    let admitted = admit(app, &request);
    if admitted.is_ok()
        && let Some(known) = programme::quick::answer(app, &request)
    {
        return known;
    }
    let observed = Observed::begin(&request);
    let trace = observed
        .trace()
        .unwrap_or_else(|| TraceId::new(app.sources.bytes()));
    let seen = Seen::of(app, &request, &trace);
    // Of the highest level, so that a filter that hides chatter keeps the trace on what it shows.
    let lines = tracing::error_span!("request", route = seen.route, trace_id = seen.trace_id);
    let client = app.proxies.client(request.extensions(), request.headers());
    let answer = async {
        admitted?;
        let request = app.arrivals.whole(request).await?;
        let context = CallContext {
            deadline: Some(Instant::now() + app.handler_timeout),
            trace: Some(trace),
            client,
        };
        Ok(with_context(context, answer(app.clone(), request, next)).await)
    };
    let answer: Result<Response, Problem> = answer.instrument(lines).await;
    let mut response = answer.unwrap_or_else(Problem::into_response);
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let problem = seen.after_guess(app, problem);
        let problem = if seen.read_only() {
            problem.of_read()
        } else {
            problem
        };
        log(&problem, &seen);
        render(app, &problem, &seen, &mut response);
    }
    if let Ok(id) = HeaderValue::from_str(&seen.trace_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    observed.end(response.status());
    response
}

/// What is refused before anything is done for it.
fn admit(app: &App, request: &Request) -> Result<(), Problem> {
    let (extensions, headers) = (request.extensions(), request.headers());
    let asked = app
        .rates
        .ask(request, || app.proxies.network_id(extensions, headers));
    if asked.is_err() && app.proxies.may_lack_one(extensions, headers) {
        app.suspicion.tell("asks too often", Instant::now());
    }
    asked?;
    cross_site::check(app, request)
}

/// The answer of the router, if there is room for the request.
async fn answer(app: Shared, request: Request, next: Next) -> Response {
    let probe = PROBES.contains(&request.uri().path());
    let place = match app.lanes.enter_at_once() {
        Some(place) => Ok(place),
        None => {
            let claim = lanes::claim(&app, &request);
            app.lanes.enter(claim).await
        }
    };
    let place = match place {
        Ok(place) => Some(place),
        Err(_) if probe => None,
        Err(failure) => return Problem::from(failure).into_response(),
    };
    let shown = lanes::Pending::of(&app, &request);
    let repeatable = !probe && retries::repeatable(request.method(), request.headers());
    let answer = retries::within(repeatable, next.run(request));
    let answer = tokio::time::timeout(app.handler_timeout + ANSWER_MARGIN, answer);
    let lanes = app.clone();
    let work = async move {
        let answer = answer.await;
        if let Ok(answer) = &answer {
            shown.judge(&lanes, answer);
        }
        drop(place);
        answer
    };
    // A task of its own: a client that leaves must not cancel a purchase half way, and a panic
    // must not close the connection.
    match app.tasks.spawn(work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_elapsed)) => Problem::from(Failure::outcome_unknown()).into_response(),
        Err(_) => Problem::from(Failure::panicked()).into_response(),
    }
}

fn log(problem: &Problem, seen: &Seen) {
    let Seen {
        method,
        route,
        trace_id,
        ..
    } = seen;
    let (reason, status) = (
        problem.reason().word(),
        problem::status(problem.reason()).as_u16(),
    );
    if let Some(error) = &problem.0.source {
        tracing::error!(%method, route, status, reason, trace_id, error = %error, "request failed");
    } else if status >= 500 {
        tracing::warn!(%method, route, status, reason, trace_id, "request failed");
    } else if status == 429 {
        // Whoever asks too often must not fill the log.
        tracing::debug!(%method, route, status, reason, trace_id, "request refused");
    } else {
        tracing::info!(%method, route, status, reason, trace_id, "request refused");
    }
}

/// Fills in the body; headers that the refusing layer set (such as `Allow`) stay.
fn render(app: &App, problem: &Problem, seen: &Seen, response: &mut Response) {
    let body = problem.body(&app.public_url, &seen.trace_id);
    let (content_type, text) = if seen.page {
        (
            "text/html; charset=utf-8",
            shop::problem_page::render(app, seen.language, &body, &seen.way_on),
        )
    } else {
        (
            problem::CONTENT_TYPE,
            serde_json::to_string(&body).unwrap_or_default(),
        )
    };
    *response.status_mut() = problem::status(problem.reason());
    *response.body_mut() = Body::from(text);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The address of what failed may be a guest's link.
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if body.status == 401 && !seen.page {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let wait = problem
        .0
        .retry_after
        .or((matches!(body.status, 429 | 503)).then_some(ONE_SECOND));
    if let Some(wait) = wait {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(wait.as_secs().max(1)),
        );
    }
}

const ONE_SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, middleware::from_fn_with_state, routing::get};
    use base::Sources;
    use clap::Parser as _;
    use tower::ServiceExt as _;

    use super::*;
    use crate::Config;

    #[tokio::test]
    async fn a_panic_is_a_problem_and_says_nothing_of_its_cause() {
        let key = format!("--mesh-key={}", testkit::keys::mesh_key());
        let config = Config::parse_from(["gateway", &key]);
        let app = Arc::new(App::new(&config, Sources::system()).unwrap());
        let router: Router = Router::new()
            .route(
                "/api/panics",
                get(async || -> Response { panic!("private detail") }),
            )
            .layer(from_fn_with_state(app.clone(), edge))
            .with_state(app);
        let request = Request::builder()
            .uri("/api/panics")
            .body(Body::empty())
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            body.contains("INTERNAL") && !body.contains("private detail"),
            "{body}"
        );
    }
}
