//! Whoever comes from outside: calls over HTTP, and remembers every secret that was said or heard.

use std::{sync::Mutex, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use serde_json::{Value, json};
use testkit::{eventually, keys::random_text};

use crate::{
    office::{Office, PATIENCE},
    search::Canaries,
};

/// Fields of answers that are secrets wherever they stand.
const SECRET_FIELDS: [&str; 9] = [
    "secret",
    "access_token",
    "refresh_token",
    "csrf_token",
    "recovery_codes",
    "purchase_proof",
    "code",
    "checkout_url",
    "link",
];
/// Each request has one, so they say nothing about how much was lived through.
pub const IDEMPOTENCY_KEY: &str = "an idempotency key";
/// A cookie of fewer characters is a choice, of a language for example.
const SECRET_COOKIE_CHARS: usize = 20;

pub struct Visitor<'a> {
    pub office: &'a Office,
    canaries: Mutex<Canaries>,
    /// The ids of all requests, which are no secrets.
    requests: Mutex<Vec<String>>,
    client: Client,
}

impl<'a> Visitor<'a> {
    pub fn new(office: &'a Office, canaries: Canaries) -> Self {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self {
            office,
            canaries: Mutex::new(canaries),
            requests: Mutex::default(),
            client,
        }
    }

    /// Must not be found anywhere.
    pub fn note(&self, what: &str, value: &str) {
        self.canaries.lock().unwrap().add(what, value);
    }

    pub fn note_bytes(&self, what: &str, value: &[u8]) {
        self.canaries.lock().unwrap().add_bytes(what, value);
    }

    /// Must stand alone nowhere.
    pub fn note_code(&self, what: &str, code: &str) {
        self.canaries.lock().unwrap().add_code(what, code);
    }

    /// What must not be found, and the ids of the requests, which must.
    pub fn told(self) -> (Canaries, Vec<String>) {
        let canaries = self.canaries.into_inner().unwrap();
        (canaries, self.requests.into_inner().unwrap())
    }

    /// A secret that this visitor makes up.
    pub fn secret(&self, what: &str) -> String {
        let secret = random_text(24);
        self.note(what, &secret);
        secret
    }

    /// An address that nobody else has.
    pub fn address(&self, who: &str) -> String {
        let address = format!("{who}-{}@example.org", random_text(9).to_lowercase());
        self.note(&format!("the address of {who}"), &address);
        address
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix('/') {
            Some(_) => format!("{}{path}", self.office.http),
            None => path.to_owned(),
        };
        self.client.request(method, url)
    }

    /// With a key of its own, which is a secret too: who repeats it gets the same answer.
    pub async fn post(
        &self,
        path: &str,
        bearer: Option<&str>,
        body: &Value,
    ) -> (StatusCode, Value) {
        let key = self.secret(IDEMPOTENCY_KEY);
        let request = self.request(Method::POST, path).json(body);
        let request = request.header("idempotency-key", key);
        self.send(request, bearer).await
    }

    pub async fn get(&self, path: &str, bearer: Option<&str>) -> (StatusCode, Value) {
        let request = self.request(Method::GET, path);
        self.send(request, bearer).await
    }

    /// Answers an empty value where the body is not JSON.
    pub async fn send(&self, request: RequestBuilder, bearer: Option<&str>) -> (StatusCode, Value) {
        let request = match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        self.remember_head(&answer);
        let body = answer.bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.remember("", &body);
        (status, body)
    }

    pub async fn must(&self, expected: u16, answer: (StatusCode, Value)) -> Value {
        let (status, body) = answer;
        assert_eq!(status.as_u16(), expected, "{body}");
        body
    }

    /// What an answer says beside its body.
    pub fn remember_head(&self, answer: &Response) {
        let headers = answer.headers();
        for (_, secret) in cookies(answer) {
            // A seed and a token, or the parts of a token.
            let parts = secret.split('.');
            for part in parts.filter(|part| part.len() >= SECRET_COOKIE_CHARS) {
                self.note("a cookie", part);
            }
        }
        if let Some(id) = headers.get("x-request-id") {
            let id = id.to_str().unwrap().to_owned();
            self.requests.lock().unwrap().push(id);
        }
    }

    pub fn remember(&self, name: &str, value: &Value) {
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| self.remember(name, value)),
            Value::Array(values) => values.iter().for_each(|value| self.remember(name, value)),
            Value::String(text) if SECRET_FIELDS.contains(&name) => {
                // The page of an outside provider may be anywhere; ours has a secret as its last part.
                let value = text.rsplit('/').next().unwrap_or_default();
                if value.len() >= 8 {
                    self.note(&format!("`{name}` of an answer"), value);
                }
            }
            _ => {}
        }
    }

    /// Bodies that nobody can read, with all that a good one has: a parser's own words may repeat what it found.
    pub async fn mangles(&self, path: &str, bearer: Option<&str>, good: &Value) {
        let whole = good.to_string();
        let json = "application/json";
        let mut bodies = vec![
            (json, whole[..whole.len() - 1].to_owned()),
            (json, format!("{whole}{whole}")),
            (json, format!("[{whole}]")),
            (json, Value::from(whole.as_str()).to_string()),
            ("text/plain", whole.clone()),
            ("application/x-www-form-urlencoded", whole),
        ];
        for (field, value) in good.as_object().unwrap() {
            let text = value.as_str().unwrap_or("nothing");
            for (field, value) in [
                (field.as_str(), json!([value])),
                (field, json!({text: value})),
                (text, value.clone()),
            ] {
                let mut other = good.clone();
                other[field] = value;
                bodies.push((json, other.to_string()));
            }
        }
        for (content_type, body) in bodies {
            let request = self.request(Method::POST, path).body(body.clone());
            let request = request.header("content-type", content_type);
            let key = self.secret(IDEMPOTENCY_KEY);
            let request = request.header("idempotency-key", key);
            let (status, answer) = self.send(request, bearer).await;
            assert!(status.is_client_error(), "{path} {body}: {answer}");
        }
    }

    /// A secret where it does not belong, as somebody may paste it.
    pub async fn misplaces(&self, secret: &str) {
        let get = |path: &str| self.request(Method::GET, path);
        let me = "/api/v1/auth/me";
        for request in [
            get(me).bearer_auth(secret),
            get(me).basic_auth("somebody", Some(secret)),
            get(me).header("authorization", secret),
            get(me).header(
                "cookie",
                format!("access={secret}; session={secret}.{secret}"),
            ),
            get(&format!("{me}?token={secret}")),
            get(&format!("/api/v1/orders/{secret}")).bearer_auth(secret),
            get(&format!("/api/v1/{secret}")),
            self.request(Method::DELETE, &format!("/api/v1/auth/api-keys/{secret}")),
            self.request(Method::POST, "/api/v1/holds")
                .header("idempotency-key", secret),
        ] {
            let (status, answer) = self.send(request, None).await;
            assert!(status.is_client_error(), "{answer}");
        }
    }

    /// The newest of so many mails to an address, readable: soft line breaks are gone.
    pub async fn mail_to(&self, address: &str, count: usize) -> String {
        let what = format!("mail {count} to {address}");
        eventually(&what, PATIENCE, async || {
            let mails = self.office.smtp.messages().into_iter();
            let mut own = mails.filter(|mail| mail.to == [address]);
            let mail = own.nth(count - 1)?;
            Some(mail.data.replace("=\r\n", "").replace("=3D", "="))
        })
        .await
    }

    /// What follows a path in a mail, as far as a link goes.
    pub fn link_in<'m>(&self, mail: &'m str, path: &str) -> &'m str {
        let (_, rest) = mail
            .split_once(path)
            .unwrap_or_else(|| panic!("no {path} in\n{mail}"));
        let end = |c: char| !(c.is_ascii_alphanumeric() || "-_/.".contains(c));
        rest.split(end).next().unwrap()
    }
}

/// The cookies that an answer sets, by name.
pub fn cookies(answer: &Response) -> Vec<(String, String)> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    cookies
        .filter_map(|cookie| {
            let (cookie, _) = cookie.to_str().unwrap().split_once(';')?;
            let (name, value) = cookie.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}
