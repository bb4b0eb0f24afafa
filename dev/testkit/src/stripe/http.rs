//! Requests in, JSON out, faults in between.

use super::books::Books;
use super::idempotency::{self, Answer};
use super::request::{Params, StripeError};
use super::{Fault, SECRET_KEY, Shared, lock};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri, header};
use axum::{Router, body::Bytes};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub(super) type Faults = HashMap<String, VecDeque<Fault>>;

/// What a client hears; none: the line is cut.
type Outcome = Option<(Answer, Option<u32>)>;

struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(take).with_state(shared)
}

async fn take(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let call = Call {
        method,
        uri,
        headers,
        body,
    };
    // A client that leaves does not stop what it has begun.
    let work = tokio::spawn(serve(shared, call)).await;
    match work.expect("a request does not panic") {
        Some((answer, retry_after)) => respond(answer, retry_after),
        // The connection's task ends here, and with it the connection, without a byte. No panic is shown.
        None => std::panic::resume_unwind(Box::new("cut by the test")),
    }
}

fn respond(answer: Answer, retry_after: Option<u32>) -> Response<Body> {
    let mut response = Response::builder()
        .status(answer.status)
        .header(header::CONTENT_TYPE, "application/json")
        .header("request-id", "req_test");
    if answer.replayed {
        response = response.header("idempotent-replayed", "true");
    }
    if let Some(secs) = retry_after {
        response = response.header(header::RETRY_AFTER, secs);
    }
    response
        .body(Body::from(answer.body))
        .expect("headers of plain words")
}

async fn serve(shared: Arc<Shared>, call: Call) -> Outcome {
    let route = route(&call);
    *lock(&shared.calls).entry(route.clone()).or_default() += 1;
    let planned = lock(&shared.faults)
        .get_mut(&route)
        .and_then(VecDeque::pop_front);
    match planned {
        Some(Fault::TooMany(secs)) => {
            let message = "Request rate limit exceeded.";
            let error = StripeError {
                code: Some("rate_limit"),
                ..StripeError::of_status(429, "invalid_request_error", message)
            };
            return Some((answer(Err(error)), Some(secs)));
        }
        Some(Fault::Fails(status)) => {
            let error = StripeError::of_status(status, "api_error", "Something went wrong.");
            return Some((answer(Err(error)), None));
        }
        _ => {}
    }
    if let Err(error) = admit(&call) {
        return Some((answer(Err(error)), None));
    }
    work(&shared, &call, planned).await
}

/// Once per idempotency key.
async fn work(shared: &Shared, call: &Call, planned: Option<Fault>) -> Outcome {
    let params = match call.method {
        Method::POST => Params::read(&call.body),
        _ => Params::read(call.uri.query().unwrap_or_default().as_bytes()),
    };
    let key = call.headers.get("idempotency-key");
    let key = key.filter(|_| call.method == Method::POST);
    let key = key.and_then(|key| key.to_str().ok());
    if let Some(key) = key {
        let begun = {
            let keys = &mut *lock(&shared.keys);
            idempotency::begin(keys, key, call.uri.path(), &params)
        };
        match begun {
            Ok(None) => {}
            Ok(Some(kept)) => return finish(kept, planned).await,
            Err(error) => return Some((answer(Err(error)), None)),
        }
    }
    let done = perform(&mut lock(&shared.books), call, params);
    shared.emit();
    let began = !done.as_ref().is_err_and(|error| error.param.is_some());
    let answer = match planned {
        Some(Fault::FailsAfter) => {
            let error = StripeError::of_status(500, "api_error", "Something went wrong.");
            answer(Err(error))
        }
        _ => answer(done),
    };
    let outcome = finish(answer.clone(), planned).await;
    if let Some(key) = key {
        let kept = Some(&answer).filter(|_| began);
        idempotency::end(&mut lock(&shared.keys), key, kept);
    }
    outcome
}

async fn finish(answer: Answer, planned: Option<Fault>) -> Outcome {
    match planned {
        Some(Fault::Cut) => None,
        Some(Fault::Slow(by)) => {
            tokio::time::sleep(by).await;
            Some((answer, None))
        }
        _ => Some((answer, None)),
    }
}

fn answer(done: Result<Value, StripeError>) -> Answer {
    let (status, body) = match done {
        Ok(object) => (200, object),
        Err(error) => (error.status, error.body()),
    };
    Answer {
        status,
        body: serde_json::to_vec_pretty(&body).expect("JSON is always writable"),
        replayed: false,
    }
}

fn admit(call: &Call) -> Result<(), StripeError> {
    let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
    let right = format!("Bearer {SECRET_KEY}");
    if header("authorization") != Some(&right) {
        // Stripe shows the key's end.
        let message = "Invalid API Key provided: sk_test_********************klmn";
        return Err(StripeError::of_status(
            401,
            "invalid_request_error",
            message,
        ));
    }
    let version = header("stripe-version").unwrap_or_default();
    let (date, name) = version.split_once('.').unwrap_or((version, ""));
    let is_date = date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !is_date || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        let message = format!("Invalid Stripe API version: {version}");
        return Err(StripeError::invalid(None, message));
    }
    let is_form = header("content-type") == Some("application/x-www-form-urlencoded");
    if call.method == Method::POST && !call.body.is_empty() && !is_form {
        let message = "Invalid request: the content type is not supported.";
        return Err(StripeError::invalid(None, message));
    }
    Ok(())
}

fn segments(uri: &Uri) -> Vec<&str> {
    uri.path().trim_start_matches('/').split('/').collect()
}

/// The method and the path with ids left out.
fn route(call: &Call) -> String {
    let path = match segments(&call.uri)[..] {
        ["v1", "checkout", "sessions", _] => "/v1/checkout/sessions/{id}",
        ["v1", "checkout", "sessions", _, "expire"] => "/v1/checkout/sessions/{id}/expire",
        ["v1", "refunds", _] => "/v1/refunds/{id}",
        _ => call.uri.path(),
    };
    format!("{} {path}", call.method)
}

fn perform(books: &mut Books, call: &Call, params: Params) -> Result<Value, StripeError> {
    match (call.method.as_str(), &segments(&call.uri)[..]) {
        ("POST", ["v1", "checkout", "sessions"]) => books.create_session(params),
        ("GET", ["v1", "checkout", "sessions", id]) => books.show_session(id, params),
        ("POST", ["v1", "checkout", "sessions", id, "expire"]) => books.expire_session(id, params),
        ("POST", ["v1", "refunds"]) => books.create_refund(params),
        ("GET", ["v1", "refunds"]) => books.list_refunds(params),
        ("GET", ["v1", "refunds", id]) => books.show_refund(id),
        (method, _) => {
            let path = call.uri.path();
            let message = format!("Unrecognized request URL ({method}: {path}).");
            Err(StripeError::of_status(
                404,
                "invalid_request_error",
                &message,
            ))
        }
    }
}
