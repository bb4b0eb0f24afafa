//! Reads what the mail server delivers into a Maildir: mails that came back. A file is read once and moved
//! from `new` to `cur`; the database remembers it by its bytes, so a crash in between does no harm.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kit::{Shutdown, Tasks};
use tokio::{fs, io::AsyncReadExt as _};

use crate::{
    app::App,
    bounce::{self, REPORT_MAX_BYTES, Report},
};

const INTERVAL: Duration = Duration::from_secs(10);
/// In one round.
const FILES_MAX: usize = 100;
/// What Maildir writes behind the name of a mail that was seen.
const SEEN: &str = ":2,S";

pub(super) fn start(tasks: &Tasks, app: Arc<App>, maildir: PathBuf) {
    let shutdown = tasks.shutdown().clone();
    tasks.job("read_bounces", INTERVAL, Arc::default(), move || {
        let (app, maildir, shutdown) = (app.clone(), maildir.clone(), shutdown.clone());
        async move { round(&app, &maildir, &shutdown).await }
    });
}

/// True if there may be more.
async fn round(app: &App, maildir: &Path, shutdown: &Shutdown) -> anyhow::Result<bool> {
    let (fresh, seen) = (maildir.join("new"), maildir.join("cur"));
    let mut files = match fs::read_dir(&fresh).await {
        Ok(files) => files,
        // The mail server makes it with the first mail.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let mut read = 0;
    // Files that cannot be read do not count, so many of them hide no other.
    while read < FILES_MAX
        && !shutdown.has_begun()
        && let Some(file) = files.next_entry().await?
    {
        match put_away(app, &file, &seen).await {
            Ok(true) => read += 1,
            Ok(false) => {}
            // It is tried again in the next round; the others do not wait for it.
            Err(error) => {
                let file = file.file_name();
                tracing::warn!(
                    ?file,
                    error = format!("{error:#}"),
                    "returned mail not read"
                );
            }
        }
    }
    Ok(read == FILES_MAX)
}

/// False if it is no file.
async fn put_away(app: &App, file: &fs::DirEntry, seen: &Path) -> anyhow::Result<bool> {
    if !file.file_type().await?.is_file() {
        return Ok(false);
    }
    let path = file.path();
    let mail = beginning(&path).await?;
    match Report::read(&mail).or_else(|| Report::unreadable(&mail)) {
        Some(report) => {
            if let Some(notification_id) = bounce::take_in(app, report).await? {
                tracing::warn!(%notification_id, "mail came back");
            }
        }
        // An answer of somebody who is away, or what only a person makes sense of.
        None => {
            let file = file.file_name();
            tracing::warn!(?file, "returned mail not understood");
        }
    }
    fs::create_dir_all(seen).await?;
    let mut name = file.file_name();
    name.push(SEEN);
    fs::rename(&path, seen.join(name)).await?;
    Ok(true)
}

/// A report quotes the mail at its end, and a long mail is cut in the middle of its attachment.
async fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = REPORT_MAX_BYTES as u64;
    let file = fs::File::open(path).await?;
    file.take(limit).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
