//! Messages become rows once, and every receipt is one mail.

use std::slice::from_ref;

use kit::{Code, ErrorReason};
use proto::{
    Peer,
    event::{Envelope, envelope::Payload},
};

use crate::harness::{Harness, LIMIT, LINK};

#[tokio::test]
async fn a_paid_order_is_one_mail_with_all_its_parts() {
    let harness = Harness::start().await;
    let envelope = harness.envelope();
    assert_eq!(
        harness.accept(from_ref(&envelope)).await,
        [envelope.message_id.as_str()]
    );
    let notification = harness.reaches(&envelope, "sent", 1).await;

    let mails = harness.sink.messages();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["zofia@example.com"]);
    let mail = &mails[0].data;
    for part in [
        &format!("Message-ID: <{}@boxoffice>\r\n", notification.id),
        "Subject: Your tickets for Nightjar Live (BX-7K3M9Q)\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
        "Content-Type: application/pdf\r\n",
        "Content-Type: text/calendar; charset=utf-8; method=PUBLISH\r\n",
        // "%PDF-" in base64.
        "\r\nJVBERi",
        "BX1:SECOND",
    ] {
        assert!(mail.contains(part), "{part:?} is missing in:\n{mail}");
    }
    // Both texts may be folded by their encoding; the address is the part that must not be.
    assert!(
        mail.replace("=\r\n", "").contains("canary-link-secret"),
        "the link is missing"
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn the_secret_of_the_link_is_in_no_row() {
    let harness = Harness::start().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let content: Vec<u8> = sqlx::query_scalar("SELECT content FROM notifications")
        .fetch_one(&harness.rows)
        .await
        .unwrap();
    assert!(
        !content
            .windows(LINK.len())
            .any(|window| window == LINK.as_bytes())
    );
    harness.reaches(&envelope, "sent", 1).await;
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_message_accepted_three_times_is_one_mail() {
    let harness = Harness::start().await;
    let envelope = harness.envelope();
    for _ in 0..2 {
        let accepted = harness.accept(from_ref(&envelope)).await;
        assert_eq!(
            accepted,
            [envelope.message_id.as_str()],
            "named again each time"
        );
        harness.reaches(&envelope, "sent", 1).await;
    }
    // Twice in one call, too.
    harness.accept(&[envelope.clone(), envelope.clone()]).await;
    harness.round_passes().await;
    assert_eq!(harness.notification(&envelope).await.attempts, 1);
    assert_eq!(
        harness.sink.messages().len(),
        2,
        "its own, and that of the round"
    );
    assert_eq!(
        (
            harness.count("inbox").await,
            harness.count("notifications").await
        ),
        (2, 2)
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn an_order_announced_by_two_messages_is_one_mail() {
    let harness = Harness::start().await;
    let paid = harness.paid();
    let (first, mut again) = (harness.envelope_of(paid.clone()), harness.envelope_of(paid));
    // The domain of an address has no case.
    if let Some(Payload::OrderPaid(paid)) = &mut again.payload {
        paid.email = "zofia@Example.COM".to_owned();
    }
    harness.accept(from_ref(&first)).await;
    let accepted = harness.accept(from_ref(&again)).await;
    assert_eq!(
        accepted,
        [again.message_id.as_str()],
        "the other message's row can close"
    );
    harness.reaches(&first, "sent", 1).await;
    harness.round_passes().await;
    assert_eq!(
        (
            harness.count("inbox").await,
            harness.count("notifications").await
        ),
        (3, 2)
    );
    assert_eq!(
        harness.sink.messages().len(),
        2,
        "its own, and that of the round"
    );
    harness.check_invariants(1).await;
}

#[tokio::test]
async fn concurrent_calls_with_the_same_messages_in_other_orders_all_succeed() {
    let harness = Harness::start().await;
    let envelopes: Vec<Envelope> = (0..20).map(|_| harness.envelope()).collect();
    let backwards: Vec<Envelope> = envelopes.iter().rev().cloned().collect();
    let (one, two, three) = tokio::join!(
        harness.accept(&envelopes),
        harness.accept(&backwards),
        harness.accept(&envelopes),
    );
    assert_eq!((one.len(), two.len(), three.len()), (20, 20, 20));
    assert_eq!(
        (
            harness.count("inbox").await,
            harness.count("notifications").await
        ),
        (20, 20)
    );
    harness.sink.wait_for(20, LIMIT).await;
    for envelope in &envelopes {
        harness.reaches(envelope, "sent", 1).await;
    }
    assert_eq!(harness.sink.messages().len(), 20);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_cannot_be_a_receipt_is_not_confirmed_and_harms_no_other() {
    let harness = Harness::start().await;
    let spoilt = |spoil: fn(&mut proto::event::OrderPaid)| {
        let mut paid = harness.paid();
        spoil(&mut paid);
        harness.envelope_of(paid)
    };
    let (first, last) = (harness.envelope(), harness.envelope());
    let batch = [
        first.clone(),
        spoilt(|paid| paid.sealed_order_link[20] ^= 1),
        spoilt(|paid| paid.sealed_order_link.clear()),
        spoilt(|paid| paid.email = "zofia\0@example.com".to_owned()),
        spoilt(|paid| paid.email.clear()),
        spoilt(|paid| paid.order_id = "7".to_owned()),
        spoilt(|paid| paid.paid_at = None),
        spoilt(|paid| paid.event = None),
        spoilt(|paid| paid.total = None),
        spoilt(|paid| paid.event.as_mut().unwrap().timezone = "Mars/Olympus".to_owned()),
        Envelope {
            payload: None,
            ..harness.envelope()
        },
        Envelope {
            message_id: "not an id".to_owned(),
            ..harness.envelope()
        },
        last.clone(),
    ];
    let mut accepted = harness.accept(&batch).await;
    accepted.sort();
    let mut good = vec![first.message_id.clone(), last.message_id.clone()];
    good.sort();
    assert_eq!(accepted, good);
    harness.reaches(&first, "sent", 1).await;
    harness.reaches(&last, "sent", 1).await;
    assert_eq!(
        (
            harness.count("inbox").await,
            harness.count("notifications").await
        ),
        (2, 2)
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_call_has_1_to_100_messages() {
    let harness = Harness::start().await;
    for envelopes in [vec![], vec![harness.envelope(); 101]] {
        let failure = harness
            .accept_as(Peer::Payment, envelopes)
            .await
            .unwrap_err();
        assert_eq!(failure.code, Code::InvalidArgument);
        assert_eq!(failure.fields[0].field, "envelopes");
    }
    assert_eq!(harness.count("inbox").await, 0);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn only_senders_of_messages_may_hand_them_over() {
    let harness = Harness::start().await;
    let envelope = harness.envelope();
    for peer in [Peer::Gateway, Peer::Ticket, Peer::Notify] {
        let failure = harness
            .accept_as(peer, vec![envelope.clone()])
            .await
            .unwrap_err();
        assert_eq!(failure.reason, ErrorReason::CallerNotAllowed, "{peer:?}");
    }
    assert_eq!(harness.count("inbox").await, 0);
    harness.check_invariants(0).await;
}
