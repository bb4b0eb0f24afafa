//! Whoever comes from outside: calls over HTTP, and remembers every secret that was said or heard.

use std::{sync::Mutex, time::Duration};

use reqwest::{Client, Method, RequestBuilder, StatusCode, redirect};
use serde_json::Value;
use testkit::{eventually, keys::random_text};

use crate::{
    office::{Office, PATIENCE},
    search::Canaries,
};

/// Fields of answers that are secrets wherever they stand.
const SECRET_FIELDS: [&str; 7] = [
    "secret",
    "access_token",
    "refresh_token",
    "purchase_proof",
    "code",
    "checkout_url",
    "link",
];

pub struct Visitor<'a> {
    pub office: &'a Office,
    canaries: Mutex<Canaries>,
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
            client,
        }
    }

    /// Must not be found anywhere.
    pub fn note(&self, what: &str, value: &str) {
        self.canaries.lock().unwrap().add(what, value);
    }

    pub fn canaries(self) -> Canaries {
        self.canaries.into_inner().unwrap()
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
        let key = self.secret("an idempotency key");
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
        let body = answer.bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.remember(&body);
        (status, body)
    }

    pub async fn must(&self, expected: u16, answer: (StatusCode, Value)) -> Value {
        let (status, body) = answer;
        assert_eq!(status.as_u16(), expected, "{body}");
        body
    }

    fn remember(&self, body: &Value) {
        match body {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        // The page of an outside provider may be anywhere; ours has a secret as its last part.
                        Some(text) if SECRET_FIELDS.contains(&name.as_str()) => {
                            let value = text.rsplit('/').next().unwrap_or_default();
                            if value.len() >= 8 {
                                self.note(&format!("`{name}` of an answer"), value);
                            }
                        }
                        _ => self.remember(value),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.remember(value)),
            _ => {}
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
