//! Starts a box office for one test, with an admin and an event, and ends it with the checks.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use base::{Secret, Sources};
use boxoffice::{Databases, Keys, Mesh, MeshConfig};
use proto::Peer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{NatsServer, Smtp, TestDb, keys::idempotency_key};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    guest::{Answer, Guest, answer},
    invariants,
};

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const ADMIN_EMAIL: &str = "boss@example.org";
pub const ADMIN_PASSWORD: &str = "a long enough password";

/// One box office.
pub struct BoxOffice {
    pub mesh: Mutex<Mesh>,
    pub smtp: Arc<Smtp>,
    pub nats: NatsServer,
    pub databases: TestDatabases,
    pub http: String,
    pub client: reqwest::Client,
    /// So many mails may have come twice, because notify-svc was killed before it had written down that they went out.
    pub repeated_mails: AtomicUsize,
    pub setup_token: Secret,
    admin_token: OnceCell<String>,
}

pub struct TestDatabases {
    pub users: TestDb,
    pub tickets: TestDb,
    pub payments: TestDb,
    pub notifications: TestDb,
}

impl TestDatabases {
    pub fn urls(&self) -> Databases {
        Databases {
            users: Secret::new(&self.users.url),
            tickets: Secret::new(&self.tickets.url),
            payments: Secret::new(&self.payments.url),
            notifications: Secret::new(&self.notifications.url),
        }
    }
}

/// An event that a test made, with its one ticket type.
pub struct OnSale {
    pub event_id: String,
    pub ticket_type_id: String,
}

impl BoxOffice {
    /// With NATS running.
    pub async fn open() -> Self {
        Self::open_with(NatsServer::start_private().await, &[]).await
    }

