//! The sender's end. A row is written in the transaction of what it announces, published, and open
//! until the receiver confirmed a committed row of its own. The broker may forget everything.

use std::{sync::Arc, time::Duration};

use db::Db;
use kit::{Tasks, client::MeshChannel};
use proto::notify::{AcceptRequest, accept_service_client::AcceptServiceClient};
use tokio::{sync::Notify, time::timeout};

use crate::{
    Nats, alarm, confirm,
    health::Trust,
    publish::{PROBE_TIMEOUT, PUBLISH_ACK_TIMEOUT, publish},
    rows::{self, BATCH_ROWS, LEASE, OpenRow},
};

const POLL_INTERVAL: Duration = Duration::from_secs(1);
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(8);
/// So many generations are published; then the receiver is called directly.
const MAX_PUBLISHES: i32 = 2;

const _: () = assert!(
    PROBE_TIMEOUT.as_secs() + PUBLISH_ACK_TIMEOUT.as_secs() + ACCEPT_TIMEOUT.as_secs()
        < LEASE.as_secs(),
    "a round at its worst ends within its lease",
);

/// What the outbox job works with.
pub struct OutboxConfig {
    pub tasks: Tasks,
    pub db: Db,
    pub nats: Nats,
    /// The sure way, when the broker is away or forgetful.
    pub accept: AcceptServiceClient<MeshChannel>,
    /// Wakes the job right after a commit that wrote a row.
    pub nudge: Arc<Notify>,
    /// Name of the sending service; its replicas share one subscription to the confirmations.
    pub service: &'static str,
}

/// Starts publishing what is open and listening for confirmations.
pub fn start_outbox(config: OutboxConfig) {
    let OutboxConfig {
        tasks,
        db,
        nats,
        accept,
        nudge,
        service,
    } = config;
    confirm::start(&tasks, db.clone(), nats.clone(), service);
    alarm::start(&tasks, db.clone(), service);
    let queue = db.queue_session();
    let sender = Arc::new(Sender {
        db,
        queue,
        nats,
        accept,
    });
    tasks.job("outbox", POLL_INTERVAL, nudge, move || {
        let sender = sender.clone();
        async move { sender.round().await }
    });
}

struct Sender {
    db: Db,
    /// For taking what is due.
    queue: Db,
    nats: Nats,
    accept: AcceptServiceClient<MeshChannel>,
}

impl Sender {
    /// Takes up what is due. True if there may be more.
    async fn round(&self) -> anyhow::Result<bool> {
        let rows = rows::claim(&self.queue).await?;
        let full = rows.len() as i64 == BATCH_ROWS;
        let trust = self.nats.trust();
        let (to_publish, to_call) = divide(rows, trust);
        // Side by side: a broker that is only being tried keeps nobody waiting.
        let publish_or_call = async {
            let unsure = publish(&self.nats, to_publish, trust).await;
            // They may have arrived all the same; the receiver keeps one row either way.
            self.call_receiver(unsure).await
        };
        let (published, called) = tokio::join!(publish_or_call, self.call_receiver(to_call));
        published.and(called)?;
        Ok(full)
    }

    async fn call_receiver(&self, rows: Vec<OpenRow>) -> anyhow::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let envelopes = rows.iter().map(|row| row.envelope.clone()).collect();
        let mut accept = self.accept.clone();
        let call = accept.accept(AcceptRequest { envelopes });
        let outcome = match timeout(ACCEPT_TIMEOUT, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(anyhow::Error::from(status)),
            Err(_) => Err(anyhow::anyhow!("the receiver did not answer in time")),
        };
        match outcome {
            // What it does not name it refuses; that stays open until the lease ends.
            Ok(answer) => Ok(confirm::confirm(&self.db, &answer.accepted_message_ids).await?),
            Err(error) => {
                rows::put_back(&self.db, &rows).await?;
                Err(error)
            }
        }
    }
}

/// What is published, and what the receiver is called with.
fn divide(rows: Vec<OpenRow>, trust: Trust) -> (Vec<OpenRow>, Vec<OpenRow>) {
    let mut places = match trust {
        Trust::Full | Trust::AfterALook => usize::MAX,
        Trust::OneMessage => 1,
        Trust::Nothing => 0,
    };
    rows.into_iter().partition(|row| {
        let published = row.generation <= MAX_PUBLISHES && places > 0;
        places -= usize::from(published);
        published
    })
}
