//! A receiver as notify-svc is one: it commits each message once, however it comes. Faults on demand.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use base::MessageId;
use events::{AcceptMessages, Poison};
use futures::future::BoxFuture;
use proto::{
    event::Envelope,
    notify::{AcceptRequest, AcceptResponse, accept_service_server::AcceptService},
};
use sqlx::PgPool;
use tonic::{Request, Response, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    JetStream,
    Accept,
}

/// One attempt to hand over a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: MessageId,
    pub way: Way,
    pub generation: u32,
}

#[derive(Clone)]
pub struct Receiver {
    inbox: PgPool,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    /// So many of the next batches fail before anything is committed.
    pub fail_next: Arc<AtomicU32>,
    /// Commits what comes over JetStream and names nothing: the confirmation is lost.
    pub silent: Arc<AtomicBool>,
    /// What comes over JetStream waits while this is held.
    pub gate: Arc<tokio::sync::Mutex<()>>,
    /// Every attempt to set a message aside.
    pub poison: Arc<Mutex<Vec<Poison>>>,
}

impl Receiver {
    pub fn new(inbox: PgPool) -> Self {
        Self {
            inbox,
            deliveries: Arc::default(),
            fail_next: Arc::default(),
            silent: Arc::default(),
            gate: Arc::default(),
            poison: Arc::default(),
        }
    }

    /// Every attempt so far, failed ones included, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().unwrap().clone()
    }

    pub fn deliveries_of(&self, id: MessageId) -> Vec<(Way, u32)> {
        let deliveries = self.deliveries();
        let own = deliveries.iter().filter(|delivery| delivery.id == id);
        own.map(|delivery| (delivery.way, delivery.generation))
            .collect()
    }

    fn fail_if_told(&self) -> anyhow::Result<()> {
        let fails = |left: u32| left.checked_sub(1);
        let left = self
            .fail_next
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails);
        anyhow::ensure!(left.is_err(), "the test lets this batch fail");
        Ok(())
    }

    async fn commit(&self, envelopes: Vec<Envelope>, way: Way) -> anyhow::Result<Vec<MessageId>> {
        let mut ids = Vec::new();
        for envelope in &envelopes {
            let id = envelope.message_id.parse()?;
            let generation = envelope.generation;
            self.deliveries.lock().unwrap().push(Delivery {
                id,
                way,
                generation,
            });
            ids.push(id);
        }
        self.fail_if_told()?;
        for id in &ids {
            sqlx::query("INSERT INTO inbox (message_id) VALUES ($1) ON CONFLICT DO NOTHING")
                .bind(id.uuid())
                .execute(&self.inbox)
                .await?;
        }
        Ok(ids)
    }
}

impl AcceptMessages for Receiver {
    fn accept(&self, envelopes: Vec<Envelope>) -> BoxFuture<'_, anyhow::Result<Vec<MessageId>>> {
        Box::pin(async move {
            let gate = self.gate.lock().await;
            let ids = self.commit(envelopes, Way::JetStream).await?;
            drop(gate);
            Ok(if self.silent.load(Ordering::SeqCst) {
                Vec::new()
            } else {
                ids
            })
        })
    }

    fn set_aside(&self, poison: Poison) -> BoxFuture<'_, anyhow::Result<()>> {
        self.poison.lock().unwrap().push(poison);
        Box::pin(async move { self.fail_if_told() })
    }
}

#[tonic::async_trait]
impl AcceptService for Receiver {
    async fn accept(&self, r: Request<AcceptRequest>) -> Result<Response<AcceptResponse>, Status> {
        let ids = self.commit(r.into_inner().envelopes, Way::Accept).await;
        let ids = ids.map_err(|error| Status::unavailable(error.to_string()))?;
        let accepted_message_ids = ids.iter().map(ToString::to_string).collect();
        Ok(Response::new(AcceptResponse {
            accepted_message_ids,
        }))
    }
}
