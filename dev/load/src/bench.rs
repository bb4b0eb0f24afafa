//! What every workload is given.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use base::Sources;
use time::format_description::well_known::Rfc3339;

use crate::{
    args::{Args, Storage},
    limits::Limit,
    machine::Environment,
    mesh::{BoxOffice, Start},
    process::command,
    progress::Progress,
    shim,
    stats::whole,
};

const ROUNDS_SHORT: usize = 3;
const ROUNDS_FULL: usize = 5;

/// One run of one workload.
#[derive(Clone, Debug)]
pub struct Bench {
    pub args: Args,
    pub storage: Storage,
    pub sources: Sources,
    pub progress: Progress,
    programs: PathBuf,
}

impl Bench {
    pub fn new(args: &Args, storage: Storage) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let beside = own.parent().context("this program lies in no folder")?;
        let programs = args.programs.clone().unwrap_or_else(|| beside.to_owned());
        ensure!(
            programs.join("boxoffice").is_file(),
            "{} has no `boxoffice`: build it with `cargo build --release`, or use `just bench`",
            programs.display()
        );
        std::fs::create_dir_all(&args.out)?;
        Ok(Self {
            args: args.clone(),
            storage,
            sources: Sources::system(),
            progress: Progress::new(),
            programs: programs.canonicalize()?,
        })
    }

    /// Rounds of ours and the limit.
    pub fn rounds(&self) -> usize {
        let usual = if self.args.full {
            ROUNDS_FULL
        } else {
            ROUNDS_SHORT
        };
        self.args.rounds.unwrap_or(usual).max(1)
    }

    /// A size in the short form and in the full one.
    pub fn size(&self, short: u64, full: u64) -> u64 {
        let usual = if self.args.full { full } else { short };
        whole(usual as f64 * self.args.scale).max(16)
    }

    pub fn seconds(&self, short: f64, full: f64) -> std::time::Duration {
        let usual = if self.args.full { full } else { short };
        std::time::Duration::from_secs_f64((usual * self.args.scale).max(0.5))
    }

    /// A box office with nothing in it. `name` is its folder's.
    pub async fn open(
        &self,
        name: &str,
        settings: &[(&'static str, String)],
    ) -> anyhow::Result<BoxOffice> {
        self.progress.step("opening a box office");
        let mut settings = settings.to_vec();
        if self.storage == Storage::OneMs {
            let library = shim::build(&self.args.out.join("shim")).await?;
            settings.extend(shim::settings(&library));
        }
        BoxOffice::start(Start {
            programs: self.programs.clone(),
            data_dir: self.args.out.join(format!("data-{name}")),
            settings,
        })
        .await
    }

    pub async fn environment(&self, office: &BoxOffice) -> anyhow::Result<Environment> {
        let mut database = office.connect("postgres").await?;
        let date = self.sources.now().format(&Rfc3339)?;
        Environment::look(date, &self.args.out, &mut database).await
    }

    /// A limit in a process of its own: this program again.
    pub async fn limit(&self, mode: &str, flags: &[(&str, &str)]) -> anyhow::Result<Limit> {
        let mut program = command(&std::env::current_exe()?);
        program.arg("--serve").arg(mode);
        for (flag, value) in flags {
            program.arg(flag).arg(value);
        }
        let log = self.args.out.join(format!("limit-{mode}.log"));
        Limit::start(program, log).await
    }

    pub fn programs(&self) -> &std::path::Path {
        &self.programs
    }

    /// Random, and another in each run: keys must not meet those of a run before.
    pub fn nonce(&self) -> String {
        base::hex(&self.sources.bytes::<8>())
    }
}
