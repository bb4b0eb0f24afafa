//! The real service on a database of its own, with a mail sink and a NATS that is not there unless
//! a test starts it.

use std::{sync::Arc, time::Duration};

use base::{ManualClock, MessageId, NotificationId, OrderId, Sealer, Sources, SystemRandom};
use clap::Parser as _;
use kit::{Bind, Failure, MeshKey, Shutdown, Tasks, client, client::MeshChannel};
use notify_svc::{Config, MIGRATOR, build_with_verifier};
use proto::{
    Peer,
    common::Money,
    event::{
        Envelope, EventSnapshot, OrderFacts, OrderPaid, PaidLine, PaidTicket, envelope::Payload,
    },
    notify::{
        AcceptRequest, accept_service_client::AcceptServiceClient,
        document_service_client::DocumentServiceClient,
    },
};
use sqlx::PgPool;
use testkit::{NatsServer, Patient, Smtp, eventually, keys};
use time::{OffsetDateTime, macros::datetime};
use tokio::task::JoinHandle;

use crate::admins::Trusting;

pub const LIMIT: Duration = Duration::from_secs(60);
/// The service's clock stands still, weeks before the event of its messages.
const NOW: OffsetDateTime = datetime!(2026-05-02 10:00 UTC);
pub const LINK: &str = "https://tickets.example/o/7/canary-link-secret";
pub const UNSUBSCRIBE: &str = "https://tickets.example/u/7/canary-unsubscribe-secret";

/// Comes again where it is told to.
pub type Channel = Patient<MeshChannel>;

pub struct Harness {
    /// What the program is started with, its name first.
    pub args: Vec<String>,
    pub config: Config,
    pub rows: PgPool,
    pub nats: NatsServer,
    pub sink: Smtp,
    pub sources: Sources,
    running: Option<Running>,
}

struct Running {
    url: String,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
    tasks: Tasks,
}

impl Harness {
    /// The service runs and sends to the sink.
    pub async fn start() -> Self {
        let mut harness = Self::stopped().await;
        harness.run().await;
        harness
    }

    /// The service does not run yet, so that a test can change its settings.
    pub async fn stopped() -> Self {
        testkit::logs();
        let database = testkit::database("notifications", &MIGRATOR).await;
        let (nats, sink) = (NatsServer::reserve_private().await, Smtp::start().await);
        // A random key may start with a dash, so it stands behind an equals sign.
        let args = vec![
            "notify-svc".to_owned(),
            format!("--database-url={}", database.url),
            format!("--nats-url={}", nats.url()),
            format!("--mesh-key={}", keys::mesh_key()),
            format!("--link-seal-key={}", keys::random_text(32)),
            format!("--smtp-url={}", sink.url()),
            format!("--handed-over-dir={}", testkit::Infra::folder().display()),
            "--seller-name=Nightjar Concerts".to_owned(),
        ];
        let config = Config::parse_from(&args);
        let clock = ManualClock::new(NOW);
        let sources = Sources::new(clock, SystemRandom);
        let rows = database.pool().await;
        Self {
            args,
            config,
            rows,
            nats,
            sink,
            sources,
            running: None,
        }
    }

    pub async fn run(&mut self) {
        assert!(self.running.is_none(), "the service runs already");
        let (bind, addr) = Bind::loopback().await.unwrap();
        let verifier = Arc::new(Trusting);
        let server = build_with_verifier(&self.config, bind, self.sources.clone(), verifier);
        let server = server.await.unwrap();
        let (shutdown, tasks) = (Shutdown::new(), server.tasks().clone());
        let begun = shutdown.clone();
        let serving = tokio::spawn(async move { server.serve(begun).await.unwrap() });
        self.running = Some(Running {
            url: format!("http://{addr}"),
            shutdown,
            serving,
            tasks,
        });
    }

