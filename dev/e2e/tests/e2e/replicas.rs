//! A rush on one ticket type that several processes of ticket-svc serve on one database, while one of them is killed in
//! the middle: not one ticket too many, not one hold lost that a guest was promised. `E2E_DRILLS=full` makes it large.

use std::{
    collections::HashSet,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base::Sources;
use clap::Parser as _;
use futures::{StreamExt as _, stream};
use kit::{Bind, Certainty, ErrorReason, Failure, Shutdown, client::MeshChannel};
use proto::{
    Peer,
    ticket::{HoldTicketsLine, HoldTicketsRequest, hold_service_client::HoldServiceClient},
};
use sqlx::PgPool;
use testkit::keys::idempotency_key;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    drills::size,
    harness::{BoxOffice, OnSale, PATIENCE},
};

const REPLICA: &str = "E2E_REPLICA_FLAGS";
/// What a replica says when it is bound.
const SERVES: &str = "replica serves at ";
/// Tickets of a drill of full size.
const CAPACITY: usize = 20_000;
const GUESTS_PER_TICKET: usize = 4;
/// Guests who ask at the same time.
const AT_ONCE: usize = 256;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// One process.
struct Replica {
    process: Child,
    holds: HoldServiceClient<MeshChannel>,
}

/// This program again, running `be_a_replica`.
async fn replica(flags: &[String]) -> Replica {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "replicas::be_a_replica",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env(REPLICA, serde_json::to_string(flags).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let said = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, url)) = line.split_once(SERVES) {
                return url.to_owned();
            }
        }
        panic!("a replica ended before it served");
    };
    let url = timeout(PATIENCE, said).await.unwrap();
    // Nobody reads on; a full pipe would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let config = ticket_svc::Config::try_parse_from(flags).unwrap();
    let channel =
        kit::client::channel(&url, config.mesh.key.unwrap().identity(Peer::Gateway)).unwrap();
    Replica {
        process,
        holds: HoldServiceClient::new(channel),
    }
}

/// Not a test of its own: what `replica` runs in another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests below in a process of its own"]
async fn be_a_replica() {
    let Ok(flags) = std::env::var(REPLICA) else {
        return;
    };
    // Whatever ends the test ends this too.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    });
    testkit::logs();
    let flags: Vec<String> = serde_json::from_str(&flags).unwrap();
    let config = ticket_svc::Config::try_parse_from(flags).unwrap();
    let (bind, addr) = Bind::loopback().await.unwrap();
    let server = ticket_svc::build(&config, bind, Sources::system()).await;
    let server = server.unwrap();
    println!("\n{SERVES}http://{addr}");
    server.serve(Shutdown::new()).await.unwrap();
}

/// What the guests were told.
struct Sale {
    /// Holds that were promised.
    promised: Vec<String>,
    refused: usize,
}

/// Everybody wants one ticket, and repeats the request with its key, wherever somebody listens, until it is answered.
/// When a third of the tickets is gone, the first process is killed.
async fn rush(replicas: &mut [Replica], on_sale: &OnSale, capacity: usize, guests: usize) -> Sale {
    let clients: Vec<_> = replicas
        .iter()
        .map(|replica| replica.holds.clone())
        .collect();
    let promised = Arc::new(AtomicUsize::new(0));
    let asked = (0..guests).map(|number| {
        let (clients, promised) = (clients.clone(), promised.clone());
        async move {
            let hold = ask(&clients, on_sale, number).await;
            promised.fetch_add(usize::from(hold.is_some()), Ordering::SeqCst);
            hold
        }
    });
    let first = &mut replicas[0].process;
    let killed = async {
        while promised.load(Ordering::SeqCst) < capacity / 3 {
            // Sleeps: between two looks at the count that is waited for.
            sleep(Duration::from_millis(1)).await;
        }
        first.kill().await.unwrap();
    };
    let answers = stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>();
    let (answers, ()) = tokio::join!(answers, killed);
    let refused = answers.iter().filter(|hold| hold.is_none()).count();
    Sale {
        promised: answers.into_iter().flatten().collect(),
        refused,
    }
}

