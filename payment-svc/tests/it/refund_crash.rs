//! payment-svc dies between any two steps of a refund, as a process of its own that ends without a
//! word. The next one goes on: the money goes back once, and its guest is told once.

use std::{os::unix::process::ExitStatusExt as _, process::Stdio, sync::Mutex, time::Duration};

use base::Sources;
use clap::Parser as _;
use kit::{Bind, Shutdown};
use payment_svc::{Config, build};
use proto::payment::{OrderStatus, RefundStatus};
use testkit::eventually;
use tokio::process::{Child, Command};

use crate::{
    till::{everything, tickets},
    world::World,
};

const POINTS: [&str; 4] = [
    "refund.tickets_voided",
    "refund.submitted",
    "refund.provider_done",
    "refund.succeeded",
];
const SIGABRT: i32 = 6;
const DYING_AT: &str = "REFUNDER_DYING_AT";
const DYING_FLAGS: &str = "REFUNDER_DYING_FLAGS";

#[tokio::test]
async fn it_dies_at_every_point() {
    for point in POINTS {
        let mut world = World::start().await;
        let placed = world.sold().await;
        // Not a step before the process that dies is there.
        world.tickets.books().mood.void_away = true;
        let request = match point {
            "refund.submitted" => tickets(&placed, 1),
            _ => everything(&placed),
        };
        let refund = world.refund(request.clone()).await.unwrap();
        world.crash();
        world.tickets.books().mood.void_away = false;
        let child = Mutex::new(dying(&world, point));
        let died = eventually(point, Duration::from_secs(60), || async {
            world.hurry().await;
            child.lock().unwrap().try_wait().unwrap()
        })
        .await;
        assert_eq!(died.signal(), Some(SIGABRT), "{point}");
        world.restart().await;
        world.until_refund(&refund, RefundStatus::Succeeded).await;
        let (status, amount) = match point {
            "refund.submitted" => (OrderStatus::PartiallyRefunded, 4500),
            _ => (OrderStatus::Refunded, 9000),
        };
        world.until(&placed, status).await;
        assert_eq!(world.sent_back(&placed).await, amount, "{point}");
        assert_eq!(world.count("SELECT count(*) FROM sandbox.refunds").await, 1);
        assert_eq!(world.told(&placed).await.len(), 1, "{point}");
        assert_eq!(world.tickets.books().voids.len(), 1, "{point}");
        // Its guest's own request again, long after: the same refund.
        let again = world.refund(request).await.unwrap();
        assert_eq!(again.refund.unwrap().id, refund.refund.unwrap().id);
        world.end().await;
    }
}

fn dying(world: &World, point: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--ignored",
        "--exact",
        "--nocapture",
        "refund_crash::be_a_dying_refunder",
    ]);
    command
        .env(DYING_AT, point)
        .env(DYING_FLAGS, world.flags.join("\n"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command.kill_on_drop(true).spawn().unwrap()
}

/// Not a test of its own: what `dying` runs in another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above in a process of its own"]
async fn be_a_dying_refunder() {
    let Ok(point) = std::env::var(DYING_AT) else {
        return;
    };
    // Whatever ends the test ends this too.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    });
    let flags = std::env::var(DYING_FLAGS).unwrap();
    let config = Config::try_parse_from(flags.split('\n')).unwrap();
    let (bind, _) = Bind::loopback().await.unwrap();
    kit::failpoint::arm(point);
    let server = Box::pin(build(&config, bind, Sources::system())).await;
    server.unwrap().serve(Shutdown::new()).await.unwrap();
}
