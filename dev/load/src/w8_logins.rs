//! W8: two hundred logins a second, half of them wrong, while a hot sale goes on; then two thousand who send byte by
//! byte. Guests must not notice, and what is too much is refused at once.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    admin::{self, Admin, MOST_STOCK, OnSale},
    audit::Audit,
    bench::Bench,
    drive::{self, Guest, Until},
    hold_guest::{History, Wish},
    mesh::BoxOffice,
    report::{Entry, Source},
    settle,
    slow::SlowSenders,
    stats::{Latencies, median, rate},
    wire::{self, Connection},
};

const LOGINS_PER_SECOND: f64 = 200.0;
const LOGIN_CONNECTIONS: usize = 256;
const GUESTS: usize = 256;
const SLOW_SENDERS: usize = 2_000;
/// How much of p99 they may cost.
const SLOW_SENDERS_COST: f64 = 1.2;
/// As the services do by default.
const BCRYPT_COST: u32 = 12;

#[derive(Clone, Copy, Debug)]
enum Side {
    Alone,
    BesideSlow,
    BesideLogins,
}

const SIDES: [Side; 3] = [Side::Alone, Side::BesideSlow, Side::BesideLogins];

#[derive(Debug, Default)]
struct Round {
    alone: Latencies,
    beside: Latencies,
    beside_slow: Latencies,
    logins: Logins,
    per_second: f64,
    bcrypt: f64,
}

/// What those who sign in heard.
#[derive(Clone, Debug, Default)]
struct Logins {
    right: u64,
    wrong: u64,
    excess: Latencies,
    other: Vec<String>,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W8 logins", 2 + bench.rounds());
    let office = bench.open("w8", &[]).await?;
    let source = Source {
        workload: "w8_logins",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut run = Run {
        bench,
        admin: office.admin().await?,
        office,
        audit: Audit::default(),
    };
    let peak = run.peak().await?;
    bench.progress.say(&format!(
        "  {peak:.0} holds/s at most, half of that from here on"
    ));
    let mut rounds = Vec::new();
    for number in 1..=bench.rounds() {
        bench.progress.step(format!("round {number}"));
        let mut round = run.round(number, peak / 2.0).await?;
        bench.progress.say(&format!(
            "  p99 {:.1} ms alone, {:.1} ms beside slow senders, {:.1} ms beside logins; {} signed in, {} refused as wrong, {} told to wait",
            round.alone.p99_ms(),
            round.beside_slow.p99_ms(),
            round.beside.p99_ms(),
            round.logins.right,
            round.logins.wrong,
            round.logins.excess.count(),
        ));
        rounds.push(round);
    }
    run.audit.doctor(&run.office).await?;
    let entries = entries(&source, &mut rounds, &run.audit);
    run.office.stop().await?;
    Ok(entries)
}

fn entries(source: &Source, rounds: &mut [Round], audit: &Audit) -> Vec<Entry> {
    let guests = rounds
        .iter_mut()
        .map(|round| [round.beside.p99_ms(), round.alone.p99_ms()]);
    let guests = source
        .against(
            "p99 of a hold beside a login storm",
            "ms",
            "without it",
            guests.collect(),
        )
        .at_most(1.5);
    let slow = rounds
        .iter_mut()
        .map(|round| [round.beside_slow.p99_ms(), round.alone.p99_ms()]);
    let slow = source
        .against(
            "p99 of a hold beside 2,000 slow senders",
            "ms",
            "without them",
            slow.collect(),
        )
        .at_most(SLOW_SENDERS_COST);
    let served = rounds
        .iter()
        .map(|round| [round.per_second, round.bcrypt])
        .collect();
    let served = source.against(
        "logins answered by a hash",
        "logins/s",
        "bcrypt on one core",
        served,
    );
    let excess: Vec<f64> = rounds
        .iter_mut()
        .map(|round| round.logins.excess.p99_ms())
        .collect();
    let told: u64 = rounds.iter().map(|round| round.logins.excess.count()).sum();
    let what = format!("p99 of a refusal of the excess ({told} of them)");
    let excess = source.figure(&what, "ms", &excess).at_most(5.0);
    [guests, slow, served, excess]
        .into_iter()
        .map(|entry| entry.audited(audit))
        .collect()
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    admin: Admin,
    audit: Audit,
}

impl Run<'_> {
    /// Holds per second at most.
    async fn peak(&mut self) -> anyhow::Result<f64> {
        let (wish, _) = self.wish().await?;
        let lasting = self.bench.seconds(2.0, 5.0);
        let ran = drive::closed(wish.guests(GUESTS).await?, Until::after(lasting)).await?;
        Ok(ran.per_second())
    }

    async fn wish(&mut self) -> anyhow::Result<(Wish, OnSale)> {
        let on_sale = self.admin.on_sale("A sale", MOST_STOCK).await?;
        let wish = Wish {
            doors: self.office.doors(),
            on_sale: on_sale.clone(),
            nonce: self.bench.nonce(),
            repeat_per_cent: 0,
        };
        Ok((wish, on_sale))
    }

