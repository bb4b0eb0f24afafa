//! A sender with its outbox and a receiver with its inbox, each with tasks of its own, and a
//! nats-server that no other test uses.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, consumer::PullConsumer};
use base::{MessageId, Secret, Sources};
use db::{Db, DbConfig};
use events::{Nats, OutboxConfig, enqueue, start_consumer, start_outbox};
use kit::{Bind, MeshKey, ServerBuilder, Shutdown, Tasks, client, client::MeshChannel};
use proto::{
    Peer,
    event::{OrderPaid, envelope::Payload},
    notify::{
        accept_service_client::AcceptServiceClient, accept_service_server::AcceptServiceServer,
    },
};
use sqlx::{PgPool, migrate::Migrator};
use testkit::{FaultProxy, NatsServer, eventually};
use tokio::{sync::Notify, task::JoinHandle};

use crate::receiver::{Receiver, Way};

static MIGRATOR: Migrator = sqlx::migrate!("tests/it/migrations");

pub const STREAM: &str = "BOXOFFICE";
pub const DURABLE: &str = "receiver";
pub const LIMIT: Duration = Duration::from_secs(60);

pub struct Harness {
    pub db: Db,
    pub rows: PgPool,
    pub nats: NatsServer,
    pub receiver: Receiver,
    pub sources: Sources,
    /// Between the senders and NATS.
    pub wire: FaultProxy,
    nudge: Arc<Notify>,
    accept: AcceptServiceClient<MeshChannel>,
    senders: Vec<Sender>,
    /// `None` while it is stopped.
    consumer: Option<Tasks>,
    server: (Shutdown, JoinHandle<()>),
}

/// One replica of the sending service.
struct Sender {
    tasks: Tasks,
    nats: Nats,
}

impl Harness {
    /// Everything is up.
    pub async fn start() -> Self {
        let harness = Self::with_nats(NatsServer::start_private().await).await;
        harness.nats_is_there().await;
        harness
    }

    /// Everything but NATS is up.
    pub async fn without_nats() -> Self {
        Self::with_nats(NatsServer::reserve_private().await).await
    }

    async fn with_nats(nats: NatsServer) -> Self {
        testkit::logs();
        let database = testkit::database("events", &MIGRATOR).await;
        let rows = database.pool().await;
        let db = Db::connect(&DbConfig::new(&database.url, "events-it"))
            .await
            .unwrap();
        let receiver = Receiver::new(rows.clone());
        let mesh: MeshKey = testkit::keys::mesh_key().parse().unwrap();

        let (bind, addr) = Bind::loopback().await.unwrap();
        let server = ServerBuilder::new(Peer::Notify, bind, mesh.clone(), Tasks::new())
            .await
            .unwrap()
            .add_service(AcceptServiceServer::new(receiver.clone()))
            .build()
            .await
            .unwrap();
        let shutdown = Shutdown::new();
        let begun = shutdown.clone();
        let serving = tokio::spawn(async move { server.serve(begun).await.unwrap() });

        let identity = mesh.identity(Peer::Payment);
        let channel = client::channel(&format!("http://{addr}"), identity).unwrap();
        let mut harness = Self {
            db,
            rows,
            wire: FaultProxy::before(nats.url()).await,
            nats,
            receiver,
            sources: Sources::system(),
            nudge: Arc::new(Notify::new()),
            accept: AcceptServiceClient::new(channel),
            senders: Vec::new(),
            consumer: None,
            server: (shutdown, serving),
        };
        harness.start_sender(harness.wire.url().to_owned()).await;
        harness.start_consumer().await;
        harness
    }

    /// Starts a (further) replica of the sender, with NATS at this URL.
    pub async fn start_sender(&mut self, nats_url: String) {
        let tasks = Tasks::new();
        let nats = Nats::connect(&Secret::new(nats_url), "sender", 1)
            .await
            .unwrap();
        start_outbox(OutboxConfig {
            tasks: tasks.clone(),
            db: self.db.clone(),
            nats: nats.clone(),
            accept: self.accept.clone(),
            nudge: self.nudge.clone(),
            service: "sender",
        });
        self.senders.push(Sender { tasks, nats });
    }

    pub async fn stop_senders(&mut self) {
        for sender in self.senders.drain(..) {
            sender.tasks.finish().await;
            assert_eq!(sender.tasks.in_flight(), 0, "the sender left a task behind");
        }
    }

    pub async fn start_consumer(&mut self) {
        assert!(self.consumer.is_none(), "the consumer runs already");
        let tasks = Tasks::new();
        let nats = Nats::connect(&Secret::new(self.nats.url()), DURABLE, 1)
            .await
            .unwrap();
        start_consumer(&tasks, nats, DURABLE, Arc::new(self.receiver.clone()));
        self.consumer = Some(tasks);
    }

    pub async fn stop_consumer(&mut self) {
        let tasks = self.consumer.take().unwrap();
        tasks.finish().await;
        assert_eq!(tasks.in_flight(), 0, "the consumer left a task behind");
    }

    /// Enqueues a message of a new order, as a business operation does.
    pub async fn enqueue(&self) -> MessageId {
        let id = MessageId::new(&self.sources);
        let now = self.sources.now();
        self.db
            .run((), move |tx, ()| Box::pin(enqueue(tx, id, now, paid(id))))
            .await
            .unwrap();
        self.nudge.notify_one();
        id
    }

