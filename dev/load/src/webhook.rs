//! What a provider reports, signed as the sandbox signs.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use aws_lc_rs::hmac;
use serde_json::json;
use uuid::Uuid;

use crate::{
    buyer::Order,
    drive::Guest,
    rng::Rng,
    wire::{self, Connection},
};

const PATH: &str = "/api/v1/webhooks/sandbox";

/// `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body">`.
pub struct Signer(hmac::Key);

impl Signer {
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    pub fn sign(&self, body: &[u8], now: i64) -> String {
        let t = now.to_string();
        let mut context = hmac::Context::with_key(&self.0);
        context.update(t.as_bytes());
        context.update(b".");
        context.update(body);
        format!("t={t},v1={}", base::hex(context.sign().as_ref()))
    }
}

/// One report.
#[derive(Clone, Debug)]
pub struct Report {
    pub order: Uuid,
    body: String,
}

impl Report {
    /// The whole sum has arrived.
    pub fn paid(event_id: &str, order: &Order) -> Self {
        let body = json!({
            "id": event_id,
            "type": "payment.succeeded",
            "created": 1_800_000_000,
            "data": {
                "reference": order.reference,
                "amount_minor": order.total_minor,
                "currency": "EUR",
                "status": "succeeded",
                "metadata": {"order_id": order.id},
            },
        });
        Self {
            order: order.id,
            body: body.to_string(),
        }
    }
}

/// One connection of the provider.
pub struct Reporter {
    connection: Connection,
    delivery: Delivery,
    rng: Rng,
    pub duplicates: u64,
    /// Forged ones that were.
    pub refused: u64,
    pub wrong: Vec<String>,
}

/// How reports are sent.
#[derive(Clone)]
pub struct Delivery {
    pub http: SocketAddr,
    pub signer: Arc<Signer>,
    pub reports: Arc<Vec<Report>>,
    /// Unix seconds.
    pub now: i64,
    /// So many in a hundred have a signature over other bytes.
    pub forged_per_cent: u64,
}

impl Delivery {
    /// So many connections over which the list is sent.
    pub async fn reporters(&self, count: usize) -> anyhow::Result<Vec<Reporter>> {
        let mut all = Vec::new();
        for number in 0..count {
            all.push(Reporter {
                connection: Connection::open(self.http).await?,
                delivery: self.clone(),
                rng: Rng::new(number as u64),
                duplicates: 0,
                refused: 0,
                wrong: Vec::new(),
            });
        }
        Ok(all)
    }
}

impl Reporter {
    async fn post(&mut self, body: &str, signature: &str) -> anyhow::Result<(u16, String)> {
        let headers = [("sandbox-signature", signature)];
        let request = wire::post("bench", PATH, &headers, body);
        let answer = self.connection.ask(&request).await?;
        let said = String::from_utf8_lossy(self.connection.body(answer)).into_owned();
        Ok((answer.status, said))
    }
}

impl Guest for Reporter {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        let reports = self.delivery.reports.clone();
        let place = usize::try_from(number).unwrap_or(0) % reports.len();
        let body = &reports[place].body;
        let forged = self.rng.per_cent(self.delivery.forged_per_cent);
        if forged {
            let signature = self
                .delivery
                .signer
                .sign(b"something else", self.delivery.now);
            match self.post(body, &signature).await? {
                (400, _) => self.refused += 1,
                (status, said) => self.wrong.push(format!("forged: {status} {said}")),
            }
            if self.delivery.forged_per_cent == 100 {
                return Ok(Instant::now());
            }
        }
        let signature = self
            .delivery
            .signer
            .sign(body.as_bytes(), self.delivery.now);
        let (status, said) = self.post(body, &signature).await?;
        let at = Instant::now();
        if status != 200 {
            self.wrong.push(format!("{status} {said}"));
        } else if said.contains("true") {
            self.duplicates += 1;
        }
        Ok(at)
    }
}
