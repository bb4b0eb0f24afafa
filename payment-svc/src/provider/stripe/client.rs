//! Stripe's API over HTTP: forms in, JSON out, and what its errors mean. The account's key is in a
//! header that is never shown, and no text of Stripe's that may quote it is passed on.

use std::time::Duration;

use reqwest::{
    RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderValue, RETRY_AFTER},
};
use serde::de::DeserializeOwned;

use super::objects::ErrorBody;
use crate::{config::StripeSettings, provider::ProviderError};

/// Fields and events are read as this version has them. The webhook endpoint has a version of its own;
/// what is read of events is the same in all.
const API_VERSION: &str = "2026-02-25.clover";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A little less than the caller's own limit, so that the reason is known.
const CALL_TIMEOUT: Duration = Duration::from_secs(14);
/// How often a call is made that Stripe asks to make later.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// Whoever should wait longer asks again by their own schedule.
const PAUSE_MAX: Duration = Duration::from_secs(2);
const MESSAGE_MAX_CHARS: usize = 300;

pub(super) struct Client {
    connection: Option<Connection>,
    base: Url,
}

struct Connection {
    http: reqwest::Client,
    key: HeaderValue,
}

/// What a call came to that was not answered as asked.
#[derive(Debug)]
pub(super) enum Failed {
    /// Stripe said no. Nothing happened, and nothing will by asking again.
    Refused {
        status: StatusCode,
        code: String,
        message: String,
    },
    /// Nothing happened yet: too many calls, or the same one is under way.
    Busy { wait: Duration },
    /// Whether it happened is not known.
    Unknown(String),
}

impl From<Failed> for ProviderError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused { status, .. } if status == StatusCode::NOT_FOUND => {
                Self::UnknownReference
            }
            Failed::Refused { message, .. } => Self::Refused(message),
            Failed::Busy { .. } => Self::Unreachable("Stripe asks to come later".to_owned()),
            Failed::Unknown(why) => Self::Unreachable(why),
        }
    }
}

impl Client {
    pub fn new(settings: &StripeSettings) -> Self {
        let connect = |key: &base::Secret| {
            let mut key = HeaderValue::from_str(&format!("Bearer {}", key.expose())).ok()?;
            key.set_sensitive(true);
            let http = reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(CALL_TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .build();
            Some(Connection {
                http: http.ok()?,
                key,
            })
        };
        Self {
            connection: settings.stripe_secret_key.as_ref().and_then(connect),
            base: settings.stripe_api_base.clone(),
        }
    }

    /// `path` in segments below `/v1`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Failed> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        let connection = self.connection()?;
        self.answer(connection.http.get(url)).await
    }

    /// The same key is the same call to Stripe, which needs the same parameters too.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        params: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<T, Failed> {
        let connection = self.connection()?;
        let mut request = connection.http.post(self.url(path)?).form(params);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.answer(request).await
    }

    fn connection(&self) -> Result<&Connection, Failed> {
        let missing = "STRIPE_SECRET_KEY is missing, or no certificates were found";
        self.connection
            .as_ref()
            .ok_or_else(|| Failed::Unknown(missing.to_owned()))
    }

    fn url(&self, path: &[&str]) -> Result<Url, Failed> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failed::Unknown("STRIPE_API_BASE is no address".to_owned()))?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        Ok(url)
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failed> {
        let request = request
            .header(AUTHORIZATION, self.connection()?.key.clone())
            .header("Stripe-Version", API_VERSION);
        for _ in 1..TRIES {
            let Some(copy) = request.try_clone() else {
                break;
            };
            match once(copy).await {
                Err(Failed::Busy { wait }) if wait <= PAUSE_MAX => tokio::time::sleep(wait).await,
                answer => return answer,
            }
        }
        once(request).await
    }
}

async fn once<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failed> {
    let lost = |error: reqwest::Error| Failed::Unknown(why_lost(&error).to_owned());
    let answer = request.send().await.map_err(lost)?;
    let status = answer.status();
    let wait = retry_after(&answer);
    let body = answer.bytes().await.map_err(lost)?;
    if !status.is_success() {
        return Err(failed(status, wait, &body));
    }
    serde_json::from_slice(&body)
        .map_err(|error| Failed::Unknown(format!("Stripe's answer cannot be read: {error}")))
}

fn why_lost(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "no connection to Stripe"
    } else if error.is_timeout() {
        "Stripe did not answer in time"
    } else {
        "the line to Stripe was cut"
    }
}

fn retry_after(answer: &Response) -> Duration {
    let secs = answer.headers().get(RETRY_AFTER);
    let secs = secs.and_then(|value| value.to_str().ok()?.parse().ok());
    secs.map_or(PAUSE, Duration::from_secs)
}

/// <https://docs.stripe.com/api/errors>
fn failed(status: StatusCode, wait: Duration, body: &[u8]) -> Failed {
    match status {
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => return Failed::Busy { wait },
        // For its operator to mend; then the same call may well succeed. Stripe's text quotes the key.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Failed::Unknown("Stripe does not accept STRIPE_SECRET_KEY".to_owned());
        }
        // Waited too long for us, or for somebody else.
        StatusCode::REQUEST_TIMEOUT | StatusCode::FAILED_DEPENDENCY => {}
        status if status.is_client_error() => {
            if let Ok(ErrorBody { error }) = serde_json::from_slice(body)
                // The key was used with other parameters, so something was asked for by it.
                && error.kind != "idempotency_error"
            {
                let code = error.code.unwrap_or(error.kind);
                let message = error.message.unwrap_or_default();
                let message: String = message.chars().take(MESSAGE_MAX_CHARS).collect();
                let message = format!("{code}: {message}");
                return Failed::Refused {
                    status,
                    code,
                    message,
                };
            }
        }
        _ => {}
    }
    Failed::Unknown(format!("Stripe answered {}", status.as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        match failed(status, PAUSE, body.as_bytes()) {
            Failed::Refused { message, .. } => format!("refused: {message}"),
            Failed::Busy { .. } => "busy".to_owned(),
            Failed::Unknown(why) => format!("unknown: {why}"),
        }
    }

    #[test]
    fn only_a_no_is_a_no() {
        let no = r#"{"error":{"type":"invalid_request_error","code":"amount_too_small","message":"Too small"}}"#;
        assert_eq!(read(400, no), "refused: amount_too_small: Too small");
        assert_eq!(read(402, no), "refused: amount_too_small: Too small");
        let reused = r#"{"error":{"type":"idempotency_error","message":"Keys for…"}}"#;
        assert_eq!(read(400, reused), "unknown: Stripe answered 400");
        assert_eq!(read(400, "<html>"), "unknown: Stripe answered 400");
        assert_eq!(read(409, no), "busy");
        assert_eq!(read(429, ""), "busy");
        assert_eq!(read(500, no), "unknown: Stripe answered 500");
        assert_eq!(read(302, ""), "unknown: Stripe answered 302");
    }

    #[test]
    fn the_key_is_not_passed_on() {
        let quoting = r#"{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: sk_live_*********cdef"}}"#;
        for status in [401, 403] {
            assert!(!read(status, quoting).contains("sk_live"));
        }
    }
}
