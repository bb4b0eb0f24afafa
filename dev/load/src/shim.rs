//! A slower disk for PostgreSQL alone: a library that waits before each flush, compiled here and loaded into every
//! process below the box office; it acts in those that are called `postgres`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

const SOURCE: &str = include_str!("../shim/slow_fsync.c");
pub const DELAY_US: u32 = 1000;

/// Compiles it; needs a C compiler called `cc`.
pub async fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let (source, library) = (folder.join("slow_fsync.c"), folder.join("slow_fsync.so"));
    fs::write(&source, SOURCE)?;
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-shared", "-fPIC", "-o"]);
    cc.arg(&library).arg(&source).arg("-ldl");
    let done = cc.output().await.context("starting the C compiler `cc`")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "the shim does not compile: {said}");
    Ok(library)
}

/// What a program has to be started with.
pub fn settings(library: &Path) -> [(&'static str, String); 2] {
    [
        ("LD_PRELOAD", library.display().to_string()),
        ("BENCH_FSYNC_DELAY_US", DELAY_US.to_string()),
    ]
}