    /// Ends the service in order; nothing of it is left.
    pub async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.shutdown.begin();
        running.serving.await.unwrap();
        assert_eq!(
            running.tasks.in_flight(),
            0,
            "the service left a task behind"
        );
    }

    pub fn url(&self) -> &str {
        &self.running.as_ref().unwrap().url
    }

    pub fn channel(&self, peer: Peer) -> Channel {
        let mesh: &MeshKey = self.config.mesh.key.as_ref().unwrap();
        Patient(client::channel(self.url(), mesh.identity(peer)).unwrap())
    }

    pub fn documents(&self, peer: Peer) -> DocumentServiceClient<Channel> {
        DocumentServiceClient::new(self.channel(peer))
    }

    pub async fn accept_as(
        &self,
        peer: Peer,
        envelopes: Vec<Envelope>,
    ) -> Result<Vec<String>, Failure> {
        let mut client = AcceptServiceClient::new(self.channel(peer));
        let answer = client.accept(AcceptRequest { envelopes }).await;
        answer
            .map(|answer| answer.into_inner().accepted_message_ids)
            .map_err(|status| Failure::from_status(&status))
    }

    /// Hands messages over as payment-svc does.
    pub async fn accept(&self, envelopes: &[Envelope]) -> Vec<String> {
        let taken = self.accept_as(Peer::Payment, envelopes.to_vec()).await;
        taken.unwrap()
    }

    /// A message about an order of its own.
    pub fn envelope(&self) -> Envelope {
        self.envelope_of(self.paid())
    }

    pub fn envelope_of(&self, paid: OrderPaid) -> Envelope {
        self.message(Payload::OrderPaid(paid))
    }

    pub fn message(&self, payload: Payload) -> Envelope {
        Envelope {
            message_id: MessageId::new(&self.sources).to_string(),
            generation: 1,
            occurred_at: Some(proto::timestamp(self.sources.now())),
            traceparent: String::new(),
            payload: Some(payload),
        }
    }

    pub fn paid(&self) -> OrderPaid {
        let sealer: &Sealer = &self.config.link_seal_key;
        let ticket = |id: &str, code: &str| PaidTicket {
            id: id.to_owned(),
            code: code.to_owned(),
            category: "Standing".to_owned(),
        };
        OrderPaid {
            order_id: OrderId::new(&self.sources).to_string(),
            number: "BX-7K3M9Q".to_owned(),
            email: "zofia@example.com".to_owned(),
            phone_number: "+48601000000".to_owned(),
            name: "Zofia Wójcik".to_owned(),
            locale: "en".to_owned(),
            paid_at: Some(proto::timestamp(datetime!(2026-05-02 09:15:30 UTC))),
            total: eur(9_000),
            sealed_order_link: sealer.seal(&self.sources, "order-link", LINK.as_bytes()),
            event: Some(EventSnapshot {
                id: "00000000-0000-7000-8000-000000000005".to_owned(),
                slug: "nightjar-live".to_owned(),
                title: "Nightjar Live".to_owned(),
                location: "Lucerna Music Bar, Praha".to_owned(),
                date_time: Some(proto::timestamp(datetime!(2026-06-12 18:00 UTC))),
                timezone: "Europe/Prague".to_owned(),
                version: 4,
            }),
            lines: vec![PaidLine {
                category: "Standing".to_owned(),
                quantity: 2,
                unit_price: eur(4_500),
                line_total: eur(9_000),
                unit_fee: None,
                tax_rate_ppm: 0,
                tax: None,
            }],
            tickets: vec![
                ticket("00000000-0000-7000-8000-000000000001", "BX1:FIRST"),
                ticket("00000000-0000-7000-8000-000000000002", "BX1:SECOND"),
            ],
            seller: None,
            revision: 0,
        }
    }

    /// What a message about another end of such an order carries.
    pub fn order(&self) -> OrderFacts {
        let sealer: &Sealer = &self.config.link_seal_key;
        let paid = self.paid();
        OrderFacts {
            order_id: paid.order_id,
            number: paid.number,
            email: paid.email,
            name: paid.name,
            locale: paid.locale,
            sealed_order_link: paid.sealed_order_link,
            event: paid.event,
            total: paid.total,
            seller: paid.seller,
            sealed_unsubscribe_link: sealer.seal(
                &self.sources,
                "unsubscribe-link",
                UNSUBSCRIBE.as_bytes(),
            ),
        }
    }

    /// The one notification of what this message is about.
    pub async fn notification(&self, envelope: &Envelope) -> Notification {
        let row = sqlx::query_as(
            "SELECT id, status, attempts, last_error,
                    extract(epoch FROM next_attempt_at - clock_timestamp())::float8
             FROM notifications WHERE subject_id = $1",
        )
        .bind(subject_of(envelope))
        .fetch_one(&self.rows)
        .await
        .unwrap();
        let (id, status, attempts, last_error, due_in_secs): (uuid::Uuid, _, _, _, _) = row;
        Notification {
            id: NotificationId::from(id),
            status,
            attempts,
            last_error,
            due_in_secs,
        }
    }

    /// Waits until the notification is in this state after so many attempts.
    pub async fn reaches(&self, envelope: &Envelope, status: &str, attempts: i32) -> Notification {
        let what = format!("the notification is {status} after {attempts} attempts");
        eventually(&what, LIMIT, async || {
            let now = self.notification(envelope).await;
            (now.status == status && now.attempts == attempts).then_some(now)
        })
        .await
    }

    /// Makes everything due, in place of the minutes that would pass.
    pub async fn let_time_pass(&self) {
        sqlx::query("UPDATE notifications SET next_attempt_at = clock_timestamp()")
            .execute(&self.rows)
            .await
            .unwrap();
    }

    /// A round of the sender has come and gone: it sent a mail that is younger than all others.
    pub async fn round_passes(&self) {
        let envelope = self.envelope();
        self.accept(std::slice::from_ref(&envelope)).await;
        self.reaches(&envelope, "sent", 1).await;
    }

    /// The same with a mail to this address, where others are in trouble.
    pub async fn round_passes_for(&self, email: &str) {
        let mut paid = self.paid();
        paid.email = email.to_owned();
        let envelope = self.envelope_of(paid);
        self.accept(std::slice::from_ref(&envelope)).await;
        self.reaches(&envelope, "sent", 1).await;
    }

    pub async fn count(&self, table: &'static str) -> i64 {
        let count = match table {
            "inbox" => sqlx::query_scalar("SELECT count(*) FROM inbox"),
            "notifications" => sqlx::query_scalar("SELECT count(*) FROM notifications"),
            other => panic!("no such table: {other}"),
        };
        count.fetch_one(&self.rows).await.unwrap()
    }

    /// Traces of messages that were not accepted, the newest first.
    pub async fn poison(&self) -> Vec<Trace> {
        sqlx::query_as(
            "SELECT id::text, reason, subject, times, octet_length(payload_prefix) AS prefix_bytes,
                    payload_bytes
             FROM poison_messages ORDER BY last_received_at DESC",
        )
        .fetch_all(&self.rows)
        .await
        .unwrap()
    }

    /// Ends everything and checks what must be true after any test. `repeated` messages are those
    /// whose order another message had announced before.
    pub async fn check_invariants(mut self, repeated: i64) {
        if self.running.is_some() {
            self.stop().await;
        }
        let without: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM inbox i
             WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.message_id = i.message_id)",
        )
        .fetch_one(&self.rows)
        .await
        .unwrap();
        assert_eq!(without, repeated, "messages without a notification");
        let odd: Vec<String> = sqlx::query_scalar(
            "SELECT concat_ws(' ', id, status, attempts, last_error) FROM notifications
             WHERE status = 'sending'
                OR (status <> 'erased' AND (status IN ('sent', 'bounced')) <> (sent_at IS NOT NULL))
                OR (status = 'failed' AND last_error IS NULL)",
        )
        .fetch_all(&self.rows)
        .await
        .unwrap();
        assert!(odd.is_empty(), "{odd:?}");
    }
}

