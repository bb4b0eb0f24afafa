//! Five services in one process, each exactly as it is alone: its own settings, its own listener,
//! calls to the others over loopback gRPC.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use base::{Secret, Sources};
use kit::{Bind, Shutdown, config::try_parse_from};
use proto::Peer;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    Keys,
    facts::GrpcAddrs,
    flags::{self, Addrs},
};

/// Where each service is when it is alone; in one process it takes another port if need be.
const USUAL_PORTS: [(Peer, u16); 4] = [
    (Peer::User, 50051),
    (Peer::Ticket, 50052),
    (Peer::Payment, 50053),
    (Peer::Notify, 50054),
];
/// A purchase drains through all of them, so the edge stops first and what it needs last.
const STOP_ORDER: [Peer; 5] = [
    Peer::Gateway,
    Peer::Payment,
    Peer::Notify,
    Peer::Ticket,
    Peer::User,
];

/// One database per service.
#[derive(Clone, Debug)]
pub struct Databases {
    pub users: Secret,
    pub tickets: Secret,
    pub payments: Secret,
    pub notifications: Secret,
}

#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// Port 0 takes any, for HTTP and for every service.
    pub http_addr: SocketAddr,
    /// Unset: where HTTP is served.
    pub public_url: Option<String>,
    pub databases: Databases,
    pub nats_url: Secret,
    pub smtp_url: Option<Secret>,
    pub mail_dir: Option<PathBuf>,
    /// Where notify-svc notes mails that were accepted.
    pub handed_over_dir: PathBuf,
    /// A folder, or `s3://bucket/prefix`. Without it no picture can be uploaded.
    pub images_store: Option<String>,
    pub keys: Keys,
    /// A folder of certificates per member. Unset: they know each other by the key.
    pub certs_dir: Option<PathBuf>,
    pub sources: Sources,
    /// Settings of single services that go before everything else, by member and flag.
    pub settings: Vec<(Peer, &'static str, String)>,
}

/// The running services.
pub struct Mesh {
    config: MeshConfig,
    addrs: Addrs,
    members: BTreeMap<&'static str, Member>,
}

struct Member {
    shutdown: Shutdown,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Mesh {
    /// Applies the migrations of every service, side by side.
    pub async fn migrate(databases: &Databases) -> anyhow::Result<()> {
        tokio::try_join!(
            db::migrate(databases.users.expose(), &user_svc::MIGRATOR),
            db::migrate(databases.tickets.expose(), &ticket_svc::MIGRATOR),
            db::migrate(databases.payments.expose(), &payment_svc::MIGRATOR),
            db::migrate(databases.notifications.expose(), &notify_svc::MIGRATOR),
        )?;
        Ok(())
    }

    /// Starts all five. Every port is bound before a service is built, because they need each
    /// other's addresses.
    pub async fn start(config: MeshConfig) -> anyhow::Result<Self> {
        let http = TcpListener::bind(config.http_addr)
            .await
            .with_context(|| format!("HTTP_ADDR {} cannot be used", config.http_addr))?;
        let mut binds = BTreeMap::new();
        let mut addrs = BTreeMap::new();
        addrs.insert(Peer::Gateway.name(), http.local_addr()?);
        binds.insert(Peer::Gateway.name(), http);
        // Who takes any port for HTTP takes any for all: a member that is stopped for a while would
        // meet somebody else at its usual port.
        let usual = config.http_addr.port() != 0;
        for (peer, port) in USUAL_PORTS {
            let listener = usual_or_any(if usual { port } else { 0 }).await?;
            addrs.insert(peer.name(), listener.local_addr()?);
            binds.insert(peer.name(), listener);
        }
        let mut mesh = Self {
            config,
            addrs,
            members: BTreeMap::new(),
        };
        // Whatever is called comes before its callers; the loop is as short as five.
        for peer in STOP_ORDER.into_iter().rev() {
            let listener = binds
                .remove(peer.name())
                .context("every service has a listener")?;
            // Each holds the whole start of a service: boxed, so that the caller's future stays small.
            Box::pin(mesh.start_on(peer, Bind::Listener(listener))).await?;
        }
        Ok(mesh)
    }

    /// Starts one service again, where it was.
    pub async fn start_member(&mut self, peer: Peer) -> anyhow::Result<()> {
        let addr = self.addr(peer);
        Box::pin(self.start_on(peer, Bind::Addr(addr))).await
    }

    /// Puts a small programme of concerts on sale.
    pub async fn offer_demo_programme(&self) -> anyhow::Result<()> {
        let config = try_parse_from::<ticket_svc::Config>(self.flags(Peer::Ticket))?;
        ticket_svc::demo_programme(&config, self.config.sources.clone()).await
    }

    /// Drains and stops one service, as a rolling deployment does.
    pub async fn stop_member(&mut self, peer: Peer) -> anyhow::Result<()> {
        let Some(member) = self.members.remove(peer.name()) else {
            return Ok(());
        };
        member.shutdown.begin();
        member
            .serving
            .await?
            .with_context(|| format!("{} failed", peer.name()))
    }

    /// Stops all five, the edge first.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        for peer in STOP_ORDER {
            self.stop_member(peer).await?;
        }
        Ok(())
    }

    /// Resolves when a service ended that was not told to, with its name.
    pub async fn failed(&mut self) -> &'static str {
        loop {
            let ended = self
                .members
                .iter()
                .find(|(_, member)| member.serving.is_finished());
            if let Some((name, _)) = ended {
                return name;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    pub fn addr(&self, peer: Peer) -> SocketAddr {
        self.addrs[peer.name()]
    }

    pub fn grpc_addrs(&self) -> GrpcAddrs {
        GrpcAddrs {
            user: self.addr(Peer::User),
            ticket: self.addr(Peer::Ticket),
            payment: self.addr(Peer::Payment),
            notify: self.addr(Peer::Notify),
        }
    }

    /// Where guests find the shop.
    pub fn public_url(&self) -> String {
        flags::public_url(&self.config, &self.addrs)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "each is kept as a member, and the stop waits for it"
    )]
    async fn start_on(&mut self, peer: Peer, bind: Bind) -> anyhow::Result<()> {
        let sources = self.config.sources.clone();
        let shutdown = Shutdown::new();
        let (on, flags) = (shutdown.clone(), self.flags(peer));
        let serving = match peer {
            Peer::User => {
                let config = try_parse_from::<user_svc::Config>(flags)?;
                tokio::spawn(user_svc::build(&config, bind, sources).await?.serve(on))
            }
            Peer::Ticket => {
                let config = try_parse_from::<ticket_svc::Config>(flags)?;
                tokio::spawn(ticket_svc::build(&config, bind, sources).await?.serve(on))
            }
            Peer::Payment => {
                let config = try_parse_from::<payment_svc::Config>(flags)?;
                tokio::spawn(payment_svc::build(&config, bind, sources).await?.serve(on))
            }
            Peer::Notify => {
                let config = try_parse_from::<notify_svc::Config>(flags)?;
                tokio::spawn(notify_svc::build(&config, bind, sources).await?.serve(on))
            }
            Peer::Gateway => {
                let config = try_parse_from::<gateway::Config>(flags)?;
                tokio::spawn(gateway::build(&config, bind, sources).await?.serve(on))
            }
            Peer::Operator => anyhow::bail!("an operator is a person"),
        };
        self.members
            .insert(peer.name(), Member { shutdown, serving });
        Ok(())
    }

    /// The command line of one service.
    pub fn flags(&self, peer: Peer) -> Vec<String> {
        flags::flags(&self.config, &self.addrs, peer)
    }
}

async fn usual_or_any(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await,
    }
}
