//! Servers that outlived the process that had started them. Whoever holds the lock of the data folder may end
//! them: no living boxoffice uses them.

use crate::command::{argv, run, signal};
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Ends the process whose id stands in the first line of `pid_file`, if its command line names `mark`
/// (the id may belong to a stranger by now).
pub(crate) async fn end(pid_file: &Path, mark: &Path, signals: &[&str]) -> Result<()> {
    let Some(pid) = first_line_pid(pid_file) else {
        return Ok(());
    };
    if !is_ours(pid, mark).await {
        return Ok(());
    }
    tracing::warn!(pid, "ending a server left behind by an earlier run");
    for name in signals {
        signal(pid, name);
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(20) {
            if !is_ours(pid, mark).await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    bail!(
        "process {pid} of an earlier run on {} does not end: end it by hand",
        mark.display()
    )
}

fn first_line_pid(pid_file: &Path) -> Option<u32> {
    fs::read_to_string(pid_file)
        .ok()?
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()
}

async fn is_ours(pid: u32, mark: &Path) -> bool {
    let mark = mark.display().to_string();
    if Path::new("/proc/self/cmdline").exists() {
        // Empty for a process that has ended and waits for its parent.
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&line)
            .split('\0')
            .any(|word| word == mark);
    }
    let line = run(&argv(["ps", "-o", "command=", "-p", &pid.to_string()]), &[]).await;
    line.is_ok_and(|line| line.contains(&mark))
}
