//! Every alert fires: what it warns of is brought about in a box office, and the rules as they ship are given the
//! metrics that the services then have. Only the clock is not Prometheus' own: what happened between two looks is
//! what happens in each minute of the rules (`watch.rs`).
//!
//! Metrics are one per process, so this is a process of its own.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "../e2e/guest.rs"]
#[expect(dead_code, reason = "alerts need less than all tests together")]
mod guest;
mod guests;
#[path = "../e2e/harness.rs"]
#[expect(dead_code, reason = "alerts need less than all tests together")]
mod harness;
#[path = "../e2e/invariants.rs"]
mod invariants;
mod look;
mod mails;
mod promtool;
mod stock;
mod watch;

use std::collections::BTreeSet;

use kit::telemetry::{Settings, Telemetry};
use proto::Peer;
use testkit::{FaultProxy, NatsServer, Smtp};

use crate::{
    guest::CARD_OK,
    harness::{BoxOffice, PATIENCE},
    watch::Watch,
};

/// Requests that the gateway takes at once, so that there can be too many.
const ROOM: usize = 24;
/// All that the drill has open at once: guests who watch, both ends of them.
const OPEN_FILES: u32 = 12_000;

/// In every build: what takes seconds.
#[tokio::test(flavor = "multi_thread")]
async fn no_alert_fires_in_a_calm_box_office_and_some_do_in_a_bad_one() {
    let drill = Drill::begin().await;
    drill.is_calm().await;
    let hall = drill.office.put_on_sale(100, 0).await;
    guests::cannot_order(&drill.office, &drill.watch, &hall).await;
    stock::has_wrong_counters(&drill.office, &drill.watch).await;
    mails::have_late_messages(&drill.office, &drill.watch).await;
    drill.end().await;
}

/// `just drills`: it takes a minute, and thousands of guests watch.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a drill, beside the one of every build"]
async fn every_alert_fires_in_its_drill() {
    allow_open_files();
    let drill = Drill::begin().await;
    let Drill { office, watch, .. } = &drill;
    drill.is_calm().await;
    mails::have_late_messages(office, watch).await;
    tokio::join!(
        stock::is_wrong(office, watch),
        mails::wait(office, watch, (&drill.sink, &drill.wire)),
    );
    guests::see_faults(office, watch).await;
    let fired = drill.end().await;
    let all: BTreeSet<String> = promtool::alerts().into_keys().collect();
    assert_eq!(fired, all, "an alert without a drill, or without a rule");
}

struct Drill {
    telemetry: Telemetry,
    watch: Watch,
    sink: Smtp,
    /// Before the sink.
    wire: FaultProxy,
    office: BoxOffice,
}

impl Drill {
    async fn begin() -> Self {
        let settings = Settings {
            metrics_addr: Some(([127, 0, 0, 1], 0).into()),
            ..Settings::default()
        };
        let telemetry = kit::telemetry::init("boxoffice", &settings);
        let addr = telemetry.metrics_addr().unwrap();
        let sink = Smtp::start().await;
        let wire = FaultProxy::before(&sink.url()).await;
        let office = Box::pin(open(&wire)).await;
        Self {
            telemetry,
            watch: Watch::of(format!("http://{addr}/metrics")),
            sink,
            wire,
            office,
        }
    }

    /// Somebody buys, is sent the receipt, and an admin signs in.
    async fn is_calm(&self) {
        let Self { office, watch, .. } = self;
        let on_sale = office.put_on_sale(10, 0).await;
        let paid = office.put_on_sale(10, 4500).await;
        let guest = office.guest();
        watch
            .nothing_fires(async || {
                let mails = self.sink.messages().len();
                let hold = guests::a_hold(office, &on_sale).await;
                let (_, order) = guest.order(&hold, "first@example.org").await;
                guest.wait_for(&order, "fulfilled").await;
                let hold = guests::a_hold(office, &paid).await;
                let (_, order) = guest.order(&hold, "second@example.org").await;
                guest.pay(&order, CARD_OK).await;
                guest.wait_for(&order, "fulfilled").await;
                self.sink.wait_for(mails + 2, PATIENCE).await;
            })
            .await;
    }

    /// Nothing is told of the box office any more, and then it does not answer. Which alerts fired.
    async fn end(self) -> BTreeSet<String> {
        let watch = self.watch;
        let mut known = None;
        let forget = async || known = watch.ask(None);
        watch.fires(&["BoxofficeUnwatched"], forget).await;
        watch.ask(known);
        let telemetry = self.telemetry;
        let end = async || {
            // It waits for its last spans, and this is no thread to wait on.
            let ended = tokio::task::spawn_blocking(move || drop(telemetry));
            ended.await.unwrap();
        };
        watch.fires(&["ServiceDown"], end).await;
        self.office.mesh.into_inner().stop().await.unwrap();
        self.office.nats.stop().await;
        watch.fired()
    }
}

/// With guests from as many networks as they say, and fewer requests at once.
async fn open(wire: &FaultProxy) -> BoxOffice {
    let many = "100000".to_owned();
    let settings = [
        (Peer::Gateway, "requests-max", ROOM.to_string()),
        (Peer::Gateway, "streams-per-address-max", "4096".to_owned()),
        (Peer::Gateway, "connections-per-address-max", "0".to_owned()),
        (Peer::Gateway, "held-tickets-per-network-max", many),
        (Peer::Gateway, "trusted-proxies", "127.0.0.1/32".to_owned()),
        (Peer::Notify, "smtp-url", wire.url().to_owned()),
    ];
    let nats = NatsServer::start_private().await;
    BoxOffice::open_with(nats, &settings).await
}

/// Small systems allow a thousand.
fn allow_open_files() {
    let limit = format!("--nofile={OPEN_FILES}:");
    let pid = std::process::id().to_string();
    let mut prlimit = std::process::Command::new("prlimit");
    // Where there is no such program the limit may do; if not, the drill of the streams says so.
    drop(prlimit.args(["--pid", &pid, &limit]).status());
}
