//! What an admin prepares, over the same API.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::wire::{self, Connection};

pub const EMAIL: &str = "boss@example.org";
pub const PASSWORD: &str = "a long enough password";

/// The API takes no more for one type.
pub const MOST_STOCK: u64 = 10_000_000;

/// Signed in.
#[derive(Debug)]
pub struct Admin {
    connection: Connection,
    http: SocketAddr,
    host: String,
    token: String,
    keys: u64,
}

/// An event with its one ticket type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnSale {
    pub event: String,
    pub kind: String,
    pub capacity: u64,
}

impl Admin {
    /// Makes the first account and signs in.
    pub async fn sign_in(http: SocketAddr, setup_token: &str) -> anyhow::Result<Self> {
        let mut admin = Self {
            connection: Connection::open(http).await?,
            http,
            host: http.to_string(),
            token: String::new(),
            keys: 0,
        };
        let setup = json!({"setup_token": setup_token, "email": EMAIL, "password": PASSWORD});
        admin.call("POST", "/api/v1/admin/setup", &setup).await?;
        admin.renew().await?;
        Ok(admin)
    }

    /// Signs in again: a token is good for ten minutes.
    pub async fn renew(&mut self) -> anyhow::Result<()> {
        self.token.clear();
        let login = json!({"email": EMAIL, "password": PASSWORD});
        let answer = self.call("POST", "/api/v1/auth/login", &login).await?;
        self.token = word(&answer, "access_token")?;
        Ok(())
    }

    /// For guests of the bench who ask as an admin.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub async fn read(&mut self, path: &str) -> anyhow::Result<Value> {
        self.call("GET", path, &json!({})).await
    }

    /// An active event without ticket types; answers its id.
    pub async fn event(&mut self, title: &str) -> anyhow::Result<String> {
        let event = json!({
            "title": title,
            "description": "Two sets and a break. Doors open an hour before; the bar takes cards. ".repeat(4),
            "location": "Palác Akropolis, Praha",
            "date_time": "2031-06-12T18:00:00Z",
            "timezone": "Europe/Prague",
            "currency": "EUR",
            "status": "active",
        });
        let made = self.call("POST", "/api/v1/admin/events", &event).await?;
        word(&made, "id")
    }

    /// A ticket type of an event.
    pub async fn kind(&mut self, event: &str, name: &str, stock: u64) -> anyhow::Result<OnSale> {
        let path = format!("/api/v1/admin/events/{event}/ticket-types");
        let kind = json!({
            "category": name,
            "price": {"amount_minor": 4500, "currency": "EUR"},
            "total_stock": stock,
        });
        let made = self.call("POST", &path, &kind).await?;
        Ok(OnSale {
            event: event.to_owned(),
            kind: word(&made, "id")?,
            capacity: stock,
        })
    }

    /// An event with one ticket type.
    pub async fn on_sale(&mut self, title: &str, stock: u64) -> anyhow::Result<OnSale> {
        let event = self.event(title).await?;
        self.kind(&event, "Standing", stock).await
    }

    /// Changes the description of an event, whatever its version.
    pub async fn describe(&mut self, event: &str, description: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/admin/events/{event}");
        let change = json!({"description": description});
        self.call("PATCH", &path, &change).await?;
        Ok(())
    }

    async fn call(&mut self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.keys += 1;
        let key = format!("bench-admin-key-{:08}", self.keys);
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("idempotency-key", key.as_str())];
        if !self.token.is_empty() {
            all.push(("authorization", &bearer));
        }
        let line = (method, self.host.as_str(), path);
        let request = wire::with_body(line, "application/json", &all, &body.to_string());
        let answer = match self.connection.ask(&request).await {
            Ok(answer) => answer,
            // Closed because nothing was asked for a while. The key makes it safe to ask again.
            Err(_) => {
                self.connection = Connection::open(self.http).await?;
                self.connection.ask(&request).await?
            }
        };
        let said = self.connection.body(answer);
        ensure!(
            (200..300).contains(&answer.status),
            "{method} {path} answered {}: {}",
            answer.status,
            String::from_utf8_lossy(said)
        );
        serde_json::from_slice(said).with_context(|| format!("the answer to {method} {path}"))
    }
}

fn word(answer: &Value, name: &str) -> anyhow::Result<String> {
    let found = answer[name].as_str().map(str::to_owned);
    found.with_context(|| format!("an answer without {name}: {answer}"))
}
