//! Short helper programs, run to their end.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// Runs `argv` and returns what it wrote to stdout.
///
/// # Errors
/// When it cannot be started or ends with a failure; then the message carries the end of what it wrote.
pub(crate) async fn run(argv: &[String], env: &[(&str, &str)]) -> Result<String> {
    let (program, args) = argv.split_first().context("an empty command line")?;
    let output = Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("starting {program}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let said = if stderr.trim().is_empty() {
            stdout.as_str()
        } else {
            stderr.as_ref()
        };
        bail!(
            "`{}` failed ({}): {}",
            argv.join(" "),
            output.status,
            tail(said, 12)
        );
    }
    Ok(stdout)
}

/// Whether `argv` ends well.
pub(crate) async fn succeeds(argv: &[String]) -> bool {
    run(argv, &[]).await.is_ok()
}

pub(crate) fn argv<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The program of this name on the PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| is_program(file))
}

pub(crate) fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Sends a signal (`INT`, `TERM` …) to a process. The shell's own `kill`, since small systems lack the program.
pub(crate) fn signal(pid: u32, name: &str) {
    // A process that is gone needs no signal.
    let _ = std::process::Command::new("sh")
        .args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Whether this process runs as root.
pub(crate) async fn is_root() -> bool {
    run(&argv(["id", "-u"]), &[])
        .await
        .is_ok_and(|uid| uid.trim() == "0")
}

/// Installs Debian packages when that is possible here: as root, where apt-get exists.
/// `Ok(false)` means it is not possible.
pub(crate) async fn apt_install(packages: &[&str]) -> Result<bool> {
    if !is_root().await || on_path("apt-get").is_none() {
        return Ok(false);
    }
    tracing::warn!(
        packages = packages.join(" "),
        "installing system packages with apt-get"
    );
    let env = [("DEBIAN_FRONTEND", "noninteractive")];
    let mut install = argv(["apt-get", "install", "-y", "--no-install-recommends"]);
    install.extend(packages.iter().map(ToString::to_string));
    if run(&install, &env).await.is_err() {
        // The package lists may be missing or old.
        run(&argv(["apt-get", "update"]), &env).await?;
        run(&install, &env).await?;
    }
    Ok(true)
}
