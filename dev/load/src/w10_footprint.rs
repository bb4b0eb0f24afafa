//! W10: what it takes to be there: memory, time to start, size of the program; each service alone and all in one.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    audit::Audit,
    bench::Bench,
    cpu::memory_mb,
    drive::{self, Until},
    hold_guest::{History, Wish},
    mesh::{self, BoxOffice},
    process::{Process, command},
    report::{Entry, Source},
    services::{self, Addrs, SERVICES},
};

/// Then nothing of the start is left over.
const SETTLED: Duration = Duration::from_secs(2);
const READY_LIMIT: Duration = Duration::from_secs(30);
const MB: f64 = 1024.0 * 1024.0;
const SERVING: i32 = 1;

/// Of one program.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    idle_mb: f64,
    ready_ms: f64,
    size_mb: f64,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W10 footprint", 5 + SERVICES.len());
    let office = bench.open("w10", &[]).await?;
    let source = Source {
        workload: "w10_footprint",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut entries = Vec::new();
    let empty = empty(bench).await?;
    bench.progress.step("the all-in-one");
    tokio::time::sleep(SETTLED).await;
    let (idle, _) = memory_mb(office.pid()).context("the all-in-one has ended")?;
    let (audit, peak) = peak(bench, &office).await?;
    let (office, again) = restarted(office).await?;
    let size = size_mb(&bench.programs().join("boxoffice"))?;
    entries.push(
        source
            .against(
                "all-in-one, idle",
                "MB",
                "empty",
                vec![[idle, empty.idle_mb]],
            )
            .absolute()
            .at_most(80.0),
    );
    entries.push(source.figure("all-in-one, after a hot sale", "MB", &[peak]));
    entries.push(source.figure(
        "all-in-one, ready with its PostgreSQL and NATS",
        "ms",
        &[again],
    ));
    entries.push(
        source
            .against(
                "all-in-one, program",
                "MB",
                "empty",
                vec![[size, empty.size_mb]],
            )
            .absolute(),
    );
    for service in SERVICES {
        bench.progress.step(service);
        let found = alone(bench, &office, service).await?;
        entries.extend(of_service(&source, service, found, empty));
    }
    office.stop().await?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.audited(&audit))
        .collect())
}

fn of_service(source: &Source, service: &str, found: Footprint, empty: Footprint) -> [Entry; 3] {
    let (idle, ready) = (
        [found.idle_mb, empty.idle_mb],
        [found.ready_ms, empty.ready_ms],
    );
    [
        source
            .against(&format!("{service}, idle"), "MB", "empty", vec![idle])
            .absolute()
            .at_most(25.0),
        source
            .against(&format!("{service}, ready"), "ms", "empty", vec![ready])
            .absolute()
            .at_most(300.0),
        source.figure(&format!("{service}, program"), "MB", &[found.size_mb]),
    ]
}

/// The most memory that a hot sale takes.
async fn peak(bench: &Bench, office: &BoxOffice) -> anyhow::Result<(Audit, f64)> {
    bench.progress.step("a hot sale");
    let capacity = bench.size(10_000, 50_000);
    let on_sale = office
        .admin()
        .await?
        .on_sale("For its memory", capacity)
        .await?;
    let wish = Wish {
        doors: office.doors(),
        on_sale: on_sale.clone(),
        nonce: bench.nonce(),
        repeat_per_cent: 5,
    };
    let ran = drive::closed(wish.guests(256).await?, Until::visits(capacity * 2)).await?;
    let history = History::merge(ran.guests.into_iter().map(|one| one.history));
    let mut audit = Audit::default();
    let mut tickets = office.connect("tickets").await?;
    audit.sale(&mut tickets, &on_sale, &history).await?;
    let (_, peak) = memory_mb(office.pid()).context("the all-in-one has ended")?;
    Ok((audit, peak))
}

/// Stopped in order and started on what is there. Milliseconds until it is ready, with its servers.
async fn restarted(office: BoxOffice) -> anyhow::Result<(BoxOffice, f64)> {
    let start = office.start.clone();
    office.end().await?;
    let office = BoxOffice::start_again(start).await?;
    let ready_ms = office.ready_after.as_secs_f64() * 1000.0;
    Ok((office, ready_ms))
}

/// The same of a program with nothing in it.
async fn empty(bench: &Bench) -> anyhow::Result<Footprint> {
    let program = bench.programs().join("load-empty");
    let log = bench.args.out.join("limit-empty.log");
    let mut process = Process::start(command(&program), log)?;
    let http = process.listening().await?;
    mesh::ready(http, &mut process).await?;
    let ready_ms = process.started.elapsed().as_secs_f64() * 1000.0;
    let found = settled(process, ready_ms, &program).await?;
    Ok(found)
}

/// A service beside the box office, on the same database.
async fn alone(bench: &Bench, office: &BoxOffice, service: &str) -> anyhow::Result<Footprint> {
    let own = mesh::free_addr()?;
    let mut addrs = Addrs::of(office);
    match service {
        "user-svc" => addrs.user = own,
        "ticket-svc" => addrs.ticket = own,
        "payment-svc" => addrs.payment = own,
        "notify-svc" => addrs.notify = own,
        _ => addrs.gateway = own,
    }
    let log = office
        .start
        .data_dir
        .join(format!("bench-{service}-alone.log"));
    let mut process = Process::start(services::program(office, service, &addrs)?, log)?;
    if service == "gateway" {
        mesh::ready(own, &mut process).await?;
    } else {
        serving(own, &mut process).await?;
    }
    let ready_ms = process.started.elapsed().as_secs_f64() * 1000.0;
    settled(process, ready_ms, &bench.programs().join(service)).await
}

/// Waits until the health service says that it serves.
async fn serving(addr: SocketAddr, process: &mut Process) -> anyhow::Result<()> {
    let limit = Instant::now() + READY_LIMIT;
    let endpoint = Endpoint::from_shared(format!("http://{addr}"))?;
    loop {
        if let Ok(channel) = endpoint.connect().await {
            let mut health = HealthClient::new(channel);
            let answer = health.check(HealthCheckRequest::default()).await;
            if answer.is_ok_and(|answer| answer.get_ref().status == SERVING) {
                return Ok(());
            }
        }
        process.check()?;
        ensure!(Instant::now() < limit, "{addr} does not serve");
        // Sleeps: between two questions.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn settled(process: Process, ready_ms: f64, program: &Path) -> anyhow::Result<Footprint> {
    tokio::time::sleep(SETTLED).await;
    let (idle_mb, _) = memory_mb(process.pid()).context("it has ended")?;
    process.stop().await?;
    Ok(Footprint {
        idle_mb,
        ready_ms,
        size_mb: size_mb(program)?,
    })
}

fn size_mb(program: &Path) -> anyhow::Result<f64> {
    Ok(fs::metadata(program)?.len() as f64 / MB)
}
