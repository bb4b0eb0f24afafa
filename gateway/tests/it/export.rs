//! The export of orders: whole, or visibly broken; in little memory; for as long as it takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::stream::{self, StreamExt as _};
use kit::{Code, ErrorReason, Failure};
use proto::payment;
use testkit::eventually;
use tonic::Status;

use crate::{
    facts::{self, EVENT, ORDER, REFERENCE},
    harness::{Edge, edge, edge_with, header, logged, refusal},
    stub::Export,
};

const PATH: &str = "/api/v1/admin/orders.csv";

fn rows(orders: usize) -> payment::ExportOrdersResponse {
    payment::ExportOrdersResponse {
        orders: vec![facts::summary(); orders],
    }
}

fn will_send(edge: &Edge, export: Export) {
    *edge.stub.export.lock().unwrap() = Some(export);
}

fn export(edge: &Edge) -> reqwest::RequestBuilder {
    edge.get(PATH).bearer_auth("good")
}

fn broken() -> Status {
    Failure::unavailable("The database is away.", Duration::from_secs(1)).into()
}

#[tokio::test]
async fn a_file_for_a_spreadsheet() {
    edge(async |edge| {
        let query = format!(
            "{PATH}?event_id={EVENT}&status=paid&from=2027-01-01T00:00:00Z&to=2028-01-01T00:00:00Z"
        );
        let answer = edge.get(&query).bearer_auth("good").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            header(&answer, "content-type"),
            "text/csv; charset=utf-8; header=present"
        );
        let disposition = header(&answer, "content-disposition");
        assert_eq!(disposition, "attachment; filename=\"orders.csv\"");
        assert_eq!(header(&answer, "cache-control"), "no-store");
        let file = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
        let expected = format!(
            "\u{feff}order_id,number,status,created_at,paid_at,event_id,event_title,name,email,\
             phone_number,tickets,total,captured,refunded,currency,provider,payment_ref,\
             needs_attention\r\n\
             {ORDER},BX-7K3M9Q,partially_refunded,2027-06-01T17:45:00Z,2027-06-01T17:46:00Z,{EVENT},\
             Moonlight Sessions,\"'=HYPERLINK(\"\"http://evil.example\"\")\",ada@example.org,\
             '+4930123456,2,50.00,50.00,25.00,EUR,sandbox,{REFERENCE},\r\n"
        );
        assert_eq!(file, expected);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("status: Paid") && asked.contains("seconds: 1830297600"),
            "{asked}"
        );

        let bad = edge.get(&format!("{PATH}?from=yesterday"));
        let bad = refusal(bad.bearer_auth("good")).await;
        assert_eq!(bad.2.as_deref(), Some("from"));
    })
    .await;
}

#[tokio::test]
async fn no_orders_are_a_head_alone() {
    edge(async |edge| {
        will_send(edge, stream::empty().boxed());
        let file = export(edge).send().await.unwrap().text().await.unwrap();
        assert_eq!(file.lines().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_fails_before_the_first_row_is_a_problem() {
    edge(async |edge| {
        will_send(edge, stream::iter([Err(broken())]).boxed());
        let (status, reason, _) = refusal(export(edge)).await;
        assert_eq!((status, reason.as_str()), (503, "UNAVAILABLE"));
        edge.stub.fail(|| {
            let (code, reason) = (Code::PermissionDenied, ErrorReason::PermissionDenied);
            Failure::refused(code, reason, "Not yours.").into()
        });
        assert_eq!(refusal(export(edge)).await.0, 403);
    })
    .await;
}

#[tokio::test]
async fn half_a_file_never_looks_like_a_whole_one() {
    edge(async |edge| {
        let (fail, failed) = tokio::sync::oneshot::channel();
        let end = stream::once(async {
            failed.await.unwrap();
            Err(broken())
        });
        will_send(edge, stream::iter([Ok(rows(3))]).chain(end).boxed());
        let mut answer = export(edge).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let trace_id = header(&answer, "x-request-id");
        assert!(answer.chunk().await.unwrap().is_some());
        fail.send(()).unwrap();
        let torn = answer.bytes().await;
        assert!(torn.is_err(), "{torn:?}");
        let text = logged();
        let told = |line: &&str| line.contains("an export broke off") && line.contains(&trace_id);
        let line = text.lines().find(told).unwrap();
        assert!(line.contains("UNAVAILABLE"), "{line}");
    })
    .await;
}

#[tokio::test]
async fn an_export_may_take_longer_than_a_request() {
    let short = |config: &mut gateway::Config| config.handler_timeout_secs = 3;
    edge_with(short, async |edge| {
        let slowly = stream::iter(0..4).then(async |_| {
            // Sleeps: the rows together must come later than the time of a request is over.
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            Ok(rows(1))
        });
        will_send(edge, slowly.boxed());
        let file = export(edge).send().await.unwrap().text().await.unwrap();
        assert_eq!(file.lines().count(), 5);
    })
    .await;
}

#[tokio::test]
async fn rows_come_no_faster_than_the_client_takes_them_and_end_when_it_leaves() {
    edge(async |edge| {
        let (made, alive) = (Arc::new(AtomicUsize::new(0)), Arc::new(()));
        let (count, running) = (made.clone(), alive.clone());
        let endless = stream::repeat_with(move || {
            let _running = &running;
            count.fetch_add(1, Ordering::SeqCst);
            Ok(rows(100))
        });
        will_send(edge, endless.boxed());
        let mut answer = export(edge).send().await.unwrap();
        assert!(answer.chunk().await.unwrap().is_some());
        // Nobody reads: what is on its way fills the buffers, and then no row is made any more.
        let patience = Duration::from_secs(60);
        let waiting = eventually("the rows to stop", patience, async || {
            let before = made.load(Ordering::SeqCst);
            // Sleeps: nothing may happen in this time.
            tokio::time::sleep(Duration::from_millis(300)).await;
            (made.load(Ordering::SeqCst) == before).then_some(before)
        })
        .await;
        // A message has some 25 kB; sockets and windows together hold some megabytes.
        assert!(waiting < 2000, "{waiting} messages wait in memory");
        drop(answer);
        eventually("the stream to end", patience, async || {
            (Arc::strong_count(&alive) == 1).then_some(())
        })
        .await;
    })
    .await;
}
