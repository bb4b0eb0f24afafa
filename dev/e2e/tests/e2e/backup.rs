//! A backup that is made while guests buy and restored into an empty place, and the move to services of
//! their own: every order that was paid before is there, and the next guest can buy.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base::{Secret, Sources};
use boxoffice::{
    BackupArguments, Config, Databases, ExportArguments, Keys, Mesh, MeshConfig, backup,
    doctor::{Arguments, doctor},
    export, restore, run,
};
use kit::{Shutdown, config::try_parse_from};
use proto::Peer;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, migrate::Migrator};
use testkit::{Smtp, TestDb, eventually};
use tokio::{process::Command, task::JoinHandle, time::sleep};

use crate::{
    guest::{CARD_OK, Guest},
    harness::{OnSale, PATIENCE},
};

const BUYERS: usize = 3;
const MAIL: &str = "guest@example.org";

/// A folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("boxoffice-{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn config(data_dir: &Path) -> Config {
    let data_dir = format!("--data-dir={}", data_dir.display());
    try_parse_from(["boxoffice", "--http-addr=127.0.0.1:0", &data_dir]).unwrap()
}

/// The all-in-one, as `cargo run` starts it.
struct AllInOne {
    config: Config,
    shutdown: Shutdown,
    running: JoinHandle<()>,
    guest: Guest,
    on_sale: OnSale,
}

impl AllInOne {
    async fn open(data_dir: &Path) -> Self {
        let config = config(data_dir);
        let facts = data_dir.join("run.json");
        drop(fs::remove_file(&facts));
        let shutdown = Shutdown::new();
        let (shared, until) = (config.clone(), shutdown.clone());
        // As in a process of its own.
        let running = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(Box::pin(run(&shared, until))).unwrap();
        });
        let mut office = Self {
            config,
            shutdown,
            running,
            guest: Guest::new(client(), String::new()),
            on_sale: OnSale {
                event_id: String::new(),
                ticket_type_id: String::new(),
            },
        };
        let limit = Duration::from_secs(120);
        let http = eventually("the box office to be open", limit, async || {
            assert!(!office.running.is_finished(), "it ended while starting");
            let facts: Value = serde_json::from_slice(&fs::read(&facts).ok()?).ok()?;
            Some(facts["http"].as_str()?.to_owned())
        })
        .await;
        office.on_sale = on_sale(&http).await;
        office.guest = Guest::new(client(), http);
        office
    }

    async fn close(mut self) -> Config {
        self.shutdown.begin();
        (&mut self.running).await.unwrap();
        self.config.clone()
    }

    /// As soon as everything under way has come to its end.
    async fn is_healthy(&self) {
        eventually("a healthy box office", PATIENCE * 2, async || {
            let verdict = doctor(&self.config, &at_rest(None)).await;
            (verdict == ExitCode::SUCCESS).then_some(())
        })
        .await;
    }
}

impl Drop for AllInOne {
    /// A test that failed waits for it, too.
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

fn client() -> Client {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none());
    client.timeout(PATIENCE).build().unwrap()
}

/// Something of the programme that can be bought, as soon as the gateway knows of it.
async fn on_sale(http: &str) -> OnSale {
    let client = client();
    let get = async |path: String| -> Value {
        let answer = client.get(format!("{http}{path}")).send().await.unwrap();
        answer.json().await.unwrap()
    };
    eventually("something on sale", PATIENCE, async || {
        let programme = get("/api/v1/events".to_owned()).await;
        for event in programme["events"].as_array()? {
            let event_id = event["id"].as_str()?.to_owned();
            let event = get(format!("/api/v1/events/{event_id}")).await;
            let mut types = event["ticket_types"].as_array()?.iter();
            let many = |one: &&Value| {
                one["availability"] == "on_sale" && one["remaining"].as_i64() > Some(50)
            };
            if let Some(found) = types.find(many) {
                let ticket_type_id = found["id"].as_str()?.to_owned();
                return Some(OnSale {
                    event_id,
                    ticket_type_id,
                });
            }
        }
        None
    })
    .await
}

/// None where the guest was told to come again later.
async fn try_to_buy(guest: &Guest, on_sale: &OnSale) -> Option<Value> {
    let (status, hold) = guest.hold(on_sale, 1).await;
    if status != StatusCode::CREATED {
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{hold}");
        return None;
    }
    let (status, order) = guest.order(&hold, MAIL).await;
    if status != StatusCode::CREATED {
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{order}");
        return None;
    }
    guest.pay(&order, CARD_OK).await;
    Some(order)
}

async fn buy(guest: &Guest, on_sale: &OnSale) -> Value {
    let order = eventually("a guest to buy", PATIENCE, async || {
        try_to_buy(guest, on_sale).await
    })
    .await;
    guest.wait_for(&order, "fulfilled").await;
    order
}

