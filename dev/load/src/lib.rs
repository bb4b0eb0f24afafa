//! The load bench: workloads over HTTP as guests make them, each beside a limit that is measured in the same run, and
//! an audit at the end. What a run oversold or lost has no figure.

mod admin;
mod args;
mod audit;
mod autogroup;
mod bench;
mod browse_guest;
mod buyer;
mod collector;
mod cost;
mod cpu;
mod drive;
mod guest;
mod hold_guest;
mod limits;
mod machine;
mod mesh;
mod mixed_guest;
mod orders;
mod page_guest;
mod process;
mod progress;
mod report;
mod rng;
mod scratch;
mod services;
mod settle;
mod shim;
mod slow;
mod smtp;
mod sql;
mod stats;
mod table;
mod w10_footprint;
mod w11_hop;
mod w12_outages;
mod w1_browse;
mod w2_availability;
mod w3_entries;
mod w3_hot_sale;
mod w3_rows;
mod w4_mixed;
mod w5_payments;
mod w6_receipts;
mod w7_insights;
mod w7_rows;
mod w8_logins;
mod w9_expiry;
mod wall;
mod webhook;
mod wire;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser as _, ValueEnum as _};

use crate::{
    args::{Args, Workload},
    autogroup::Autogroup,
    bench::Bench,
    limits::serve,
    report::Entry,
};

/// Runs what the command line asks for. 0: every goal of it was met or no limit was missed by a fault; 1: an audit
/// failed, so something has no figure.
pub fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if let Some(mode) = args.serve {
        // As the services do: a worker per core.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(serve::serve(mode, &args))?;
        return Ok(ExitCode::SUCCESS);
    }
    let _shared_by_threads = Autogroup::off();
    // One thread: the generator shares the machine with what it measures and must not crowd it out.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let sound = runtime.block_on(run(args))?;
    Ok(ExitCode::from(u8::from(!sound)))
}

/// False if an audit failed.
async fn run(args: Args) -> anyhow::Result<bool> {
    let mut all = Vec::new();
    for workload in args.chosen() {
        for storage in args.storages(workload) {
            let bench = Bench::new(&args, storage)?;
            let done = Box::pin(workload.run(&bench)).await;
            let entries = done.with_context(|| format!("{} failed", workload.name()))?;
            report::write(&args.out, workload.name(), &entries)?;
            all.extend(entries);
        }
    }
    println!("{}", table::render(&all));
    // The document's table holds what runs before this one measured, too.
    let known = Workload::value_variants().iter();
    let known: Vec<Entry> = known
        .flat_map(|workload| report::read(&args.out, workload.name()))
        .collect();
    std::fs::write(args.out.join("table.md"), table::markdown(&known))?;
    Ok(all.iter().all(|entry| entry.audit.ok))
}