    /// `settings` are flags of single services.
    pub async fn open_with(nats: NatsServer, settings: &[(Peer, &'static str, String)]) -> Self {
        Self::open_at("127.0.0.1:0".parse().unwrap(), nats, settings).await
    }

    /// With HTTP at a port that is known before.
    pub async fn open_at(
        http_addr: SocketAddr,
        nats: NatsServer,
        settings: &[(Peer, &'static str, String)],
    ) -> Self {
        Self::open_known_by(http_addr, nats, settings, None).await
    }

    /// With members that know each other by the certificates in a folder.
    pub async fn open_known_by(
        http_addr: SocketAddr,
        nats: NatsServer,
        settings: &[(Peer, &'static str, String)],
        certs_dir: Option<PathBuf>,
    ) -> Self {
        let databases = TestDatabases {
            users: testkit::database("users", &user_svc::MIGRATOR).await,
            tickets: testkit::database("tickets", &ticket_svc::MIGRATOR).await,
            payments: testkit::database("payments", &payment_svc::MIGRATOR).await,
            notifications: testkit::database("notifications", &notify_svc::MIGRATOR).await,
        };
        Self::open_on(databases, http_addr, nats, settings, certs_dir).await
    }

    /// On databases of the test's own.
    pub async fn open_on(
        databases: TestDatabases,
        http_addr: SocketAddr,
        nats: NatsServer,
        settings: &[(Peer, &'static str, String)],
        certs_dir: Option<PathBuf>,
    ) -> Self {
        testkit::logs();
        let smtp = Arc::new(Smtp::start().await);
        let folder = std::env::temp_dir().join(format!(
            "boxoffice-keys-{}",
            testkit::keys::idempotency_key()
        ));
        let keys = Keys::open(&embedded::Secrets::open(&folder).unwrap()).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let setup_token = keys.setup_token.clone();
        // Every guest of these tests has the same address. A setting of the test comes after it.
        // Nor is the password hash what most of them are about.
        let mut all = vec![
            (Peer::Gateway, "rate-limits", "off".to_owned()),
            (Peer::User, "bcrypt-cost", "4".to_owned()),
        ];
        all.extend_from_slice(settings);
        let mesh = Mesh::start(MeshConfig {
            http_addr,
            public_url: None,
            databases: databases.urls(),
            nats_url: Secret::new(nats.url()),
            smtp_url: Some(Secret::new(smtp.url())),
            mail_dir: None,
            handed_over_dir: testkit::Infra::folder(),
            images_store: None,
            keys,
            certs_dir,
            sources: Sources::system(),
            settings: all,
        })
        .await
        .unwrap();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let http = mesh.public_url();
        let repeated_mails = AtomicUsize::new(0);
        let mesh = Mutex::new(mesh);
        Self {
            mesh,
            smtp,
            nats,
            databases,
            http,
            client,
            repeated_mails,
            setup_token,
            admin_token: OnceCell::new(),
        }
    }

    /// Puts an event with one ticket type on sale.
    pub async fn put_on_sale(&self, stock: i64, price_minor: i64) -> OnSale {
        let event = json!({
            "title": "Nightjar – Žižkov",
            "description": "Two sets and a break.",
            "location": "Palác Akropolis, Praha",
            "date_time": "2031-06-12T18:00:00Z",
            "timezone": "Europe/Prague",
            "currency": "EUR",
            "status": "active",
        });
        let event = self.create("/api/v1/admin/events", &event).await;
        let event_id = event["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/admin/events/{event_id}/ticket-types");
        let ticket_type = json!({
            "category": "Standing",
            "price": {"amount_minor": price_minor, "currency": "EUR"},
            "total_stock": stock,
        });
        let ticket_type = self.create(&path, &ticket_type).await;
        let ticket_type_id = ticket_type["id"].as_str().unwrap().to_owned();
        OnSale {
            event_id,
            ticket_type_id,
        }
    }

    /// What an admin makes.
    async fn create(&self, path: &str, body: &Value) -> Value {
        let (status, body) = self.admin_post(path, body).await;
        assert_eq!(status, StatusCode::CREATED, "{path}: {body}");
        body
    }

    pub async fn admin_post(&self, path: &str, body: &Value) -> Answer {
        self.admin_post_with(path, body, &idempotency_key()).await
    }

    pub async fn admin_post_with(&self, path: &str, body: &Value, key: &str) -> Answer {
        let token = self.admin_token().await;
        let request = self.client.post(self.url(path)).bearer_auth(token);
        answer(request.header("idempotency-key", key).json(body)).await
    }

    pub async fn admin_get(&self, path: &str) -> Answer {
        let token = self.admin_token().await;
        answer(self.client.get(self.url(path)).bearer_auth(token)).await
    }

    pub async fn admin_call(&self, method: Method, path: &str, body: &Value) -> Answer {
        let token = self.admin_token().await;
        let request = self.client.request(method, self.url(path));
        answer(request.bearer_auth(token).json(body)).await
    }

    /// Of the first superadmin, who is made for it.
    pub async fn admin_token(&self) -> &str {
        self.admin_token.get_or_init(|| self.sign_in()).await
    }

    async fn sign_in(&self) -> String {
        let setup = json!({
            "setup_token": self.setup_token.expose(),
            "email": ADMIN_EMAIL,
            "password": ADMIN_PASSWORD,
        });
        let made = self
            .client
            .post(self.url("/api/v1/admin/setup"))
            .json(&setup)
            .send()
            .await;
        assert!(made.unwrap().status().is_success());
        let login = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
        let answer = self
            .client
            .post(self.url("/api/v1/auth/login"))
            .json(&login)
            .send()
            .await;
        let answer: Value = answer.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Somebody with a browser.
    pub fn guest(&self) -> Guest {
        Guest::new(self.client.clone(), self.http.clone())
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.http)
    }

    /// Lets the leases of a service that died run out at once.
    pub async fn make_leases_due(&self) {
        let Self { databases, .. } = self;
        for table in ["orders", "refunds", "ticket_transfers"] {
            databases.payments.make_due(table, "next_step_at").await;
        }
        for table in ["provider_events", "outbox", "sandbox.deliveries"] {
            databases.payments.make_due(table, "next_attempt_at").await;
        }
        databases
            .notifications
            .make_due("notifications", "next_attempt_at")
            .await;
    }

    /// Waits until no work is left, checks every invariant, stops everything.
    pub async fn close(self) {
        invariants::check(&self).await;
        self.mesh.into_inner().stop().await.unwrap();
        self.nats.stop().await;
    }
}