/// Buys on and on, until the flag says that it is enough.
async fn keep_buying(guest: Guest, on_sale: OnSale, enough: Arc<AtomicBool>) -> Vec<Value> {
    let mut orders = Vec::new();
    while !enough.load(Ordering::SeqCst) {
        orders.extend(try_to_buy(&guest, &on_sale).await);
        // Sleeps: a guest reads the page.
        sleep(Duration::from_millis(50)).await;
    }
    orders
}

fn codes(order: &Value) -> Vec<&str> {
    let tickets = order["tickets"].as_array().unwrap();
    tickets
        .iter()
        .map(|ticket| ticket["code"].as_str().unwrap())
        .collect()
}

fn at_rest(databases: Option<&Databases>) -> Arguments {
    let url = |pick: fn(&Databases) -> &Secret| databases.map(|all| pick(all).clone());
    Arguments {
        users_database_url: url(|all| &all.users),
        tickets_database_url: url(|all| &all.tickets),
        payments_database_url: url(|all| &all.payments),
        notifications_database_url: url(|all| &all.notifications),
        settle_secs: 0,
        statement_timeout_secs: 20,
        json: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sold_before_a_backup_is_there_after_the_restore() {
    let folder = folder("backup");
    let (data_dir, copy) = (folder.join("data"), folder.join("copy"));
    let to_copy = BackupArguments {
        folder: copy.clone(),
    };
    let office = AllInOne::open(&data_dir).await;
    let order = buy(&office.guest, &office.on_sale).await;
    let (_, before) = office.guest.see(&order).await;
    assert_eq!(codes(&before).len(), 1);
    // As the gateway writes them: one that is there, and one on its way.
    let picture = format!("images/{}-480.jpg", "ab".repeat(32));
    fs::write(data_dir.join(&picture), "a picture").unwrap();
    fs::write(data_dir.join("images/unfinished.jpg#1"), "half").unwrap();

    let enough = Arc::new(AtomicBool::new(false));
    let buyers: Vec<_> = (0..BUYERS)
        .map(|_| {
            let on_sale = OnSale {
                event_id: office.on_sale.event_id.clone(),
                ticket_type_id: office.on_sale.ticket_type_id.clone(),
            };
            tokio::spawn(keep_buying(office.guest.clone(), on_sale, enough.clone()))
        })
        .collect();
    let sources = Sources::system();
    backup(&office.config, &to_copy, &sources).await.unwrap();
    let again = backup(&office.config, &to_copy, &sources).await;
    assert!(again.unwrap_err().to_string().contains("there already"));
    enough.store(true, Ordering::SeqCst);
    for buyer in buyers {
        buyer.await.unwrap();
    }
    let in_use = restore(&office.config, &to_copy).await;
    assert!(in_use.unwrap_err().to_string().contains("in use"));
    office.close().await;

    fs::remove_dir_all(&data_dir).unwrap();
    restore(&config(&data_dir), &to_copy).await.unwrap();
    assert_eq!(fs::read(data_dir.join(&picture)).unwrap(), b"a picture");
    assert!(!data_dir.join("images/unfinished.jpg#1").exists());
    let office = AllInOne::open(&data_dir).await;
    let (_, after) = office.guest.see(&order).await;
    assert_eq!(
        (&after["status"], codes(&after)),
        (&before["status"], codes(&before))
    );
    buy(&office.guest, &office.on_sale).await;
    office.is_healthy().await;

    // Made of a closed one it is the same, with pictures from wherever they are to wherever they belong.
    let config = office.close().await;
    let closed = back_up_closed(&folder, config).await;
    let mut moved = self::config(&folder.join("moved"));
    moved.images_store = Some(elsewhere(&folder, "shared/images"));
    restore(&moved, &closed).await.unwrap();
    let restored = folder.join("shared").join(&picture);
    assert_eq!(fs::read(restored).unwrap(), b"a picture");
    damage(&closed.folder);
    let other = self::config(&folder.join("other"));
    let damaged = restore(&other, &closed).await;
    assert!(format!("{:#}", damaged.unwrap_err()).contains("checking the copy"));
    assert!(!folder.join("other").exists());
    fs::remove_dir_all(folder).unwrap();
}

fn elsewhere(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

/// With its pictures in a folder of their own.
async fn back_up_closed(folder: &Path, mut config: Config) -> BackupArguments {
    let closed = BackupArguments {
        folder: folder.join("closed"),
    };
    config.images_store = Some(elsewhere(folder, "pictures"));
    let away = backup(&config, &closed, &Sources::system()).await;
    assert!(away.unwrap_err().to_string().contains("is not there"));
    fs::rename(config.data_dir.join("images"), folder.join("pictures")).unwrap();
    backup(&config, &closed, &Sources::system()).await.unwrap();
    closed
}

/// One byte of one table is another.
fn damage(backup: &Path) {
    let version = backup.join("postgres/PG_VERSION");
    let mut text = fs::read(&version).unwrap();
    text.push(b'\n');
    fs::write(version, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_lost_on_the_way_to_services_of_their_own() {
    let folder = folder("move");
    let office = AllInOne::open(&folder.join("data")).await;
    let order = buy(&office.guest, &office.on_sale).await;
    let (_, before) = office.guest.see(&order).await;
    let to = ExportArguments {
        folder: folder.join("export"),
    };
    let open = export(&office.config, &to).await;
    assert!(open.unwrap_err().to_string().contains("stop it first"));
    let picture = format!("images/{}-480.jpg", "ab".repeat(32));
    fs::write(folder.join("data").join(&picture), "a picture").unwrap();
    let config = office.close().await;
    // The last of it fails: what is no file cannot be copied. The next try finds nothing in its way.
    let broken = folder.join("data/images/broken.jpg");
    fs::create_dir(&broken).unwrap();
    assert!(export(&config, &to).await.is_err());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "data alone");
    fs::remove_dir(broken).unwrap();
    export(&config, &to).await.unwrap();
    assert_eq!(fs::read(to.folder.join(&picture)).unwrap(), b"a picture");

    let mut databases = BTreeMap::new();
    for name in ["users", "tickets", "payments", "notifications"] {
        let database = testkit::database("moved", &Migrator::DEFAULT).await;
        restore_dump(&to.folder.join(format!("{name}.dump")), &database).await;
        databases.insert(name, database);
    }
    let url = |name| Secret::new(&databases[name].url);
    let urls = Databases {
        users: url("users"),
        tickets: url("tickets"),
        payments: url("payments"),
        notifications: url("notifications"),
    };
    Mesh::migrate(&urls).await.unwrap();
    let smtp = Smtp::start().await;
    let secrets = embedded::Secrets::open(&folder.join("new")).unwrap();
    let mesh = Mesh::start(MeshConfig {
        http_addr: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        databases: urls.clone(),
        nats_url: Secret::new(testkit::nats().await.url()),
        smtp_url: Some(Secret::new(smtp.url())),
        mail_dir: None,
        handed_over_dir: testkit::Infra::folder(),
        images_store: None,
        keys: Keys::open(&secrets).unwrap(),
        certs_dir: None,
        sources: Sources::system(),
        settings: settings(&to.folder.join("keys.env")),
    })
    .await
    .unwrap();

    let guest = Guest::new(client(), mesh.public_url());
    let (status, after) = guest.see(&order).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_eq!(after["status"], before["status"]);
    assert_eq!(codes(&after), codes(&before));
    buy(&guest, &on_sale(&mesh.public_url()).await).await;
    eventually("a healthy box office", PATIENCE * 2, async || {
        let verdict = doctor(&config, &at_rest(Some(&urls))).await;
        (verdict == ExitCode::SUCCESS).then_some(())
    })
    .await;
    mesh.stop().await.unwrap();
    fs::remove_dir_all(folder).unwrap();
}

/// Which service has which key, as the document of the move says.
const KEYS: [(&str, &[Peer], &str); 8] = [
    ("SETUP_TOKEN", &[Peer::User], "setup-token"),
    ("PASSWORD_PEPPER", &[Peer::User], "password-pepper"),
    ("SIGNING_SEAL_KEY", &[Peer::User], "signing-seal-key"),
    ("HOLD_KEYS", &[Peer::Ticket], "hold-keys"),
    ("TICKET_CODE_KEYS", &[Peer::Ticket], "ticket-code-keys"),
    ("ORDER_KEYS", &[Peer::Payment], "order-keys"),
    (
        "LINK_SEAL_KEY",
        &[Peer::User, Peer::Payment, Peer::Notify],
        "link-seal-key",
    ),
    (
        "SANDBOX_WEBHOOK_SECRET",
        &[Peer::Payment],
        "sandbox-webhook-secret",
    ),
];

fn settings(keys: &Path) -> Vec<(Peer, &'static str, String)> {
    let text = fs::read_to_string(keys).unwrap();
    let values: BTreeMap<&str, &str> = text
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .collect();
    assert_eq!(values.len(), KEYS.len());
    let mut settings = Vec::new();
    for (name, peers, flag) in KEYS {
        let of_peer = |peer: &Peer| (*peer, flag, values[name].to_owned());
        settings.extend(peers.iter().map(of_peer));
    }
    settings
}

async fn restore_dump(dump: &Path, database: &TestDb) {
    // The kit's; a database that nobody has used has none.
    let mut session = database.connect().await;
    session
        .execute("DROP TABLE _sqlx_migrations")
        .await
        .unwrap();
    session.close().await.unwrap();
    let mut command = Command::new(pg_restore());
    command
        .args([
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--dbname",
        ])
        .arg(&database.url)
        .arg(dump);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Beside the server's own programs.
fn pg_restore() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .flatten()
        .map(|version| version.path().join("bin/pg_restore"))
        .filter(|program| program.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from("pg_restore"))
}