/// The hold's id; none for who was refused for good.
async fn ask(
    clients: &[HoldServiceClient<MeshChannel>],
    on_sale: &OnSale,
    number: usize,
) -> Option<String> {
    let request = HoldTicketsRequest {
        event_id: on_sale.event_id.clone(),
        lines: vec![HoldTicketsLine {
            ticket_type_id: on_sale.ticket_type_id.clone(),
            quantity: 1,
        }],
        idempotency_key: idempotency_key(),
    };
    for attempt in 0..1_000 {
        let mut client = clients[(number + attempt) % clients.len()].clone();
        match timeout(ANSWER_WITHIN, client.hold_tickets(request.clone())).await {
            Ok(Ok(answer)) => return Some(answer.into_inner().hold.unwrap().id),
            Ok(Err(status)) => {
                let failure = Failure::from_status(&status);
                let gone = [ErrorReason::SoldOut, ErrorReason::HeldByOthers];
                if gone.contains(&failure.reason) {
                    assert_eq!(failure.certainty, Certainty::NotDone);
                    return None;
                }
            }
            Err(_) => {}
        }
        // Sleeps: as a guest does before the next try.
        sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody answered guest {number}");
}

/// What is wrong with a sale of so many tickets.
async fn wrongs(pool: &PgPool, sale: &Sale, capacity: usize) -> Vec<String> {
    let (held, noted): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT SUM(held) FROM pools)::bigint,
                (SELECT SUM(held_delta) FROM inventory_ledger)::bigint",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    let stored: Vec<String> = sqlx::query_scalar("SELECT id::text FROM holds")
        .fetch_all(pool)
        .await
        .unwrap();
    let stored: HashSet<&str> = stored.iter().map(String::as_str).collect();
    let capacity = i64::try_from(capacity).unwrap();
    let mut wrongs = Vec::new();
    let promised = i64::try_from(sale.promised.len()).unwrap();
    let counts = [
        ("promised", promised),
        ("stored", i64::try_from(stored.len()).unwrap()),
        ("held", held),
        ("in the ledger", noted),
    ];
    for (what, count) in counts {
        if count > capacity {
            wrongs.push(format!("oversold: {count} {what} of {capacity}"));
        } else if count < capacity {
            wrongs.push(format!("unsold: {count} {what} of {capacity}"));
        }
    }
    let lost = sale
        .promised
        .iter()
        .filter(|id| !stored.contains(id.as_str()));
    let lost = lost.count();
    if lost > 0 {
        wrongs.push(format!("{lost} promised holds are gone"));
    }
    wrongs
}

/// The wrongs of a sale by so many processes. `prepare` may change the database before.
async fn sell(office: &BoxOffice, processes: usize, prepare: &'static str) -> Vec<String> {
    let capacity = size(CAPACITY);
    let guests = capacity * GUESTS_PER_TICKET;
    let on_sale = office
        .put_on_sale(i64::try_from(capacity).unwrap(), 4500)
        .await;
    let pool = office.databases.tickets.pool().await;
    sqlx::raw_sql(prepare).execute(&pool).await.unwrap();
    let mut mesh = office.mesh.lock().await;
    let flags = mesh.flags(Peer::Ticket);
    mesh.stop_member(Peer::Ticket).await.unwrap();
    let mut replicas = Vec::new();
    for _ in 0..processes {
        replicas.push(replica(&flags).await);
    }
    let sale = rush(&mut replicas, &on_sale, capacity, guests).await;
    let (promised, refused) = (sale.promised.len(), sale.refused);
    println!(
        "{processes} processes: {promised} of {guests} guests hold one of {capacity} tickets, {refused} were refused"
    );
    drop(replicas);
    mesh.start_member(Peer::Ticket).await.unwrap();
    wrongs(&pool, &sale, capacity).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_which_one_is_killed_sell_exactly_what_there_is() {
    let office = BoxOffice::open().await;
    assert_eq!(sell(&office, 2, "").await, [""; 0]);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_of_which_one_is_killed_sell_exactly_what_there_is() {
    let office = BoxOffice::open().await;
    assert_eq!(sell(&office, 3, "").await, [""; 0]);
    office.close().await;
}

/// What the checks above are worth: without the guard and the rule behind it they report what they are there for. The
/// guard compares with the capacity, so a database that does not know it has none.
#[tokio::test(flavor = "multi_thread")]
async fn without_guard_and_rule_the_same_checks_report_overselling() {
    let office = BoxOffice::open().await;
    let unguarded = "
        ALTER TABLE pools DROP CONSTRAINT pools_capacity_not_exceeded;
        UPDATE pools SET capacity = NULL";
    let wrongs = sell(&office, 2, unguarded).await;
    let oversold = wrongs.iter().filter(|wrong| wrong.starts_with("oversold"));
    assert_eq!(oversold.count(), 4, "{wrongs:?}");
    // The doctor would rightly find it as well.
    office.mesh.into_inner().stop().await.unwrap();
    office.nats.stop().await;
}
