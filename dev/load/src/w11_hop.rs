//! W11: what the gateway adds to a call: a gateway of its own before a service that says yes and keeps nothing.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use proto::ticket::{HoldTicketsLine, HoldTicketsRequest, hold_service_client::HoldServiceClient};
use tonic::transport::{Channel, Endpoint};

use crate::{
    admin::OnSale,
    audit::Audit,
    bench::Bench,
    cpu::Meter,
    drive::{self, Guest, Until},
    hold_guest::{History, Wish},
    limits::Limit,
    mesh::{self, BoxOffice},
    process::{Process, command},
    report::{Entry, Source},
    services::{self, Addrs},
    stats::{median, per_op},
};

const GUESTS: usize = 64;
const ID: &str = "019a0000-0000-7000-8000-000000000001";

/// Rate and CPU-µs of a call.
#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    per_second: f64,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Round {
    plain: Hop,
    traced: Hop,
    certified: Hop,
    bare: Hop,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W11 hop", 3 + bench.rounds());
    let office = bench.open("w11", &[]).await?;
    let source = Source {
        workload: "w11_hop",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let stub = bench.limit("grpc", &[]).await?;
    let certs = certificates(&office).await?;
    let own = certs.join("ticket-svc").to_string_lossy().into_owned();
    let certified_stub = bench.limit("grpc", &[("--certs", &own)]).await?;
    let run = Run {
        bench,
        plain: gateway(&office, &stub, Kind::Plain).await?,
        traced: gateway(&office, &stub, Kind::Traced).await?,
        certified: gateway(&office, &certified_stub, Kind::Certified(&certs)).await?,
        stub,
    };
    let mut rounds = Vec::new();
    let mut audit = Audit::default();
    // The first calls of a program are dearer than all that follow.
    for gateway in [&run.plain, &run.traced, &run.certified] {
        run.through(gateway, bench.seconds(1.0, 3.0), &mut audit)
            .await?;
    }
    for number in 1..=bench.rounds() {
        bench.progress.step(format!("round {number}"));
        let round = run.round(&mut audit).await?;
        bench.progress.say(&format!("  {round:?}"));
        rounds.push(round);
    }
    let entries = entries(&source, &rounds);
    run.plain.process.stop().await?;
    run.traced.process.stop().await?;
    run.certified.process.stop().await?;
    run.stub.stop().await?;
    certified_stub.stop().await?;
    office.stop().await?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.audited(&audit))
        .collect())
}

fn entries(source: &Source, rounds: &[Round]) -> Vec<Entry> {
    let pairs = |of: fn(&Round) -> [f64; 2]| -> Vec<[f64; 2]> { rounds.iter().map(of).collect() };
    let all = |of: fn(&Round) -> f64| -> Vec<f64> { rounds.iter().map(of).collect() };
    let plain_cpu = all(|round| round.plain.cpu_us);
    vec![
        source
            .against(
                "CPU-µs of the gateway for a call",
                "µs",
                "bare tonic echo",
                pairs(|round| [round.plain.cpu_us, round.bare.cpu_us]),
            )
            .cpu(
                median(&plain_cpu),
                Some(median(&all(|round| round.bare.cpu_us))),
            )
            .latency(
                median(&all(|round| round.plain.p50_ms)),
                median(&all(|round| round.plain.p99_ms)),
            )
            .absolute()
            .at_most(60.0),
        source
            .against(
                "CPU-µs of the gateway with 1 % of traces",
                "µs",
                "without traces",
                pairs(|round| [round.traced.cpu_us, round.plain.cpu_us]),
            )
            .at_most(1.05),
        source
            .against(
                "CPU-µs of the gateway over mutual TLS",
                "µs",
                "without TLS",
                pairs(|round| [round.certified.cpu_us, round.plain.cpu_us]),
            )
            .at_most(1.10),
        source.against(
            "calls through the gateway",
            "calls/s",
            "bare tonic echo",
            pairs(|round| [round.plain.per_second, round.bare.per_second]),
        ),
    ]
}

struct Gateway {
    process: Process,
    http: SocketAddr,
}

struct Run<'a> {
    bench: &'a Bench,
    stub: Limit,
    plain: Gateway,
    traced: Gateway,
    certified: Gateway,
}

