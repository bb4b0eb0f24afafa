//! Guests who go all the way: hold, order, pay or cancel.

use std::{net::SocketAddr, time::Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    admin::OnSale,
    wire::{self, Connection},
};

pub const PAYS: &str = "4242424242424242";

/// One guest's connection, for whole purchases.
#[derive(Debug)]
pub struct Buyer {
    connection: Connection,
    nonce: String,
    number: u64,
}

/// An order as the guest has it.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: Uuid,
    pub secret: String,
    /// The path of the page to pay on, and the provider's name for the payment.
    pub page: String,
    pub reference: String,
    pub total_minor: i64,
}

impl Buyer {
    pub async fn open(door: SocketAddr, nonce: &str) -> anyhow::Result<Self> {
        Ok(Self {
            connection: Connection::open(door).await?,
            nonce: nonce.to_owned(),
            number: 0,
        })
    }

    /// A hold with its secret; none if it was refused for want of stock or room.
    pub async fn hold(&mut self, on_sale: &OnSale) -> anyhow::Result<Option<Value>> {
        let body = json!({
            "event_id": on_sale.event,
            "lines": [{"ticket_type_id": on_sale.kind, "quantity": 1}],
        });
        let (status, answer) = self.post("/api/v1/holds", &body, None).await?;
        match status {
            201 => Ok(Some(answer)),
            409 | 503 => Ok(None),
            _ => bail!("a hold answered {status}: {answer}"),
        }
    }

    pub async fn order(&mut self, hold: &Value, email: &str) -> anyhow::Result<Order> {
        let body = json!({
            "hold_id": hold["id"],
            "hold_secret": hold["secret"],
            "email": email,
            "phone_number": "+420 123 456 789",
            "name": "Anežka Nováková",
            "expected_total": hold["total"],
        });
        let (status, answer) = self.post("/api/v1/orders", &body, None).await?;
        if status != 201 {
            bail!("an order answered {status}: {answer}");
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let page = text(&answer["payment"]["checkout_url"]);
        let at = page
            .find("/pay/")
            .context("an order without a page to pay on")?;
        let page = page[at..].to_owned();
        Ok(Order {
            id: text(&answer["id"]).parse()?,
            secret: text(&answer["secret"]),
            reference: page.rsplit('/').next().unwrap_or_default().to_owned(),
            page,
            total_minor: answer["total_amount"]["amount_minor"].as_i64().unwrap_or(0),
        })
    }

    /// Sends the card form of the sandbox's page.
    pub async fn pay(&mut self, order: &Order, card: &str) -> anyhow::Result<()> {
        let form = format!("card_number={card}&exp=12%2F39&cvc=123");
        let line = ("POST", "bench", order.page.as_str());
        let request = wire::with_body(line, "application/x-www-form-urlencoded", &[], &form);
        let answer = self.connection.ask(&request).await?;
        if answer.status != 303 {
            let said = String::from_utf8_lossy(self.connection.body(answer));
            bail!("a card answered {}: {said}", answer.status);
        }
        Ok(())
    }

    pub async fn cancel(&mut self, order: &Order) -> anyhow::Result<()> {
        let path = format!("/api/v1/orders/{}/cancel", order.id);
        let (status, answer) = self.post(&path, &json!({}), Some(&order.secret)).await?;
        if status != 200 {
            bail!("a cancellation answered {status}: {answer}");
        }
        Ok(())
    }

    /// A page, which must be there. The moment of the answer.
    pub async fn look(&mut self, path: &str) -> anyhow::Result<Instant> {
        let answer = self.connection.ask(&wire::get("bench", path, &[])).await?;
        if answer.status != 200 {
            bail!("{path} answered {}", answer.status);
        }
        Ok(Instant::now())
    }

    async fn post(
        &mut self,
        path: &str,
        body: &Value,
        secret: Option<&str>,
    ) -> anyhow::Result<(u16, Value)> {
        self.number += 1;
        let key = format!("{}-{:012}", self.nonce, self.number);
        let bearer = secret.map(|secret| format!("Bearer {secret}"));
        let mut headers = vec![("idempotency-key", key.as_str())];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let request = wire::post("bench", path, &headers, &body.to_string());
        let answer = self.connection.ask(&request).await?;
        let said = self.connection.body(answer);
        let value = serde_json::from_slice(said)
            .with_context(|| format!("{path}: {}", String::from_utf8_lossy(said)))?;
        Ok((answer.status, value))
    }
}
