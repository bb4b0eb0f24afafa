//! A service dies between two steps, for every place where the order of two lines matters: it runs as a process of its
//! own, is ended there without a word, and starts again. The order is fulfilled once and its receipt comes once.

use std::{
    collections::BTreeSet, os::unix::process::ExitStatusExt as _, path::Path, process::Stdio,
    sync::atomic::Ordering,
};

use base::Sources;
use clap::Parser as _;
use kit::{Bind, Shutdown};
use proto::Peer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{eventually, keys::idempotency_key};
use tokio::process::{Child, Command};

use crate::{
    guest::{Answer, CARD_OK, Guest},
    harness::{BoxOffice, OnSale, PATIENCE},
};

/// On the way of a purchase, in its order.
const PAYMENT_POINTS: [&str; 9] = [
    "payment.order_recorded",
    "payment.hold_bound",
    "payment.order_bound",
    "payment.checkout_created",
    "payment.event_stored",
    "payment.order_paid",
    "payment.event_applied",
    "payment.tickets_committed",
    "payment.order_fulfilled",
];
/// On the way of a cancellation.
const CANCEL_POINTS: [&str; 2] = ["payment.order_ended", "payment.stock_released"];
/// On the way of money that goes back.
const REFUND_POINTS: [&str; 5] = [
    "refund.requested",
    "refund.tickets_voided",
    "refund.submitted",
    "refund.provider_done",
    "refund.succeeded",
];
/// In ticket-svc, after what each step has committed and before its caller hears of it: of a purchase, a cancellation,
/// a refund.
const TICKET_PURCHASE_POINTS: [&str; 3] = [
    "ticket.held",
    "ticket.payment_begun",
    "ticket.order_committed",
];
const TICKET_CANCEL_POINT: &str = "ticket.order_released";
const TICKET_REFUND_POINT: &str = "ticket.tickets_voided";
/// After a guest has cancelled what was paid.
const GUEST_CANCEL_POINT: &str = "payment.cancelled_by_guest";
/// On the way of a ticket that is handed on.
const TRANSFER_POINTS: [(Peer, &str); 2] = [
    (Peer::Ticket, "ticket.ticket_transferred"),
    (Peer::Payment, "payment.ticket_handed_on"),
];
/// On the way of a receipt.
const NOTIFY_POINTS: [&str; 4] = [
    "notify.accepted",
    "notify.leased",
    "notify.sent",
    "notify.noted",
];
/// Here a mail is out and nobody has written it down: it goes out again.
const SENT_TWICE: &str = "notify.sent";

const SIGABRT: i32 = 6;
const DYING_MEMBER: &str = "E2E_DYING_MEMBER";
const DYING_AT: &str = "E2E_DYING_AT";
const DYING_FLAGS: &str = "E2E_DYING_FLAGS";

#[tokio::test]
async fn payment_svc_dies_during_a_purchase() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(100, 4500).await;
    for (number, point) in PAYMENT_POINTS.into_iter().enumerate() {
        let guest = office.guest();
        let email = format!("guest{number}@example.org");
        let purchase = buy_stubbornly(&guest, &on_sale, &email);
        let order = meanwhile_dies(&office, Peer::Payment, point, purchase).await;
        let fulfilled = guest.wait_for(&order, "fulfilled").await;
        assert_eq!(fulfilled["tickets"].as_array().unwrap().len(), 1, "{point}");
    }
    office.smtp.wait_for(PAYMENT_POINTS.len(), PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn payment_svc_dies_during_a_cancellation() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    for point in CANCEL_POINTS {
        let guest = office.guest();
        // The only ticket: this works once the one before has its stock given back.
        let order = order_stubbornly(&guest, &on_sale, "undecided@example.org").await;
        let cancellation = eventually("the order to be cancelled", PATIENCE, async || {
            let (_, order) = guest.act(&order, "cancel").await;
            (order["status"] == "cancelled").then_some(())
        });
        meanwhile_dies(&office, Peer::Payment, point, cancellation).await;
    }
    let guest = office.guest();
    let order = buy_stubbornly(&guest, &on_sale, "decided@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn payment_svc_dies_during_a_refund() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    for point in REFUND_POINTS {
        // The only ticket: each refund gives it back.
        refund_while_dies(&office, &on_sale, (Peer::Payment, point)).await;
    }
    office.close().await;
}

