//! Real servers in a temporary data folder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod databases;
mod kill;
mod refusals;
mod restart;
mod secrets;

use embedded::{DatabaseSpec, Stack, StackConfig};
use sqlx::{Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("embedded-it-{}", embedded::random_secret());
        // Not below the target folder: another account has to reach it in one of the tests.
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(folder: &Path) -> StackConfig {
    let databases = vec![
        DatabaseSpec::new("tickets", "ticket_svc"),
        DatabaseSpec::new("users", "user_svc"),
    ];
    StackConfig::new(folder, databases)
}

async fn connect(stack: &Stack, database: &str) -> PgConnection {
    PgConnection::connect(stack.database_url(database).unwrap())
        .await
        .unwrap()
}

/// Processes whose command line names the folder.
fn processes_of(folder: &Path) -> Vec<u32> {
    let folder = std::fs::canonicalize(folder).unwrap().display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid != std::process::id() && String::from_utf8_lossy(&line).contains(&folder) {
            found.push(pid);
        }
    }
    found
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Duration::from_secs(60);
    testkit::eventually(what, limit, || std::future::ready(done().then_some(()))).await;
}

fn assert_no_process(folder: &Path) {
    let left = processes_of(folder);
    assert!(left.is_empty(), "left running: {left:?}");
}
