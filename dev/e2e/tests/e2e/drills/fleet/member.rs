//! A replica of a service, as a process of its own.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use base::Sources;
use kit::{Bind, Shutdown, config::try_parse_from};
use proto::Peer;
use testkit::eventually;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

const MEMBER: &str = "E2E_FLEET_MEMBER";
const FLAGS: &str = "E2E_FLEET_FLAGS";
const ADDR: &str = "E2E_FLEET_ADDR";
/// A process of this large program, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// The hard exit comes after 30 seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(29);

/// What counts as work of each service: the calls that it served, or the requests.
const CALLS: &str = "rpc_server_requests_total{";
const REQUESTS: &str = "http_server_requests_total{";
/// Health checks, which are in no contract; streams, of which there is one for hours; and webhooks, which the sandbox
/// sends to one address.
const NO_WORK: [&str; 3] = ["service=\"unknown\"", "method=\"Watch", "/webhooks/"];

/// One of several, with an address of its own.
pub struct Replica {
    pub peer: Peer,
    pub addr: SocketAddr,
    metrics: SocketAddr,
    flags: Vec<String>,
    process: Option<Child>,
}

impl Replica {
    /// Not running yet.
    pub fn new(peer: Peer, ports: (u16, u16), mut flags: Vec<String>) -> Self {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let metrics = at(ports.1);
        set(&mut flags, "metrics-addr", &metrics.to_string());
        Self {
            peer,
            addr: at(ports.0),
            metrics,
            flags,
            process: None,
        }
    }

    pub fn launch(&mut self) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "drills::fleet::member::be_a_member",
            "--ignored",
            "--nocapture",
        ]);
        command
            .env(MEMBER, self.peer.name())
            .env(FLAGS, serde_json::to_string(&self.flags).unwrap())
            .env(ADDR, self.addr.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        self.process = Some(command.spawn().unwrap());
    }

    /// Waits until it says that it can work.
    pub async fn ready(&self) {
        let what = format!("{} at {} to be ready", self.peer.name(), self.addr);
        let url = format!("http://{}/readyz", self.metrics);
        eventually(&what, READY_WITHIN, async || {
            let answer = reqwest::get(&url).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// SIGTERM, as whoever deploys sends it; it drains and ends well.
    pub async fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        // Whoever waits for it closes this, and then it would end at once.
        let lifeline = process.stdin.take();
        testkit::terminate(process.id().expect("nobody has waited for it"));
        let ended = timeout(ENDS_WITHIN, process.wait()).await;
        let name = self.peer.name();
        let ended = ended.unwrap_or_else(|_| panic!("{name} did not drain in time"));
        assert!(ended.unwrap().success(), "{name} did not end well");
        drop(lifeline);
    }

    /// kill -9.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().await.unwrap();
    }

    /// How much it has done since it started.
    pub async fn work(&self) -> u64 {
        let url = format!("http://{}/metrics", self.metrics);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let counted = match self.peer {
            Peer::Gateway => REQUESTS,
            _ => CALLS,
        };
        let lines = text.lines().filter(|line| line.starts_with(counted));
        lines
            .filter(|line| !NO_WORK.iter().any(|word| line.contains(word)))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum()
    }
}

/// In place of what was said before.
pub fn set(flags: &mut Vec<String>, flag: &str, value: &str) {
    let begin = format!("--{flag}=");
    flags.retain(|other| !other.starts_with(&begin));
    flags.push(begin + value);
}

/// Not a test of its own: what `Replica` runs in another process, as the program of the service does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the drill in a process of its own"]
async fn be_a_member() {
    let Ok(member) = std::env::var(MEMBER) else {
        return;
    };
    // Whatever ends the drill ends this too.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(1);
    });
    testkit::logs();
    let flags: Vec<String> = serde_json::from_str(&std::env::var(FLAGS).unwrap()).unwrap();
    let addr: SocketAddr = std::env::var(ADDR).unwrap().parse().unwrap();
    let shutdown = Shutdown::on_signals().unwrap();
    let (bind, sources) = (Bind::Addr(addr), Sources::system());
    macro_rules! serve {
        ($service:ident) => {{
            let config = try_parse_from::<$service::Config>(flags).unwrap();
            let _telemetry = kit::telemetry::init("e2e", &config.telemetry);
            let server = $service::build(&config, bind, sources).await.unwrap();
            server.serve(shutdown).await.unwrap();
        }};
    }
    match member.as_str() {
        "gateway" => serve!(gateway),
        "user-svc" => serve!(user_svc),
        "ticket-svc" => serve!(ticket_svc),
        "payment-svc" => serve!(payment_svc),
        "notify-svc" => serve!(notify_svc),
        other => panic!("{other} is no service"),
    }
}