pub fn eur(amount_minor: i64) -> Option<Money> {
    Some(Money {
        amount_minor,
        currency: "EUR".to_owned(),
    })
}

fn subject_of(envelope: &Envelope) -> uuid::Uuid {
    let id = |order: &Option<OrderFacts>| order.as_ref().unwrap().order_id.clone();
    let id = match envelope.payload.as_ref().unwrap() {
        Payload::OrderPaid(paid) => paid.order_id.clone(),
        Payload::OrderUnfulfillable(message) => id(&message.order),
        Payload::OrderRefunded(message) => id(&message.order),
        Payload::OrderCancelled(message) => id(&message.order),
        Payload::OrderPostponed(message) => id(&message.order),
        Payload::OrderReminder(message) => id(&message.order),
        Payload::OrderAwaitingTransfer(message) => id(&message.order),
        Payload::TicketNews(message) => id(&message.order),
        // What these are about is no order.
        Payload::TicketTransferred(message) => message.ticket.as_ref().unwrap().id.clone(),
        Payload::LookupCodeRequested(message) => message.id.clone(),
        Payload::AdminInvited(message) => message.id.clone(),
        Payload::PasswordResetRequested(message) => message.id.clone(),
        Payload::OrderErased(message) => message.order_id.clone(),
        Payload::HolderErased(message) => message.order_id.clone(),
        Payload::AddressCorrected(message) => message.order_id.clone(),
    };
    id.parse().unwrap()
}

/// The plain text and the HTML of a mail, as its reader sees their bytes.
pub fn texts(mail: &str) -> (String, String) {
    let part = |kind: &str| {
        let start = mail.find(&format!("Content-Type: {kind}")).unwrap();
        let (head, body) = mail[start..].split_once("\r\n\r\n").unwrap();
        let body = body.split("\r\n--boxoffice-text").next().unwrap();
        if head.contains("quoted-printable") {
            unquoted(body)
        } else {
            assert!(head.contains("7bit"), "{head}");
            body.to_owned()
        }
    };
    (part("text/plain"), part("text/html"))
}

/// Reverses quoted-printable (RFC 2045 §6.7).
fn unquoted(body: &str) -> String {
    let joined = body.replace("=\r\n", "");
    let mut parts = joined.split('=');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    pub id: NotificationId,
    pub status: String,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub due_in_secs: f64,
}

#[derive(Debug, sqlx::FromRow)]
pub struct Trace {
    pub id: String,
    pub reason: String,
    pub subject: String,
    pub times: i32,
    pub prefix_bytes: i32,
    pub payload_bytes: i32,
}