impl Run<'_> {
    async fn round(&self, audit: &mut Audit) -> anyhow::Result<Round> {
        let lasting = self.bench.seconds(3.0, 12.0);
        Ok(Round {
            plain: self.through(&self.plain, lasting, audit).await?,
            traced: self.through(&self.traced, lasting, audit).await?,
            certified: self.through(&self.certified, lasting, audit).await?,
            bare: self.bare(lasting).await?,
        })
    }

    /// The CPU of the gateway alone.
    async fn through(
        &self,
        gateway: &Gateway,
        lasting: Duration,
        audit: &mut Audit,
    ) -> anyhow::Result<Hop> {
        let wish = Wish {
            doors: vec![gateway.http],
            on_sale: OnSale {
                event: ID.to_owned(),
                kind: ID.to_owned(),
                capacity: 1,
            },
            nonce: self.bench.nonce(),
            repeat_per_cent: 0,
        };
        let guests = wish.guests(GUESTS).await?;
        let meter = Meter::of(&[gateway.process.pid()]);
        let before = meter.read();
        let mut ran = drive::closed(guests, Until::after(lasting)).await?;
        let cpu_us = per_op(meter.read().saturating_sub(before), ran.visits);
        let hop = Hop {
            per_second: ran.per_second(),
            cpu_us,
            p50_ms: ran.latencies.p50_ms(),
            p99_ms: ran.latencies.p99_ms(),
        };
        let history = History::merge(ran.guests.into_iter().map(|one| one.history));
        audit.answers(&history);
        let granted = history.granted.len() as u64;
        audit.check(
            granted == ran.visits,
            format!(
                "{granted} of {} calls were answered with a hold",
                ran.visits
            ),
        );
        Ok(hop)
    }

    /// The service alone, called by tonic.
    async fn bare(&self, lasting: Duration) -> anyhow::Result<Hop> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.stub.addr))?;
        let holds = HoldServiceClient::new(endpoint.connect().await?);
        let callers = (0..GUESTS).map(|_| Caller(holds.clone())).collect();
        let meter = self.stub.meter();
        let before = meter.read();
        let mut ran = drive::closed::<Caller>(callers, Until::after(lasting)).await?;
        Ok(Hop {
            per_second: ran.per_second(),
            cpu_us: per_op(meter.read().saturating_sub(before), ran.visits),
            p50_ms: ran.latencies.p50_ms(),
            p99_ms: ran.latencies.p99_ms(),
        })
    }
}

/// A gRPC client without a gateway.
struct Caller(HoldServiceClient<Channel>);

impl Guest for Caller {
    async fn visit(&mut self, number: u64) -> anyhow::Result<std::time::Instant> {
        let request = HoldTicketsRequest {
            event_id: ID.to_owned(),
            lines: vec![HoldTicketsLine {
                ticket_type_id: ID.to_owned(),
                quantity: 1,
            }],
            idempotency_key: format!("a-bare-call-{number:012}"),
        };
        let made = self.0.hold_tickets(request).await?.into_inner();
        made.hold.context("a hold")?;
        Ok(std::time::Instant::now())
    }
}

/// How a gateway differs.
#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Plain,
    Traced,
    /// With the certificates in a folder.
    Certified(&'a Path),
}

/// The stub stands in for all four services, so its certificate has all their names: a caller looks for the one it
/// means.
async fn certificates(office: &BoxOffice) -> anyhow::Result<PathBuf> {
    let out = office.start.data_dir.join("bench-certs");
    let mut program = command(&office.start.programs.join("boxoffice"));
    program.arg("certs").arg("--out").arg(&out);
    for member in ["user-svc", "payment-svc", "notify-svc"] {
        program
            .arg("--host")
            .arg(format!("{member}.boxoffice.internal"));
    }
    let made = program.output().await?;
    ensure!(made.status.success(), "boxoffice certs: {}", made.status);
    Ok(out)
}

/// Before the stub. Its other services are the box office's, so that it gets ready.
async fn gateway(office: &BoxOffice, stub: &Limit, kind: Kind<'_>) -> anyhow::Result<Gateway> {
    let http = mesh::free_addr()?;
    let addrs = Addrs {
        ticket: stub.addr,
        gateway: http,
        ..Addrs::of(office)
    };
    let mut program = services::program(office, "gateway", &addrs)?;
    let name = match kind {
        Kind::Plain => "plain",
        Kind::Traced => {
            // What takes the spans is not there: one in a hundred is made, queued and given up.
            program
                .env(
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    format!("http://{}", stub.addr),
                )
                .env("OTEL_TRACES_SAMPLER", "traceidratio")
                .env("OTEL_TRACES_SAMPLER_ARG", "0.01");
            "traced"
        }
        Kind::Certified(folder) => {
            program.env("MESH_CERTS_DIR", folder.join("gateway"));
            for service in ["USER", "TICKET", "PAYMENT", "NOTIFY"] {
                program.env(
                    format!("{service}_SVC_URL"),
                    format!("https://{}", stub.addr),
                );
            }
            "certified"
        }
    };
    let log = office
        .start
        .data_dir
        .join(format!("bench-gateway-{name}.log"));
    let mut process = Process::start(program, log)?;
    mesh::alive(http, &mut process).await?;
    Ok(Gateway { process, http })
}