/// It had cost nothing, so no money tells its guest that nothing came of it.
#[tokio::test]
async fn a_free_order_is_refused_when_its_event_is_cancelled_meanwhile() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 0).await;
    let guest = office.guest();
    let path = format!("/api/v1/admin/events/{}/cancel", on_sale.event_id);
    office.admin_token().await;
    let order = Box::pin(order_stubbornly(&guest, &on_sale, "free@example.org"));
    let cancel = async {
        let reason = json!({"reason": "The hall is flooded."});
        let (status, body) = office.admin_post(&path, &reason).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    };
    let dies = (Peer::Payment, "payment.order_bound");
    let order = meanwhile_dies_and(&office, dies, order, cancel).await;
    let refused = guest.wait_for(&order, "unfulfillable").await;
    assert_eq!(refused["tickets"], json!([]));
    assert_eq!(refused["refunds"], json!([]));
    let mails = office.smtp.wait_for(1, PATIENCE).await;
    assert!(mails[0].data.contains("Subject: No tickets for"));
    office.close().await;
}

#[tokio::test]
async fn ticket_svc_dies_at_each_of_its_steps() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    for point in TICKET_PURCHASE_POINTS {
        let guest = office.guest();
        let purchase = buy_stubbornly(&guest, &on_sale, "guest@example.org");
        let order = meanwhile_dies(&office, Peer::Ticket, point, purchase).await;
        let fulfilled = guest.wait_for(&order, "fulfilled").await;
        assert_eq!(fulfilled["tickets"].as_array().unwrap().len(), 1, "{point}");
    }
    let guest = office.guest();
    let order = order_stubbornly(&guest, &on_sale, "undecided@example.org").await;
    let cancellation = eventually("the order to be cancelled", PATIENCE, async || {
        let (_, order) = guest.act(&order, "cancel").await;
        (order["status"] == "cancelled").then_some(())
    });
    meanwhile_dies(&office, Peer::Ticket, TICKET_CANCEL_POINT, cancellation).await;
    refund_while_dies(&office, &on_sale, (Peer::Ticket, TICKET_REFUND_POINT)).await;
    office.close().await;
}

/// Somebody buys, and gets the money back from an admin who repeats the request with its key until it is answered.
async fn refund_while_dies(office: &BoxOffice, on_sale: &OnSale, (peer, point): (Peer, &str)) {
    let guest = office.guest();
    let order = buy_stubbornly(&guest, on_sale, "guest@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    let path = format!(
        "/api/v1/admin/orders/{}/refunds",
        order["id"].as_str().unwrap()
    );
    let (key, body) = (idempotency_key(), json!({"reason": "As you wish."}));
    // Whoever decides this is signed in before the first service dies.
    office.admin_token().await;
    let refund = async {
        eventually("the refund", PATIENCE, async || {
            created(office.admin_post_with(&path, &body, &key).await)
        })
        .await;
        guest.wait_for(&order, "refunded").await
    };
    let refunded = meanwhile_dies(office, peer, point, refund).await;
    let refunds = refunded["refunds"].as_array().unwrap();
    assert_eq!(refunds.len(), 1, "{point}: {refunded}");
}

