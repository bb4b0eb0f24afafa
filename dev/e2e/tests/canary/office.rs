//! The whole box office as a process: its output, its logs and its telemetry are what is searched.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use boxoffice::{Config, run};
use kit::{Shutdown, config::try_parse_from};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use testkit::{OtlpReceiver, Smtp, eventually, keys::idempotency_key};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

use crate::search::Written;

pub const PATIENCE: Duration = Duration::from_secs(60);
/// Names the folder of the box office that this process is to be.
const BOX_OFFICE: &str = "CANARY_BOX_OFFICE";

pub struct Office {
    pub http: String,
    pub setup_token: String,
    pub smtp: Smtp,
    collector: OtlpReceiver,
    folder: PathBuf,
    metrics_url: String,
    database_url: String,
    pub nats_url: String,
    process: Child,
}

impl Office {
    /// With concerts to look at, or without.
    pub async fn open(smtp_password: &str, demo_programme: bool) -> Self {
        let folder = env::temp_dir().join(format!("boxoffice-canary-{}", idempotency_key()));
        fs::create_dir_all(&folder).unwrap();
        let (smtp, collector) = (Smtp::start().await, OtlpReceiver::start().await);
        let server: SocketAddr = smtp.url().strip_prefix("smtp://").unwrap().parse().unwrap();
        let file = |name: &str| fs::File::create(folder.join(name)).unwrap();
        let process = Command::new(env::current_exe().unwrap())
            .args(["be_the_box_office", "--exact", "--ignored", "--nocapture"])
            .env(BOX_OFFICE, &folder)
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .env("HTTP_ADDR", "127.0.0.1:0")
            .env("BOXOFFICE_DATA_DIR", folder.join("data"))
            .env(
                "SMTP_URL",
                format!("smtp://box:{smtp_password}@{server}?tls=none"),
            )
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
            .env("OTEL_METRIC_EXPORT_INTERVAL", "1000")
            .env("BCRYPT_COST", "4")
            .env("RATE_LIMITS", "off")
            .env("DEMO_PROGRAMME", demo_programme.to_string())
            .stdin(Stdio::piped())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let facts = eventually("the box office to open", PATIENCE, async || {
            let facts = fs::read(folder.join("data/run.json")).ok()?;
            serde_json::from_slice::<Value>(&facts).ok()
        })
        .await;
        let fact = |name: &str| facts[name].as_str().unwrap().to_owned();
        tell_all(&fact("database_url")).await;
        Self {
            http: fact("http"),
            setup_token: fact("setup_token"),
            metrics_url: fact("metrics"),
            database_url: fact("database_url"),
            nats_url: fact("nats_url"),
            smtp,
            collector,
            folder,
            process,
        }
    }

    /// Every secret that the installation made for itself.
    pub fn secrets(&self) -> Vec<(String, String)> {
        let files = fs::read_dir(self.folder.join("data/secrets")).unwrap();
        let mut secrets = Vec::new();
        for file in files {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            // Of a ring of keys, the id is no secret.
            let value = text.trim().rsplit(':').next().unwrap();
            secrets.push((format!("the secret `{name}`"), value.to_owned()));
        }
        assert!(secrets.len() > 10, "only {} secrets", secrets.len());
        secrets
    }

    /// For the superuser, with one of its databases.
    pub fn database_url(&self, database: &str) -> String {
        self.database_url
            .replace("/postgres?", &format!("/{database}?"))
    }

    /// What a server beside it has logged until now.
    pub fn log_of(&self, server: &str) -> String {
        let path = self.folder.join(format!("data/logs/{server}.log"));
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    }

    /// Panics while this is at hand, as a mistake of ours might.
    pub async fn panics_over(&mut self, secret: &str) {
        let input = self.process.stdin.as_mut().unwrap();
        input
            .write_all(format!("{secret}\n").as_bytes())
            .await
            .unwrap();
        let log = self.folder.join("stderr");
        eventually("all panics", PATIENCE, async || {
            let log = fs::read_to_string(&log).unwrap();
            PANICS.iter().all(|words| log.contains(words)).then_some(())
        })
        .await;
    }

    /// Ends it, and answers all that it wrote.
    pub async fn close(&mut self) -> Vec<Written> {
        let metrics = reqwest::get(&self.metrics_url).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        // Its input ends, and so does it.
        drop(self.process.stdin.take());
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let ended = ended.expect("the box office ends").unwrap();
        assert!(ended.success(), "{ended}");

        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let stdout = read(&self.folder.join("stdout"));
        let spans = self.collector.spans().into_iter().map(|span| span.text);
        let mut written = vec![
            ("the log", read(&self.folder.join("stderr"))),
            // A start tells this one secret to the person who started it.
            ("the output", stdout.replace(&self.setup_token, "")),
            ("the spans", spans.collect()),
            ("the metrics that were sent", self.collector.metrics()),
            ("the metrics that were asked for", metrics),
        ]
        .into_iter()
        .map(|(place, text)| Written {
            place: place.to_owned(),
            text,
        })
        .collect::<Vec<_>>();
        for file in fs::read_dir(self.folder.join("data/logs")).unwrap() {
            let path = file.unwrap().path();
            let place = format!("{}", path.file_name().unwrap().display());
            let text = read(&path);
            written.push(Written { place, text });
        }
        // A log of less would prove less.
        let log = &written[0].text;
        for said in ["\"level\":\"TRACE\"", "sqlx", "h2", "hyper", "async_nats"] {
            assert!(log.contains(said), "the log has nothing of {said}");
        }
        assert!(self.log_of("postgres").contains("INSERT INTO"));
        drop(fs::remove_dir_all(&self.folder));
        written
    }
}

/// Lets PostgreSQL log each statement, as whoever looks for a slow one may.
async fn tell_all(database_url: &str) {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    for statement in [
        "ALTER SYSTEM SET log_min_duration_statement = 0",
        "SELECT pg_reload_conf()",
    ] {
        let told = sqlx::raw_sql(statement).execute(&mut connection).await;
        told.unwrap();
    }
    connection.close().await.unwrap();
}

/// What stands in the log of each way to panic.
const PANICS: [&str; 3] = [
    "words of the program",
    "\"thread\":\"canary-expects\"",
    "\"thread\":\"canary-formats\"",
];

#[expect(clippy::panic, reason = "on purpose")]
fn panic_over(secret: &str, runtime: &tokio::runtime::Handle) {
    let (expected, formatted) = (secret.to_owned(), secret.to_owned());
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let expects = thread("canary-expects").spawn(move || {
        let read = || -> Result<u32, String> { Err(expected) };
        read().expect("a number")
    });
    assert!(expects.unwrap().join().is_err());
    let formats = thread("canary-formats").spawn(move || panic!("{formatted} is no ticket"));
    assert!(formats.unwrap().join().is_err());
    let task = runtime.spawn(async { panic!("words of the program") });
    assert!(runtime.block_on(task).is_err());
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program that was started by its own test"
)]
pub async fn be_the_box_office() {
    if env::var_os(BOX_OFFICE).is_none() {
        return;
    }
    let shutdown = Shutdown::new();
    let end = shutdown.clone();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            panic_over(&line, &runtime);
        }
        end.begin();
    });
    let config: Config = try_parse_from(["boxoffice"]).unwrap();
    kit::init_logs();
    kit::telemetry::log_panics();
    run(&config, shutdown).await.unwrap();
}
