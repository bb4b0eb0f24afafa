//! Servers that outlived the process that had started them. Whoever holds the lock of the data folder may end
//! them: no living boxoffice uses them.

use crate::command::{Argv, signal};
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// Ends the process whose id stands in the first line of `pid_file`, if its command line names `mark`
/// (the id may belong to a stranger by now).
pub(crate) async fn end(pid_file: &Path, mark: &Path, signals: &[&str]) -> Result<()> {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let Ok(pid) = text.lines().next().unwrap_or_default().trim().parse() else {
        return Ok(());
    };
    let mark = mark.display().to_string();
    for name in signals {
        if !is_ours(pid, &mark).await {
            return Ok(());
        }
        tracing::warn!(
            pid,
            signal = name,
            "ending a server left behind by an earlier run"
        );
        signal(pid, name);
        let asked = Instant::now();
        while asked.elapsed() < LIMIT && is_ours(pid, &mark).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    if is_ours(pid, &mark).await {
        bail!("process {pid} of an earlier run on {mark} does not end: end it by hand");
    }
    Ok(())
}

async fn is_ours(pid: u32, mark: &str) -> bool {
    if Path::new("/proc/self/cmdline").exists() {
        // Empty for a process that has ended and waits for its parent.
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&line)
            .split('\0')
            .any(|word| word == mark);
    }
    let line = Argv::new("ps")
        .words("-o command= -p")
        .arg(pid.to_string())
        .run()
        .await;
    line.is_ok_and(|line| line.contains(mark))
}
