//! Mail servers that are away, slow, wary or that cut the line: the right retry, the right end, nothing
//! lost, and what is wrong with one domain is felt by no other.

use std::{collections::HashMap, slice::from_ref, time::Duration};

use base::Secret;
use proto::event::{Envelope, OrderCancelled, envelope::Payload};
use testkit::{Direction, FaultProxy, eventually};

use crate::harness::{Harness, LIMIT};

fn to(harness: &Harness, domain: &str) -> Envelope {
    let mut paid = harness.paid();
    paid.email = format!("guest@{domain}");
    harness.envelope_of(paid)
}

/// `(status, class, how many)`.
async fn states(harness: &Harness) -> Vec<(String, Option<String>, i64)> {
    sqlx::query_as(
        "SELECT status, error_class, count(*) FROM notifications GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .fetch_all(&harness.rows)
    .await
    .unwrap()
}

async fn all_sent(harness: &Harness, count: i64) {
    eventually("all are sent", LIMIT * 2, async || {
        let states = states(harness).await;
        (states == [("sent".to_owned(), None, count)]).then_some(())
    })
    .await;
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

async fn behind_a_proxy() -> (Harness, FaultProxy) {
    let mut harness = Harness::stopped().await;
    let proxy = FaultProxy::before(&harness.sink.url()).await;
    harness.config.smtp_url = Some(Secret::new(proxy.url().to_owned()));
    harness.run().await;
    (harness, proxy)
}

#[tokio::test]
async fn while_the_server_is_away_no_mail_counts_it_and_all_go_out_when_it_is_back() {
    let (harness, proxy) = behind_a_proxy().await;
    proxy.refuse(true);
    let envelopes: Vec<_> = (0..40).map(|_| harness.envelope()).collect();
    harness.accept(&envelopes).await;
    eventually("one has tried", LIMIT, async || {
        let states = states(&harness).await;
        states
            .iter()
            .any(|(status, class, _)| status == "queued" && class.as_deref() == Some("server"))
            .then_some(())
    })
    .await;
    // Sleeps: longer than the first rest. One mail tries it again, and only one.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let tries = proxy.connections();
    assert!(tries <= 12, "{tries} tries");
    eventually("it is tried again", LIMIT, async || {
        (proxy.connections() >= 2).then_some(())
    })
    .await;
    let failures: i64 = sqlx::query_scalar("SELECT sum(failures) FROM notifications")
        .fetch_one(&harness.rows)
        .await
        .unwrap();
    assert_eq!(failures, 0);

    proxy.refuse(false);
    all_sent(&harness, 40).await;
    assert!(arrived(&harness).values().all(|times| *times == 1));
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_slow_domain_holds_up_no_other() {
    let harness = Harness::start().await;
    harness
        .sink
        .stall_domain("slow.example", Duration::from_secs(25));
    let slow: Vec<_> = (0..14).map(|_| to(&harness, "slow.example")).collect();
    harness.accept(&slow).await;
    eventually("slow mails are on their way", LIMIT, async || {
        let states = states(&harness).await;
        states
            .iter()
            .any(|(status, _, count)| status == "sending" && *count >= 8)
            .then_some(())
    })
    .await;
    let quick: Vec<_> = (0..8).map(|_| to(&harness, "quick.example")).collect();
    harness.accept(&quick).await;
    // Before the first of the slow ones is.
    eventually("the others are sent", Duration::from_secs(24), async || {
        let mails = harness.sink.messages();
        let quick = mails
            .iter()
            .filter(|mail| mail.to == ["guest@quick.example"]);
        (quick.count() == 8).then_some(())
    })
    .await;
    harness.sink.heal_domain("slow.example");
    all_sent(&harness, 22).await;
    assert!(arrived(&harness).values().all(|times| *times == 1));
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_refusing_domain_fails_alone_and_the_line_is_kept() {
    let mut harness = Harness::stopped().await;
    harness.config.smtp_connections = 1;
    harness.run().await;
    harness.sink.refuse_domain("gone.example", 550);
    harness.sink.refuse_domain("busy.example", 452);
    let envelopes: Vec<_> = (0..10)
        .flat_map(|_| ["gone.example", "busy.example", "good.example"])
        .map(|domain| to(&harness, domain))
        .collect();
    harness.accept(&envelopes).await;
    eventually("each has its end", LIMIT, async || {
        let ends = [
            ("failed".to_owned(), Some("permanent".to_owned()), 10),
            ("queued".to_owned(), Some("temporary".to_owned()), 10),
            ("sent".to_owned(), None, 10),
        ];
        (states(&harness).await == ends).then_some(())
    })
    .await;
    assert_eq!(
        harness.sink.connections(),
        1,
        "a refusal does not cost the line"
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_greylisting_server_gets_each_mail_again_later() {
    let harness = Harness::start().await;
    harness.sink.greylist(true);
    let envelopes: Vec<_> = (0..10)
        .map(|n| to(&harness, &format!("wary{n}.example")))
        .collect();
    harness.accept(&envelopes).await;
    for envelope in &envelopes {
        let queued = harness.reaches(envelope, "queued", 1).await;
        assert!((20.0..=70.0).contains(&queued.due_in_secs), "{queued:?}");
    }
    harness.let_time_pass().await;
    all_sent(&harness, 10).await;
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_line_cut_after_the_mail_leaves_it_in_doubt_and_it_comes_again_as_the_same() {
    let harness = Harness::start().await;
    harness.sink.cut_next(3);
    let envelopes: Vec<_> = (0..6).map(|_| harness.envelope()).collect();
    harness.accept(&envelopes).await;
    eventually("three are in doubt", LIMIT, async || {
        let doubt = [
            ("queued".to_owned(), Some("unknown".to_owned()), 3),
            ("sent".to_owned(), None, 3),
        ];
        (states(&harness).await == doubt).then_some(())
    })
    .await;
    harness.let_time_pass().await;
    all_sent(&harness, 6).await;
    let arrived = arrived(&harness);
    assert_eq!(arrived.len(), 6);
    assert_eq!(arrived.values().sum::<usize>(), 9, "one more for each cut");
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_line_that_was_closed_behind_our_back_costs_no_mail_an_attempt() {
    let (harness, proxy) = behind_a_proxy().await;
    let first = harness.envelope();
    harness.accept(from_ref(&first)).await;
    harness.reaches(&first, "sent", 1).await;
    proxy.reset_connected();
    let second = harness.envelope();
    harness.accept(from_ref(&second)).await;
    harness.reaches(&second, "sent", 1).await;
    assert_eq!(harness.sink.connections(), 2);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_server_whose_answer_is_long_in_coming_gets_each_mail_once() {
    let harness = Harness::start().await;
    harness.sink.delay_next(Duration::from_secs(12), 4);
    let envelopes: Vec<_> = (0..20).map(|_| harness.envelope()).collect();
    harness.accept(&envelopes).await;
    all_sent(&harness, 20).await;
    assert!(arrived(&harness).values().all(|times| *times == 1));
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn the_end_waits_for_the_answer_to_a_mail_that_was_handed_over() {
    let mut harness = Harness::start().await;
    harness.sink.delay_next(Duration::from_secs(10), 1);
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "sending", 1).await;
    // Sleeps: until it is handed over, which nobody can see.
    tokio::time::sleep(Duration::from_secs(3)).await;
    harness.stop().await;
    harness.reaches(&envelope, "sent", 1).await;
    assert_eq!(harness.sink.messages().len(), 1);
    harness.check_invariants(0).await;
}

/// A lease is shorter than such a mail takes, so it is renewed: the other service does not take it.
#[tokio::test]
async fn a_lease_is_renewed_while_its_mail_is_on_its_way() {
    let harness = Harness::start().await;
    let (bind, _) = kit::Bind::loopback().await.unwrap();
    let second = notify_svc::build(&harness.config, bind, harness.sources.clone());
    let second = second.await.unwrap();
    let shutdown = kit::Shutdown::new();
    let serving = tokio::spawn(second.serve(shutdown.clone()));

    harness.sink.delay_next(Duration::from_secs(40), 1);
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let sent = eventually("it is sent", LIMIT * 2, async || {
        let now = harness.notification(&envelope).await;
        (now.status == "sent").then_some(now)
    })
    .await;
    assert_eq!(sent.attempts, 1);
    assert_eq!(harness.sink.messages().len(), 1);
    shutdown.begin();
    serving.await.unwrap().unwrap();
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_pace_is_kept_and_receipts_overtake_what_waits() {
    let mut harness = Harness::stopped().await;
    harness.config.mails_per_second = Some(4);
    harness.run().await;
    let bulk: Vec<_> = (0..20)
        .map(|_| {
            harness.message(Payload::OrderCancelled(OrderCancelled {
                order: Some(harness.order()),
                explanation: String::new(),
                refund: None,
            }))
        })
        .collect();
    let begun = std::time::Instant::now();
    harness.accept(&bulk).await;
    harness.sink.wait_for(2, LIMIT).await;
    let receipts: Vec<_> = (0..4).map(|_| to(&harness, "receipt.example")).collect();
    harness.accept(&receipts).await;
    let before = harness.sink.messages().len();
    let mails = harness.sink.wait_for(24, LIMIT).await;
    let last_receipt = mails
        .iter()
        .rposition(|mail| mail.to == ["guest@receipt.example"]);
    // The four, and what was already on its way.
    assert!(
        last_receipt.unwrap() < before + 13,
        "{last_receipt:?} of 24 after {before}"
    );
    assert!(
        begun.elapsed() > Duration::from_millis(5_000),
        "{:?}",
        begun.elapsed()
    );
    harness.check_invariants(0).await;
}

/// A server that swallows everything and answers nothing is no more than one that is away.
#[tokio::test]
async fn a_black_hole_is_a_server_that_is_away() {
    let (harness, proxy) = behind_a_proxy().await;
    proxy.lose(Direction::Down, true);
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    eventually("it has given up waiting", LIMIT * 2, async || {
        let states = states(&harness).await;
        (states == [("queued".to_owned(), Some("server".to_owned()), 1)]).then_some(())
    })
    .await;
    proxy.lose(Direction::Down, false);
    all_sent(&harness, 1).await;
    harness.check_invariants(0).await;
}
