//! What a machine could do at best, measured in the same run: programs that do less than ours, and plain loops.

pub mod batched;
pub mod naive;
pub mod paid;
pub mod raw_mail;
pub mod serve;
mod stub;

use std::{net::SocketAddr, path::PathBuf};

use tokio::process::Command;

use crate::{cpu::Meter, process::Process};

/// A limit in a process of its own.
#[derive(Debug)]
pub struct Limit {
    process: Process,
    pub addr: SocketAddr,
}

impl Limit {
    pub async fn start(program: Command, log: PathBuf) -> anyhow::Result<Self> {
        let mut process = Process::start(program, log)?;
        let addr = process.listening().await?;
        Ok(Self { process, addr })
    }

    pub fn meter(&self) -> Meter {
        Meter::of(&[self.process.pid()])
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.kill().await
    }
}
