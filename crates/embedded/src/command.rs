//! Command lines, and short helper programs run to their end.

use anyhow::{Context as _, Result, bail};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command line under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Argv(Vec<OsString>);

impl Argv {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self::default().arg(program)
    }

    /// Adds one argument as it is.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.push(arg.as_ref().to_owned());
        self
    }

    /// Adds the words of a text, which stand between blanks.
    pub(crate) fn words(mut self, line: &str) -> Self {
        self.0.extend(line.split_whitespace().map(OsString::from));
        self
    }

    pub(crate) fn command(&self) -> Command {
        let (program, args) = self
            .0
            .split_first()
            .expect("invariant: it begins with a program");
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs it and returns what it wrote to stdout. When it fails the message carries the end of what it wrote.
    pub(crate) async fn run(&self) -> Result<String> {
        let shown = self.0.join(OsStr::new(" "));
        let shown = shown.display();
        let mut command = self.command();
        // For pip: a personal setting `user = true` cannot go with a target folder. For apt-get: nobody answers.
        command
            .env("PIP_USER", "0")
            .env("DEBIAN_FRONTEND", "noninteractive");
        let mut command = tokio::process::Command::from(command);
        let output = command.kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("starting `{shown}`"))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = tail(&String::from_utf8_lossy(&said), 12);
            bail!("`{shown}` failed ({}): {said}", output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) async fn succeeds(&self) -> bool {
        self.run().await.is_ok()
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The program of this name on the PATH.
#[expect(
    clippy::disallowed_methods,
    reason = "where a program is found is no setting of ours"
)]
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|dir| dir.join(name));
    files.find(|file| is_program(file))
}

pub(crate) fn is_program(file: &Path) -> bool {
    let executable =
        |meta: std::fs::Metadata| meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    file.metadata().is_ok_and(executable)
}

/// Sends a signal (`INT`, `TERM` …) to a process. The shell's own `kill`, since small systems lack the program.
pub(crate) fn signal(pid: u32, name: &str) {
    let kill = Argv::new("sh")
        .arg("-c")
        .arg(r#"kill -s "$1" "$2""#)
        .arg("sh")
        .arg(name);
    // A process that is gone needs no signal.
    let _ = kill
        .arg(pid.to_string())
        .command()
        .stderr(Stdio::null())
        .status();
}

/// Whether this process runs as root.
pub(crate) async fn is_root() -> bool {
    Argv::new("id")
        .arg("-u")
        .run()
        .await
        .is_ok_and(|uid| uid.trim() == "0")
}

/// Installs a Debian package when that is possible here: as root, where apt-get exists.
/// `Ok(false)` means it is not possible.
pub(crate) async fn apt_install(package: &str) -> Result<bool> {
    if !is_root().await || on_path("apt-get").is_none() {
        return Ok(false);
    }
    tracing::warn!(package, "installing a system package with apt-get");
    let install = Argv::new("apt-get")
        .words("install -y --no-install-recommends")
        .arg(package);
    if !install.succeeds().await {
        // The package lists may be missing or old.
        Argv::new("apt-get").arg("update").run().await?;
        install.run().await?;
    }
    Ok(true)
}