#[tokio::test]
async fn a_guest_cancels_once_though_payment_svc_dies() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let path = format!("/api/v1/admin/events/{}", on_sale.event_id);
    // A tenth is kept.
    let rule = json!({"cancellation": {"allowed": true, "until_hours": 48, "fee_ppm": 100_000}});
    let (status, event) = office.admin_call(Method::PATCH, &path, &rule).await;
    assert_eq!(status, StatusCode::OK, "{event}");
    let guest = office.guest();
    let order = buy_stubbornly(&guest, &on_sale, "guest@example.org").await;
    let now = guest.wait_for(&order, "fulfilled").await;
    let offer = &now["cancellation"]["refund"];
    assert_eq!(offer["amount_minor"], 4050, "{now}");
    let (key, body) = (idempotency_key(), json!({"expected_refund": offer}));
    let cancellation = eventually("the order to be cancelled", PATIENCE, async || {
        let (status, _) = guest.act_with(&order, "cancel", &key, &body).await;
        (status == StatusCode::OK).then_some(())
    });
    meanwhile_dies(&office, Peer::Payment, GUEST_CANCEL_POINT, cancellation).await;
    let ended = eventually("the money to go back", PATIENCE, async || {
        let (_, now) = guest.see(&order).await;
        (now["refunds"][0]["status"] == "succeeded").then_some(now)
    })
    .await;
    let refunds = ended["refunds"].as_array().unwrap();
    assert_eq!(refunds.len(), 1, "{ended}");
    assert_eq!(refunds[0]["amount"]["amount_minor"], 4050, "{ended}");
    assert_eq!(ended["tickets"][0]["status"], "void", "{ended}");
    office.close().await;
}

#[tokio::test]
async fn a_ticket_is_handed_on_once_whoever_dies() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let guest = office.guest();
    let order = buy_stubbornly(&guest, &on_sale, "guest@example.org").await;
    let order_now = guest.wait_for(&order, "fulfilled").await;
    let ticket = order_now["tickets"][0]["id"].as_str().unwrap().to_owned();
    office.smtp.wait_for(1, PATIENCE).await;
    for (number, (peer, point)) in TRANSFER_POINTS.into_iter().enumerate() {
        let key = idempotency_key();
        let body = json!({"email": format!("friend{number}@example.org"), "name": "A Friend"});
        let verb = format!("tickets/{ticket}/transfer");
        let transfer = eventually("the ticket to be handed on", PATIENCE, async || {
            let (status, _) = guest.act_with(&order, &verb, &key, &body).await;
            (status == StatusCode::OK).then_some(())
        });
        meanwhile_dies(&office, peer, point, transfer).await;
        office.smtp.wait_for(number + 2, PATIENCE).await;
        let tickets = office.databases.tickets.pool().await;
        let generation: i32 = sqlx::query_scalar("SELECT generation FROM tickets")
            .fetch_one(&tickets)
            .await
            .unwrap();
        assert_eq!(usize::try_from(generation).unwrap(), number + 2, "{point}");
    }
    office.close().await;
}

#[tokio::test]
async fn notify_svc_dies_during_a_receipt() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(100, 4500).await;
    for (number, point) in NOTIFY_POINTS.into_iter().enumerate() {
        let guest = office.guest();
        let email = format!("guest{number}@example.org");
        let purchase = buy_stubbornly(&guest, &on_sale, &email);
        let order = meanwhile_dies(&office, Peer::Notify, point, purchase).await;
        guest.wait_for(&order, "fulfilled").await;
        office.smtp.wait_for(number + 1, PATIENCE).await;
        if point == SENT_TWICE {
            office.repeated_mails.fetch_add(1, Ordering::SeqCst);
        }
    }
    office.close().await;
}

/// Every point in the sources is one that dies here.
#[test]
fn every_point_is_here() {
    let here = PAYMENT_POINTS
        .iter()
        .chain(&CANCEL_POINTS)
        .chain(&REFUND_POINTS)
        .chain(&TICKET_PURCHASE_POINTS)
        .chain([
            &TICKET_CANCEL_POINT,
            &TICKET_REFUND_POINT,
            &GUEST_CANCEL_POINT,
        ])
        .chain(TRANSFER_POINTS.iter().map(|(_, point)| point))
        .chain(&NOTIFY_POINTS);
    let here: BTreeSet<String> = here.map(|&point| point.to_owned()).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut there = BTreeSet::new();
    for service in [
        "gateway",
        "user-svc",
        "ticket-svc",
        "payment-svc",
        "notify-svc",
    ] {
        find_points(&root.join(service).join("src"), &mut there);
    }
    assert_eq!(there, here);
}