    /// Makes every open row due, in place of the seconds that would pass.
    pub async fn let_time_pass(&self) {
        sqlx::query(
            "UPDATE outbox SET next_attempt_at = clock_timestamp() WHERE confirmed_at IS NULL",
        )
        .execute(&self.rows)
        .await
        .unwrap();
        self.nudge.notify_one();
    }

    /// Keeps the sender from trying again by itself, so that only the test decides when.
    pub async fn stop_time(&self) {
        sqlx::query("UPDATE outbox SET next_attempt_at = clock_timestamp() + interval '1 hour'")
            .execute(&self.rows)
            .await
            .unwrap();
    }

    /// `(generation, closed)` of a row.
    pub async fn row(&self, id: MessageId) -> (i32, bool) {
        sqlx::query_as("SELECT generation, confirmed_at IS NOT NULL FROM outbox WHERE id = $1")
            .bind(id.uuid())
            .fetch_one(&self.rows)
            .await
            .unwrap()
    }

    pub async fn closed(&self, id: MessageId) {
        eventually("the row is closed", LIMIT, async || {
            self.row(id).await.1.then_some(())
        })
        .await;
    }

    /// Waits until nothing is open.
    pub async fn all_closed(&self) {
        eventually("all rows are closed", LIMIT, async || {
            let open = "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL";
            let open: i64 = sqlx::query_scalar(open)
                .fetch_one(&self.rows)
                .await
                .unwrap();
            (open == 0).then_some(())
        })
        .await;
    }

    /// Outbox rows of all times.
    pub async fn count(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM outbox");
        count.fetch_one(&self.rows).await.unwrap()
    }

    pub async fn generation(&self, id: MessageId, at_least: i32) {
        eventually("the row is taken up again", LIMIT, async || {
            (self.row(id).await.0 >= at_least).then_some(())
        })
        .await;
    }

    pub async fn delivered(&self, id: MessageId, times: usize) {
        eventually("the message is delivered", LIMIT, async || {
            (self.receiver.deliveries_of(id).len() >= times).then_some(())
        })
        .await;
    }

    /// Rows that the messages so far have made at the receiver.
    pub async fn effects(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM inbox");
        count.fetch_one(&self.rows).await.unwrap()
    }

    /// A client of the test's own, to do what the broker or somebody else may do.
    pub async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.nats.client().await)
    }

    pub async fn consumer(&self) -> Option<PullConsumer> {
        self.jetstream()
            .await
            .get_consumer_from_stream(DURABLE, STREAM)
            .await
            .ok()
    }

    /// Waits until both ends are connected and the consumer is made.
    pub async fn nats_is_there(&self) {
        self.consumer_is_there().await;
        self.nats_of_senders().await;
    }

    /// Waits until the senders are connected.
    pub async fn nats_of_senders(&self) {
        eventually("the senders are connected", LIMIT, async || {
            self.senders
                .iter()
                .all(|sender| sender.nats.is_connected())
                .then_some(())
        })
        .await;
    }

    pub async fn consumer_is_there(&self) {
        eventually("the consumer is made", LIMIT, async || {
            self.consumer().await
        })
        .await;
    }

    /// Enqueues until a message goes over JetStream: the sender relies on it (again).
    pub async fn jetstream_is_used(&self) {
        eventually("a message goes over JetStream", LIMIT, async || {
            let id = self.enqueue().await;
            self.closed(id).await;
            let ways = self.receiver.deliveries_of(id);
            ways.iter()
                .any(|(way, _)| *way == Way::JetStream)
                .then_some(())
        })
        .await;
    }

    /// The row is closed within so long, whatever the broker does.
    pub async fn closed_within(&self, id: MessageId, limit: Duration) {
        let what = format!("the row is closed within {limit:?}");
        eventually(&what, limit, async || self.row(id).await.1.then_some(())).await;
    }

    /// Waits until the stream holds so many messages.
    pub async fn on_stream(&self, messages: u64) {
        eventually("the messages are on the stream", LIMIT, async || {
            let mut stream = self.jetstream().await.get_stream(STREAM).await.ok()?;
            (stream.info().await.ok()?.state.messages == messages).then_some(())
        })
        .await;
    }

    /// Waits until the broker has nothing left that is not acknowledged.
    pub async fn settled(&self) {
        eventually("everything is acknowledged", LIMIT, async || {
            let mut consumer = self.consumer().await?;
            let info = consumer.info().await.ok()?;
            (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
        })
        .await;
    }

    /// Ends everything and checks what must be true after any test.
    pub async fn check_invariants(mut self) {
        self.stop_senders().await;
        if self.consumer.is_some() {
            self.stop_consumer().await;
        }
        self.server.0.begin();
        self.server.1.await.unwrap();

        let open: i64 =
            sqlx::query_scalar("SELECT count(*) FROM outbox WHERE confirmed_at IS NULL")
                .fetch_one(&self.rows)
                .await
                .unwrap();
        assert_eq!(open, 0, "open outbox rows");
        let lost: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM outbox o
             WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.message_id = o.id)",
        )
        .fetch_one(&self.rows)
        .await
        .unwrap();
        assert_eq!(lost, 0, "closed without a committed row at the receiver");
        // What was given up ends in a task of its own.
        eventually("no database work is left", LIMIT, async || {
            (self.db.in_flight() == 0).then_some(())
        })
        .await;
    }
}

pub fn paid(id: MessageId) -> Payload {
    Payload::OrderPaid(OrderPaid {
        order_id: id.to_string(),
        ..OrderPaid::default()
    })
}