    /// Each sale has each place in its turn, and begins when the work of the one before is done: what the box office
    /// and the machine gather on the way is not to count against the same side each time.
    async fn round(&mut self, number: usize, per_second: f64) -> anyhow::Result<Round> {
        let mut round = Round::default();
        for place in 0..SIDES.len() {
            self.calm().await?;
            match SIDES[(number + place) % SIDES.len()] {
                Side::Alone => round.alone = self.sale(per_second).await?,
                Side::BesideSlow => round.beside_slow = self.beside_slow(per_second).await?,
                Side::BesideLogins => self.beside_logins(&mut round, per_second).await?,
            }
        }
        self.calm().await?;
        round.bcrypt = raw_bcrypt(self.bench.seconds(1.0, 3.0)).await?;
        Ok(round)
    }

    async fn calm(&self) -> anyhow::Result<()> {
        settle::calm(&self.office.meter()).await
    }

    async fn beside_slow(&mut self, per_second: f64) -> anyhow::Result<Latencies> {
        let slow = SlowSenders::begin(self.office.http, SLOW_SENDERS);
        // Until as many are there as ever will be.
        tokio::time::sleep(self.bench.seconds(2.0, 5.0)).await;
        let latencies = self.sale(per_second).await;
        drop(slow);
        latencies
    }

    async fn beside_logins(&mut self, round: &mut Round, per_second: f64) -> anyhow::Result<()> {
        let (http, lasting) = (self.office.http, self.lasting());
        let storm = async {
            let guests = signing_in(http).await?;
            drive::open(guests, LOGINS_PER_SECOND, lasting).await
        };
        let (beside, storm) = tokio::join!(self.sale(per_second), storm);
        let storm = storm?;
        let mut logins = Logins::default();
        for guest in storm.guests {
            logins.add(guest.heard);
        }
        let first = logins.other.first().map_or("", String::as_str);
        self.audit.check(
            logins.other.is_empty(),
            format!("logins are answered with 200, 401 or 429 {first}"),
        );
        round.beside = beside?;
        round.per_second = rate(logins.right + logins.wrong, storm.took);
        round.logins = logins;
        Ok(())
    }

    fn lasting(&self) -> Duration {
        self.bench.seconds(8.0, 15.0)
    }

    async fn sale(&mut self, per_second: f64) -> anyhow::Result<Latencies> {
        let lasting = self.lasting();
        let (wish, on_sale) = self.wish().await?;
        let ran = drive::open(wish.guests(GUESTS).await?, per_second, lasting).await?;
        let history = History::merge(ran.guests.into_iter().map(|one| one.history));
        let mut tickets = self.office.connect("tickets").await?;
        self.audit.sale(&mut tickets, &on_sale, &history).await?;
        Ok(ran.latencies)
    }
}

impl Logins {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.excess.extend(&other.excess);
        self.other.extend(other.other);
    }
}

/// Somebody who signs in; every second time with a wrong password.
struct SigningIn {
    connection: Connection,
    requests: Arc<[Vec<u8>; 2]>,
    heard: Logins,
}

async fn signing_in(http: SocketAddr) -> anyhow::Result<Vec<SigningIn>> {
    let login = |password: &str| {
        let body = json!({"email": admin::EMAIL, "password": password}).to_string();
        wire::post("bench", "/api/v1/auth/login", &[], &body)
    };
    let requests = Arc::new([login(admin::PASSWORD), login("not this one, surely")]);
    let mut guests = Vec::new();
    for _ in 0..LOGIN_CONNECTIONS {
        guests.push(SigningIn {
            connection: Connection::open(http).await?,
            requests: requests.clone(),
            heard: Logins::default(),
        });
    }
    Ok(guests)
}

impl Guest for SigningIn {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        let request = &self.requests[usize::from(!number.is_multiple_of(2))];
        let began = Instant::now();
        let answer = self.connection.ask(request).await?;
        let at = Instant::now();
        match answer.status {
            200 => self.heard.right += 1,
            401 => self.heard.wrong += 1,
            429 | 503 => self.heard.excess.record(at - began),
            status => {
                let said = String::from_utf8_lossy(self.connection.body(answer));
                self.heard.other.push(format!("{status}: {said}"));
            }
        }
        Ok(at)
    }
}

/// Hashes per second on one thread.
async fn raw_bcrypt(lasting: Duration) -> anyhow::Result<f64> {
    let mut tasks = JoinSet::new();
    tasks.spawn_blocking(move || {
        let (began, mut hashes) = (Instant::now(), 0);
        while began.elapsed() < lasting {
            bcrypt::hash("a long enough password", BCRYPT_COST)?;
            hashes += 1;
        }
        anyhow::Ok(rate(hashes, began.elapsed()))
    });
    let mut rates = Vec::new();
    while let Some(done) = tasks.join_next().await {
        rates.push(done??);
    }
    Ok(median(&rates))
}
