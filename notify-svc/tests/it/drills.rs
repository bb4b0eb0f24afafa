//! notify-svc is killed again and again while receipts come and go. `E2E_DRILLS=full` makes it large.

use std::{
    collections::HashMap,
    process::{Child, Command, Stdio},
    time::Duration,
};

use async_nats::jetstream;
use prost::Message as _;
use proto::event::Envelope;
use testkit::eventually;

use crate::harness::{Harness, LIMIT};

const LONG: Duration = Duration::from_secs(1_800);
/// Decides when, and is told when the test fails.
const SEED: u64 = 20_310_612;
const BATCH: usize = 50;

fn is_full() -> bool {
    std::env::var("E2E_DRILLS").is_ok_and(|size| size == "full")
}

/// The real program, on a port of its own.
struct Victim {
    program: Child,
    kills: usize,
}

impl Victim {
    fn start(harness: &Harness) -> Self {
        let program = Self::program(harness);
        Self { program, kills: 0 }
    }

    fn program(harness: &Harness) -> Child {
        let mut program = Command::new(env!("CARGO_BIN_EXE_notify-svc"));
        program
            .args(&harness.args[1..])
            .arg("--grpc-addr=127.0.0.1:0")
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        program.spawn().unwrap()
    }

    /// One that has died by itself would only seem to be killed.
    fn kill(&mut self) {
        let died = self.program.try_wait().unwrap();
        assert_eq!(died, None, "it ended by itself after {} kills", self.kills);
        self.program.kill().unwrap();
        self.program.wait().unwrap();
        self.kills += 1;
    }
}

async fn publish(jetstream: &jetstream::Context, envelopes: &[Envelope]) {
    for envelope in envelopes {
        let bytes = envelope.encode_to_vec();
        let ack = jetstream.publish("boxoffice.event.order_paid", bytes.into());
        ack.await.unwrap().await.unwrap();
    }
}

async fn open(harness: &Harness) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM notifications WHERE status IN ('queued', 'sending')")
        .fetch_one(&harness.rows)
        .await
        .unwrap()
}

/// Message-ID → how often it came.
fn arrived(harness: &Harness) -> HashMap<String, usize> {
    let mut arrived = HashMap::new();
    for mail in harness.sink.messages() {
        let id = mail
            .data
            .lines()
            .find(|line| line.starts_with("Message-ID:"));
        *arrived.entry(id.unwrap().to_owned()).or_default() += 1;
    }
    arrived
}

/// Kills it so often, each time at work, and gives it more to do where it would run out of work before. Returns
/// that.
async fn kill_at_work(
    harness: &Harness,
    jetstream: &jetstream::Context,
    victim: &mut Victim,
    (kills, receipts): (usize, usize),
) -> Vec<Envelope> {
    let mut dice = Dice(SEED);
    let mut more: Vec<Envelope> = Vec::new();
    for round in 1..=kills {
        let before = harness.sink.messages().len();
        // Those that came twice are among them, and the last ones may wait for the broker to give them out again.
        if before + BATCH > receipts + more.len() {
            let batch: Vec<Envelope> = (0..BATCH).map(|_| harness.envelope()).collect();
            publish(jetstream, &batch).await;
            more.extend(batch);
        }
        // It is to be killed at work: a little after its first mail, whenever that is.
        eventually("it sends", LIMIT, async || {
            (harness.sink.messages().len() > before).then_some(())
        })
        .await;
        // Sleeps: any moment may be the one.
        tokio::time::sleep(Duration::from_millis(dice.roll(300))).await;
        victim.kill();
        println!("kill {round}: {} mails", harness.sink.messages().len());
        // What it had taken is due when its lease ends; that time is not waited for.
        harness.let_time_pass().await;
        victim.program = Victim::program(harness);
    }
    more
}

#[tokio::test]
async fn every_receipt_arrives_however_often_the_sender_is_killed() {
    let (receipts, kills) = if is_full() { (10_000, 200) } else { (120, 6) };
    let harness = Harness::stopped().await;
    harness.nats.start().await;
    let jetstream = jetstream::new(harness.nats.client().await);
    let mut victim = Victim::start(&harness);
    eventually("the stream is made", LIMIT, async || {
        jetstream.get_stream("BOXOFFICE").await.ok().map(drop)
    })
    .await;
    let mut envelopes: Vec<Envelope> = (0..receipts).map(|_| harness.envelope()).collect();
    let feed = publish(&jetstream, &envelopes);
    let killing = kill_at_work(&harness, &jetstream, &mut victim, (kills, receipts));
    let ((), more) = tokio::join!(feed, killing);
    envelopes.extend(more);
    // What the broker was not confirmed comes by the sure way.
    victim.kill();
    let mut harness = harness;
    harness.let_time_pass().await;
    harness.run().await;
    for batch in envelopes.chunks(BATCH) {
        harness.accept(batch).await;
    }
    eventually("everything is sent", LONG, async || {
        (open(&harness).await == 0).then_some(())
    })
    .await;

    let arrived = arrived(&harness);
    let copies: usize = arrived.values().map(|times| times - 1).sum();
    let (receipts, killed) = (envelopes.len(), victim.kills);
    println!("seed {SEED}: {receipts} receipts, {killed} kills, {copies} came twice");
    assert_eq!(arrived.len(), receipts, "none is missing");
    assert!(killed > kills, "{killed} kills, and {kills} at work wanted");
    assert!(copies <= killed, "{copies} copies after {killed} kills");
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn nobody_gets_two_mails_while_nobody_is_killed() {
    let receipts = if is_full() { 10_000 } else { 120 };
    let harness = Harness::start().await;
    let envelopes: Vec<Envelope> = (0..receipts).map(|_| harness.envelope()).collect();
    for _ in 0..2 {
        for batch in envelopes.chunks(BATCH) {
            harness.accept(batch).await;
        }
    }
    eventually("everything is sent", LONG, async || {
        (open(&harness).await == 0).then_some(())
    })
    .await;
    let arrived = arrived(&harness);
    assert_eq!(arrived.len(), receipts);
    assert!(arrived.values().all(|times| *times == 1));
    harness.check_invariants(0).await;
}

/// Marsaglia's xorshift64: the same every time.
struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}
