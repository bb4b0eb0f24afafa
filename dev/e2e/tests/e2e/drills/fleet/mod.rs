//! Several replicas of every service as processes, and a cluster of NATS, while guests buy: everything is restarted one
//! by one, then one of each is killed. Nobody's purchase fails, and nothing is done twice.

mod member;

use std::{sync::atomic::Ordering, time::Instant};

use proto::Peer;
use testkit::{NatsCluster, eventually, quiet_ports};

use self::member::{Replica, set};
use crate::{
    drills::{LONG, count, shop::Shop},
    harness::BoxOffice,
    invariants,
};

/// What is called stands before its callers.
const MEMBERS: [Peer; 5] = [
    Peer::User,
    Peer::Ticket,
    Peer::Notify,
    Peer::Payment,
    Peer::Gateway,
];
const STREAM: &str = "BOXOFFICE";
const BROKERS: usize = 3;
/// Of one request.
const TRIES: usize = 8;
/// Work of one replica beside the mean of its like, in percent.
const SPREAD_PERCENT: u64 = 20;
/// Mails that may come again when a notify-svc is killed, under the same Message-ID.
const MAILS_UNDER_WAY_MAX: usize = 1;

/// How large it is: two of each that sell to a few guests; with E2E_DRILLS=full three of each.
struct Size {
    replicas: usize,
    guests_at_once: usize,
    /// Guests who are served before anything is disturbed, to see how the work is spread.
    guests_before: usize,
    /// Guests who are served while one is away, where it is killed.
    guests_meanwhile: usize,
}

fn size() -> Size {
    match std::env::var("E2E_DRILLS").as_deref() {
        Ok("full") => Size {
            replicas: 3,
            guests_at_once: 12,
            guests_before: 600,
            guests_meanwhile: 60,
        },
        _ => Size {
            replicas: 2,
            guests_at_once: 3,
            guests_before: 20,
            guests_meanwhile: 1,
        },
    }
}

struct Fleet {
    replicas: Vec<Replica>,
}

impl Fleet {
    /// In place of the services of the office, on its databases.
    async fn start(office: &BoxOffice, brokers: &NatsCluster, replicas: usize) -> Self {
        let ports = quiet_ports(MEMBERS.len() * replicas * 2);
        let ports: Vec<(u16, u16)> = ports.chunks(2).map(|two| (two[0], two[1])).collect();
        let of = |peer: Peer| {
            let place = MEMBERS.iter().position(|member| *member == peer).unwrap();
            &ports[place * replicas..][..replicas]
        };
        let urls = |peer: Peer| {
            let urls = of(peer)
                .iter()
                .map(|(port, _)| format!("http://127.0.0.1:{port}"));
            urls.collect::<Vec<_>>().join(",")
        };
        let mut mesh = office.mesh.lock().await;
        let mut fleet = Vec::new();
        for peer in MEMBERS {
            let mut flags = mesh.flags(peer);
            for callee in [Peer::User, Peer::Ticket, Peer::Payment, Peer::Notify] {
                let flag = format!("{}-url", callee.name());
                if flags
                    .iter()
                    .any(|set| set.starts_with(&format!("--{flag}=")))
                {
                    set(&mut flags, &flag, &urls(callee));
                }
            }
            set(&mut flags, "nats-url", &brokers.urls());
            if matches!(peer, Peer::User | Peer::Payment | Peer::Notify) {
                set(&mut flags, "nats-stream-copies", &BROKERS.to_string());
            }
            if peer != Peer::Gateway {
                // All of them share a PostgreSQL with other tests.
                set(&mut flags, "database-max-connections", "4");
            }
            if peer == Peer::Payment {
                let (port, _) = of(Peer::Gateway)[0];
                let hook = format!("http://127.0.0.1:{port}/api/v1/webhooks/sandbox");
                set(&mut flags, "sandbox-webhook-url", &hook);
            }
            for ports in of(peer) {
                fleet.push(Replica::new(peer, *ports, flags.clone()));
            }
        }
        for peer in MEMBERS.into_iter().rev() {
            mesh.stop_member(peer).await.unwrap();
        }
        fleet.iter_mut().for_each(Replica::launch);
        for replica in &fleet {
            replica.ready().await;
        }
        Self { replicas: fleet }
    }

