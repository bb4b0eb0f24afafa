//! What the gateway's webhook route does: real HTTP in, `ReceiveEvent` out, raw bytes untouched.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use proto::payment::{
    ReceiveEventRequest, provider_event_service_client::ProviderEventServiceClient,
};
use tokio::net::TcpListener;

use crate::world::Channel;

pub type EventsClient = ProviderEventServiceClient<Channel>;

#[derive(Clone, Default)]
pub struct Hook(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    url: String,
    target: Option<EventsClient>,
    /// Each delivery is handed on so many times; 0 loses it.
    copies: usize,
    /// Answers 500 for so many deliveries although they were handed on.
    answers_lost: u32,
    seen: Vec<ReceiveEventRequest>,
}

impl Hook {
    /// Answers the URL to deliver to. Nothing is handed on before `point_at`.
    pub async fn serve(&self) -> String {
        let app = Router::new()
            .route("/hook", post(take))
            .with_state(self.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        self.copies(1);
        let url = format!("http://{addr}/hook");
        self.0.lock().unwrap().url.clone_from(&url);
        url
    }

    pub fn url(&self) -> String {
        self.0.lock().unwrap().url.clone()
    }

    pub fn point_at(&self, target: EventsClient) {
        self.0.lock().unwrap().target = Some(target);
    }

    pub fn copies(&self, copies: usize) {
        self.0.lock().unwrap().copies = copies;
    }

    pub fn lose_answers(&self, count: u32) {
        self.0.lock().unwrap().answers_lost = count;
    }

    /// Every delivery so far, handed on or not.
    pub fn seen(&self) -> Vec<ReceiveEventRequest> {
        self.0.lock().unwrap().seen.clone()
    }
}

async fn take(State(hook): State<Hook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &axum::http::HeaderName| headers[name].to_str().unwrap().to_owned();
    let headers: HashMap<String, String> = headers
        .keys()
        .map(|name| (name.as_str().to_owned(), header(name)))
        .collect();
    let provider = match headers.contains_key("stripe-signature") {
        true => "stripe",
        false => "sandbox",
    };
    let request = ReceiveEventRequest {
        provider: provider.to_owned(),
        body,
        headers,
    };
    let (target, copies, lost) = {
        let mut inner = hook.0.lock().unwrap();
        inner.seen.push(request.clone());
        let lost = inner.answers_lost > 0;
        inner.answers_lost = inner.answers_lost.saturating_sub(1);
        (inner.target.clone(), inner.copies, lost)
    };
    let Some(mut target) = target.filter(|_| copies > 0) else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    for _ in 0..copies {
        if target.receive_event(request.clone()).await.is_err() {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
    }
    if lost {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::NO_CONTENT
    }
}
