//! Writes `.sqlx/`: starts a private PostgreSQL, applies every service's migrations, and compiles
//! the queries against it. With `--check` it only says whether `.sqlx/` is up to date.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::SystemTime,
};

use embedded::{DatabaseSpec, Stack, StackConfig};
use sqlx::{Connection as _, PgConnection, migrate::Migrator};

/// Folder of the service, its database, and the variable that its sqlx.toml names.
const SERVICES: [(&str, &str, &str); 4] = [
    ("user-svc", "users", "USERS_DATABASE_URL"),
    ("ticket-svc", "tickets", "TICKETS_DATABASE_URL"),
    ("payment-svc", "payments", "PAYMENTS_DATABASE_URL"),
    ("notify-svc", "notifications", "NOTIFICATIONS_DATABASE_URL"),
];
const COMMITTED: &str = ".sqlx";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<ExitCode> {
    let check = std::env::args().any(|argument| argument == "--check");
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    std::env::set_current_dir(&root)?;
    let work = root.join("target/sqlx-prepare");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let fresh = work.join("queries");
    fs::create_dir_all(&fresh)?;

    let databases = SERVICES.map(|(_, name, _)| DatabaseSpec::new(name, name));
    let mut config = StackConfig::new(work.join("data"), databases.to_vec());
    config.durable = false;
    let stack = Stack::start(config).await?;
    let prepared = prepare(&root, &fresh, &stack).await;
    stack.stop().await;
    prepared?;

    let (old, new) = (queries(&root.join(COMMITTED))?, queries(&fresh)?);
    if old == new {
        println!("{COMMITTED}/ is up to date: {} queries", new.len());
        return Ok(ExitCode::SUCCESS);
    }
    if check {
        eprintln!("{COMMITTED}/ is not what queries and migrations say; run `just sqlx`");
        return Ok(ExitCode::FAILURE);
    }
    replace(&root.join(COMMITTED), &fresh)?;
    println!("{COMMITTED}/ is written: {} queries", new.len());
    Ok(ExitCode::SUCCESS)
}

async fn prepare(root: &Path, queries: &Path, stack: &Stack) -> Outcome<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["check", "--workspace"])
        .env("SQLX_OFFLINE", "false");
    cargo.env("SQLX_OFFLINE_DIR", queries);
    for (folder, database, variable) in SERVICES {
        let url = stack
            .database_url(database)
            .ok_or("a database has no address")?;
        let migrations = Migrator::new(root.join(folder).join("migrations")).await?;
        migrations
            .run(&mut PgConnection::connect(url).await?)
            .await?;
        cargo.env(variable, url);
        // The macros run only when their crate is compiled.
        let source = fs::File::options()
            .append(true)
            .open(root.join(folder).join("src/lib.rs"))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "cargo compares file times with the clock of the machine"
        )]
        source.set_modified(SystemTime::now())?;
    }
    if cargo.status()?.success() {
        Ok(())
    } else {
        Err("the queries do not compile".into())
    }
}

fn queries(folder: &Path) -> Outcome<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            found.insert(name, fs::read_to_string(&path)?.trim_end().to_owned());
        }
    }
    Ok(found)
}

fn replace(folder: &Path, with: &Path) -> Outcome<()> {
    fs::remove_dir_all(folder)?;
    fs::create_dir(folder)?;
    for (name, text) in queries(with)? {
        fs::write(folder.join(name), text + "\n")?;
    }
    Ok(())
}