    fn gateways(&self) -> Vec<String> {
        let gateways = self.replicas.iter().filter(|one| one.peer == Peer::Gateway);
        gateways.map(|one| format!("http://{}", one.addr)).collect()
    }

    /// What is wrong with how the work is spread.
    async fn lopsided(&self) -> Vec<String> {
        let mut lopsided = Vec::new();
        for peer in MEMBERS {
            let mut work = Vec::new();
            for replica in self.replicas.iter().filter(|one| one.peer == peer) {
                work.push(replica.work().await);
            }
            let mean = work.iter().sum::<u64>() / work.len() as u64;
            println!("{} did {work:?}", peer.name());
            if work
                .iter()
                .any(|one| one.abs_diff(mean) * 100 > mean * SPREAD_PERCENT)
            {
                lopsided.push(format!("{} did {work:?}", peer.name()));
            }
        }
        lopsided
    }

    /// Every process ends in order and another one takes its place, one after the other.
    async fn restart_one_by_one(&mut self) {
        for replica in &mut self.replicas {
            let begun = Instant::now();
            replica.stop().await;
            let drained = begun.elapsed();
            replica.launch();
            replica.ready().await;
            let name = replica.peer.name();
            println!(
                "{name} drained in {drained:.1?}, ready again after {:.1?}",
                begun.elapsed()
            );
        }
    }

    /// The last replica of each is killed, and started again when some were served without it.
    async fn kill_one_of_each(&mut self, shop: &Shop, guests_meanwhile: usize) {
        for peer in MEMBERS {
            let last = self.replicas.iter_mut().rfind(|one| one.peer == peer);
            let last = last.expect("one of each");
            last.kill().await;
            shop.serves(guests_meanwhile).await;
            last.launch();
            last.ready().await;
            println!("{} was killed and is back", peer.name());
        }
    }

    async fn stop(mut self) {
        for replica in self.replicas.iter_mut().rev() {
            replica.stop().await;
        }
    }
}

/// One after the other ends in order, and comes back with what it has; then the one that leads is killed.
async fn disturb(brokers: &NatsCluster, shop: &Shop, guests_meanwhile: usize) {
    for number in 0..brokers.count() {
        brokers.stop(number).await;
        shop.serves(guests_meanwhile).await;
        brokers.start(number).await;
    }
    let leader = eventually("a leader", LONG, async || brokers.leader(STREAM).await).await;
    brokers.kill(leader).await;
    shop.serves(guests_meanwhile).await;
    brokers.start(leader).await;
    println!("all nats-servers were restarted, and the leader was killed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it runs a dozen processes: `just drills`"]
async fn everything_is_restarted_and_one_of_each_is_killed_while_guests_buy() {
    let size = size();
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1_000_000, 4500).await;
    let token = office.admin_token().await.to_owned();
    let brokers = NatsCluster::start_private(BROKERS).await;
    let mut fleet = Fleet::start(&office, &brokers, size.replicas).await;
    let shop = Shop::new(fleet.gateways(), TRIES, on_sale, token);
    let queues = shop.open(size.guests_at_once);

    shop.serves(size.guests_before).await;
    eventually("a copy on each server", LONG, async || {
        (brokers.copies(STREAM).await == BROKERS).then_some(())
    })
    .await;
    let lopsided = fleet.lopsided().await;
    fleet.restart_one_by_one().await;
    fleet.kill_one_of_each(&shop, size.guests_meanwhile).await;
    disturb(&brokers, &shop, size.guests_meanwhile).await;

    let sales = shop.close(queues).await;
    println!(
        "{} guests were served, {} requests were made again",
        sales.served, sales.again
    );
    assert_eq!(sales.failed, [""; 0]);
    assert_eq!(lopsided, [""; 0]);
    office
        .repeated_mails
        .store(MAILS_UNDER_WAY_MAX, Ordering::SeqCst);
    invariants::check(&office).await;
    let payments = office.databases.payments.pool().await;
    let fulfilled = "SELECT count(*) FROM orders WHERE status = 'fulfilled'";
    assert_eq!(count(&payments, fulfilled).await, sales.served as i64);
    fleet.stop().await;
    office.close().await;
}