fn find_points(folder: &Path, points: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_points(&path, points);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("failpoint!(\"").skip(1);
            points.extend(after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
}

/// Lets a member run as a process that dies at this point, while something goes on that leads there; then starts it
/// again, as whoever keeps it would.
async fn meanwhile_dies<T>(
    office: &BoxOffice,
    peer: Peer,
    point: &str,
    work: impl Future<Output = T>,
) -> T {
    meanwhile_dies_and(office, (peer, point), work, async {}).await
}

/// As above, with something that happens while the member is away.
async fn meanwhile_dies_and<T>(
    office: &BoxOffice,
    (peer, point): (Peer, &str),
    work: impl Future<Output = T>,
    away: impl Future<Output = ()>,
) -> T {
    office.mesh.lock().await.stop_member(peer).await.unwrap();
    let mut member = dying_member(office, peer, point).await;
    // Waiting for a process would close it, and that is what tells the member that the test has ended.
    let _lifeline = member.stdin.take();
    let dies = async {
        let ended = tokio::time::timeout(PATIENCE, member.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("nobody passed {point}"));
        assert_eq!(ended.unwrap().signal(), Some(SIGABRT), "{point}");
        away.await;
        office.make_leases_due().await;
        office.mesh.lock().await.start_member(peer).await.unwrap();
    };
    let (done, ()) = tokio::join!(work, dies);
    done
}

/// This program again, running `be_a_dying_member`.
async fn dying_member(office: &BoxOffice, peer: Peer, point: &str) -> Child {
    let mesh = office.mesh.lock().await;
    let flags = serde_json::to_string(&mesh.flags(peer)).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "crash_points::be_a_dying_member",
        "--ignored",
        "--nocapture",
    ]);
    command
        .env(DYING_MEMBER, mesh.addr(peer).to_string())
        .env(DYING_AT, point);
    command
        .env(DYING_FLAGS, flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    command.kill_on_drop(true).spawn().unwrap()
}

/// Not a test of its own: what `dying_member` runs in another process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests above in a process of its own"]
async fn be_a_dying_member() {
    let Ok(addr) = std::env::var(DYING_MEMBER) else {
        return;
    };
    // Whatever ends the test ends this too.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    });
    testkit::logs();
    let bind = Bind::Addr(addr.parse().unwrap());
    let flags: Vec<String> = serde_json::from_str(&std::env::var(DYING_FLAGS).unwrap()).unwrap();
    let point = std::env::var(DYING_AT).unwrap();
    let server = match point.split_once('.').unwrap().0 {
        "ticket" => {
            let config = ticket_svc::Config::try_parse_from(flags).unwrap();
            ticket_svc::build(&config, bind, Sources::system()).await
        }
        "payment" | "refund" => {
            let config = payment_svc::Config::try_parse_from(flags).unwrap();
            payment_svc::build(&config, bind, Sources::system()).await
        }
        _ => {
            let config = notify_svc::Config::try_parse_from(flags).unwrap();
            notify_svc::build(&config, bind, Sources::system()).await
        }
    };
    kit::failpoint::arm(point);
    server.unwrap().serve(Shutdown::new()).await.unwrap();
}

/// A guest who repeats every request with its key until it is answered, and pays.
async fn buy_stubbornly(guest: &Guest, on_sale: &OnSale, email: &str) -> Value {
    let order = order_stubbornly(guest, on_sale, email).await;
    eventually("the payment", PATIENCE, async || {
        let (_, now) = guest.see(&order).await;
        match now["status"].as_str()? {
            "paid" | "fulfilled" => Some(()),
            _ => {
                let page = now["payment"]["checkout_url"].as_str()?;
                guest.submit_card(page, CARD_OK).await;
                None
            }
        }
    })
    .await;
    order
}

async fn order_stubbornly(guest: &Guest, on_sale: &OnSale, email: &str) -> Value {
    let key = idempotency_key();
    let hold = eventually("a hold", PATIENCE, async || {
        created(guest.hold_with(on_sale, 1, &key).await)
    })
    .await;
    eventually("an order", PATIENCE, async || {
        created(guest.order_with(&hold, email, &key).await)
    })
    .await
}

fn created((status, body): Answer) -> Option<Value> {
    (status == StatusCode::CREATED).then_some(body)
}
