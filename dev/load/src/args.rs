//! The command line.

use std::path::PathBuf;

use clap::ValueEnum as _;

use crate::{bench::Bench, limits::serve::Mode, report::Entry};

/// Loads a box office of its own as guests do and compares it with what this machine could do at best.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "load")]
pub struct Args {
    /// What to run; everything if left out.
    #[arg(value_enum)]
    pub workloads: Vec<Workload>,

    /// The long form: five rounds or more, and full sizes.
    #[arg(long)]
    pub full: bool,

    /// The storage that PostgreSQL has; W3 runs with both if left out, the others with the real one.
    #[arg(long, value_enum)]
    pub storage: Option<Storage>,

    /// Rounds, in place of the usual number.
    #[arg(long)]
    pub rounds: Option<usize>,

    /// Holds that are there before W3 begins, and orders of W7.
    #[arg(long, value_enum, default_value = "0")]
    pub rows: Rows,

    /// Boxes of ticket-svc and gateway on one database, in W3.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub replicas: u8,

    /// W3 with more than one replica: one of them is killed in the middle of the sale.
    #[arg(long)]
    pub kill: bool,

    /// Sizes are multiplied by this, to try the bench itself.
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,

    /// Where the programs are; beside this one if left out.
    #[arg(long)]
    pub programs: Option<PathBuf>,

    /// Where results go, and the data of the box offices meanwhile.
    #[arg(long, default_value = "target/bench")]
    pub out: PathBuf,

    /// Be a limit instead, in a process of its own.
    #[arg(long, hide = true, value_enum)]
    pub serve: Option<Mode>,

    /// The database of a limit that stores.
    #[arg(long, hide = true)]
    pub database_url: Option<String>,

    /// The folder of the bodies that a limit answers.
    #[arg(long, hide = true)]
    pub body: Option<PathBuf>,

    /// The folder with the certificate of a limit that speaks TLS.
    #[arg(long, hide = true)]
    pub certs: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Storage {
    /// As it is.
    #[value(name = "real")]
    Real,
    /// Each flush of PostgreSQL takes a millisecond longer, as on a cloud's disk.
    #[value(name = "1ms")]
    OneMs,
}

impl Storage {
    /// As results name it.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::OneMs => "fsync_1ms",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Rows {
    #[value(name = "0")]
    None,
    #[value(name = "1m")]
    OneMillion,
    #[value(name = "10m")]
    TenMillion,
}

impl Rows {
    pub fn count(self) -> u64 {
        match self {
            Self::None => 0,
            Self::OneMillion => 1_000_000,
            Self::TenMillion => 10_000_000,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    W1,
    W2,
    W3,
    W4,
    W5,
    W6,
    W7,
    W8,
    W9,
    W10,
    W11,
    W12,
}

impl Workload {
    pub fn name(self) -> &'static str {
        match self {
            Self::W1 => "w1_browse",
            Self::W2 => "w2_availability",
            Self::W3 => "w3_hot_sale",
            Self::W4 => "w4_mixed_sale",
            Self::W5 => "w5_payments",
            Self::W6 => "w6_receipts",
            Self::W7 => "w7_insights",
            Self::W8 => "w8_logins",
            Self::W9 => "w9_expiry",
            Self::W10 => "w10_footprint",
            Self::W11 => "w11_hop",
            Self::W12 => "w12_outages",
        }
    }

    pub async fn run(self, bench: &Bench) -> anyhow::Result<Vec<Entry>> {
        match self {
            Self::W1 => Box::pin(crate::w1_browse::run(bench)).await,
            Self::W2 => Box::pin(crate::w2_availability::run(bench)).await,
            Self::W3 => Box::pin(crate::w3_hot_sale::run(bench)).await,
            Self::W4 => Box::pin(crate::w4_mixed::run(bench)).await,
            Self::W5 => Box::pin(crate::w5_payments::run(bench)).await,
            Self::W6 => Box::pin(crate::w6_receipts::run(bench)).await,
            Self::W7 => Box::pin(crate::w7_insights::run(bench)).await,
            Self::W8 => Box::pin(crate::w8_logins::run(bench)).await,
            Self::W9 => Box::pin(crate::w9_expiry::run(bench)).await,
            Self::W10 => Box::pin(crate::w10_footprint::run(bench)).await,
            Self::W11 => Box::pin(crate::w11_hop::run(bench)).await,
            Self::W12 => Box::pin(crate::w12_outages::run(bench)).await,
        }
    }
}

impl Args {
    /// The workloads to run, in order.
    pub fn chosen(&self) -> Vec<Workload> {
        match self.workloads.as_slice() {
            [] => Workload::value_variants().to_vec(),
            some => some.to_vec(),
        }
    }

    pub fn storages(&self, workload: Workload) -> Vec<Storage> {
        match (self.storage, workload) {
            (Some(one), _) => vec![one],
            (None, Workload::W3) => vec![Storage::Real, Storage::OneMs],
            (None, _) => vec![Storage::Real],
        }
    }
}
