//! What else a guest is told about an order: no tickets, a refund, a cancelled event.

use std::slice::from_ref;

use base::{RefundId, Secret};
use proto::{
    common::Seller,
    event::{
        Envelope, OrderCancelled, OrderRefunded, OrderUnfulfillable, RefundCause, envelope::Payload,
    },
};

use testkit::eventually;

use crate::harness::{Harness, LINK, eur, texts};

fn unfulfillable(harness: &Harness) -> OrderUnfulfillable {
    OrderUnfulfillable {
        order: Some(harness.order()),
        refund: eur(9_000),
        reason: "SOLD_OUT".to_owned(),
    }
}

fn refunded(harness: &Harness) -> OrderRefunded {
    OrderRefunded {
        order: Some(harness.order()),
        refund_id: RefundId::new(&harness.sources).to_string(),
        number: 1,
        amount: eur(4_500),
        cause: RefundCause::Requested.into(),
        note: "We hope to see you next time.".to_owned(),
        voided_tickets: 1,
        complete: false,
    }
}

fn cancelled(harness: &Harness) -> OrderCancelled {
    OrderCancelled {
        order: Some(harness.order()),
        explanation: "The singer is ill.\n\nWe will try again in autumn.".to_owned(),
        refund: eur(9_000),
    }
}

/// One of each kind, each about an order of its own.
fn all(harness: &Harness) -> [Payload; 3] {
    [
        Payload::OrderUnfulfillable(unfulfillable(harness)),
        Payload::OrderRefunded(refunded(harness)),
        Payload::OrderCancelled(cancelled(harness)),
    ]
}

/// The words of the only mail of a service that was told this.
async fn words_of(payload: fn(&Harness) -> Payload) -> (String, String) {
    let harness = Harness::start().await;
    let envelope = harness.message(payload(&harness));
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "sent", 1).await;
    let words = texts(&harness.sink.messages()[0].data);
    harness.check_invariants(0).await;
    words
}

#[tokio::test]
async fn each_kind_is_one_mail_however_often_it_comes() {
    let harness = Harness::start().await;
    let kinds = ["unfulfillable", "refunded", "cancelled"];
    let subjects = [
        "No tickets for Nightjar Live: your money comes back (BX-7K3M9Q)",
        "We sent back 45.00 EUR for Nightjar Live (BX-7K3M9Q)",
        "Cancelled: Nightjar Live (BX-7K3M9Q)",
    ];
    let envelopes = all(&harness).map(|payload| harness.message(payload));
    for (at, envelope) in envelopes.iter().enumerate() {
        for _ in 0..3 {
            let accepted = harness.accept(from_ref(envelope)).await;
            assert_eq!(accepted, [envelope.message_id.as_str()], "named again");
        }
        let sent = harness.reaches(envelope, "sent", 1).await;
        let (inbox, kind, revision): (String, String, i32) = sqlx::query_as(
            "SELECT i.kind, n.kind, n.revision
             FROM notifications n JOIN inbox i ON i.message_id = n.message_id WHERE n.id = $1",
        )
        .bind(sent.id.uuid())
        .fetch_one(&harness.rows)
        .await
        .unwrap();
        assert_eq!(
            (inbox.as_str(), kind.as_str(), revision),
            (kinds[at], kinds[at], 0)
        );

        let mails = harness.sink.messages();
        assert_eq!(mails.len(), at + 1);
        assert_eq!(mails[at].to, ["zofia@example.com"]);
        let mail = &mails[at].data;
        assert!(mail.contains(&format!("Message-ID: <{}@boxoffice>\r\n", sent.id)));
        assert!(
            mail.contains(&format!("Subject: {}\r\n", subjects[at])),
            "{mail}"
        );
        assert!(!mail.contains("tickets.pdf"), "nothing is attached");
        let (text, html) = texts(mail);
        for part in [&text, &html.replace("&#x2f;", "/")] {
            for fact in [
                LINK,
                "Hello Zofia Wójcik,",
                "Nightjar Live",
                "Friday 12 June 2026, 20:00 CEST",
                "90.00 EUR",
                "working days",
                "Nightjar Concerts",
            ] {
                assert!(part.contains(fact), "{fact} is missing in:\n{part}");
            }
        }
    }
    harness.round_passes().await;
    assert_eq!(harness.sink.messages().len(), 4, "and that of the round");
    assert_eq!(harness.count("notifications").await, 4);
    assert!(harness.poison().await.is_empty());
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn each_refund_of_an_order_is_told_once() {
    let harness = Harness::start().await;
    let first = refunded(&harness);
    let second = OrderRefunded {
        refund_id: RefundId::new(&harness.sources).to_string(),
        number: 2,
        ..first.clone()
    };
    let envelopes: Vec<Envelope> = [second, first.clone(), first]
        .map(|refund| harness.message(Payload::OrderRefunded(refund)))
        .into();
    for envelope in &envelopes {
        assert_eq!(harness.accept(from_ref(envelope)).await.len(), 1);
    }
    harness.round_passes().await;
    let revisions: Vec<i32> =
        sqlx::query_scalar("SELECT revision FROM notifications WHERE kind = 'refunded' ORDER BY 1")
            .fetch_all(&harness.rows)
            .await
            .unwrap();
    assert_eq!(revisions, [0, 1]);
    // One of three messages had been announced by another before.
    harness.check_invariants(1).await;
}

/// Messages that cannot be told, each with the field that is at fault.
fn spoilt(harness: &Harness) -> Vec<(&'static str, Payload)> {
    let no_tickets = |spoil: fn(&mut OrderUnfulfillable)| {
        let mut message = unfulfillable(harness);
        spoil(&mut message);
        Payload::OrderUnfulfillable(message)
    };
    let refund = |spoil: fn(&mut OrderRefunded)| {
        let mut message = refunded(harness);
        spoil(&mut message);
        Payload::OrderRefunded(message)
    };
    let cancel = |spoil: fn(&mut OrderCancelled)| {
        let mut message = cancelled(harness);
        spoil(&mut message);
        Payload::OrderCancelled(message)
    };
    vec![
        ("order ", no_tickets(|m| m.order = None)),
        ("refund ", no_tickets(|m| m.refund = eur(0))),
        (
            "order_id ",
            refund(|m| m.order.as_mut().unwrap().order_id = "7".to_owned()),
        ),
        (
            "email ",
            refund(|m| m.order.as_mut().unwrap().email = "a\r\n@b".to_owned()),
        ),
        ("total ", refund(|m| m.order.as_mut().unwrap().total = None)),
        ("refund_id ", refund(|m| m.refund_id.clear())),
        ("number ", refund(|m| m.number = 0)),
        ("number ", refund(|m| m.number = u32::MAX)),
        ("amount ", refund(|m| m.amount = None)),
        ("amount ", refund(|m| m.amount = eur(-1))),
        (
            "amount ",
            refund(|m| m.amount.as_mut().unwrap().currency = "EURO".to_owned()),
        ),
        ("cause ", refund(|m| m.cause = 0)),
        ("cause ", refund(|m| m.cause = 99)),
        ("order ", cancel(|m| m.order = None)),
        ("event ", cancel(|m| m.order.as_mut().unwrap().event = None)),
        ("refund ", cancel(|m| m.refund = eur(-1))),
        (
            "sealed_order_link ",
            cancel(|m| m.order.as_mut().unwrap().sealed_order_link[20] ^= 1),
        ),
        (
            "event.timezone ",
            cancel(|m| {
                let event = m.order.as_mut().unwrap().event.as_mut().unwrap();
                event.timezone = "Mars/Olympus".to_owned();
            }),
        ),
    ]
}

#[tokio::test]
async fn what_cannot_be_told_is_not_confirmed_and_leaves_a_trace() {
    let harness = Harness::start().await;
    let good = harness.message(Payload::OrderCancelled(cancelled(&harness)));
    let mut batch = vec![good.clone()];
    let mut expected = Vec::new();
    for (field, payload) in spoilt(&harness) {
        let envelope = harness.message(payload);
        expected.push((envelope.message_id.clone(), field));
        batch.push(envelope);
    }
    assert_eq!(harness.accept(&batch).await, [good.message_id.as_str()]);
    harness.reaches(&good, "sent", 1).await;
    let traces = harness.poison().await;
    assert_eq!(traces.len(), expected.len());
    for (id, field) in expected {
        let trace = traces.iter().find(|trace| trace.id == id).unwrap();
        assert!(trace.reason.starts_with(field), "{field}: {}", trace.reason);
    }
    assert_eq!(harness.count("inbox").await, 1);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn each_cause_has_its_words() {
    let harness = Harness::start().await;
    let (requested, coming) = ("has been sent back", "is on its way back to you");
    let none = "This changes none of your tickets.";
    let unissued = "No tickets were issued for this payment.";
    for (number, (cause, voided, headline, words)) in (1..).zip([
        (RefundCause::Requested, 0, requested, none),
        (RefundCause::Requested, 1, requested, "1 ticket is void now"),
        (
            RefundCause::Requested,
            3,
            requested,
            "3 tickets are void now",
        ),
        (
            RefundCause::SecondPayment,
            0,
            coming,
            "was paid already when another",
        ),
        (RefundCause::SecondPayment, 0, coming, none),
        (
            RefundCause::Overpaid,
            0,
            coming,
            "The difference of 45.00 EUR",
        ),
        (RefundCause::Overpaid, 0, coming, none),
        (
            RefundCause::OrderEnded,
            0,
            coming,
            "the time to pay the rest is over",
        ),
        (RefundCause::OrderEnded, 0, coming, unissued),
        (
            RefundCause::Mismatch,
            0,
            coming,
            "is not the one your order asked for",
        ),
        (RefundCause::Mismatch, 0, coming, unissued),
    ]) {
        let complete = number % 2 == 0;
        let envelope = harness.message(Payload::OrderRefunded(OrderRefunded {
            cause: cause.into(),
            voided_tickets: voided,
            complete,
            note: String::new(),
            ..refunded(&harness)
        }));
        harness.accept(from_ref(&envelope)).await;
        harness.reaches(&envelope, "sent", 1).await;
        let mail = harness.sink.messages().pop().unwrap();
        let (text, html) = texts(&mail.data);
        for part in [text, html] {
            assert!(part.contains(headline), "{headline}:\n{part}");
            assert!(part.contains(words), "{words}:\n{part}");
            assert!(!part.contains("What the seller says"), "{part}");
            assert_eq!(part.contains("nothing of what you paid is left"), complete);
        }
    }
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn each_reason_for_no_tickets_has_its_words() {
    let (text, _) = words_of(|h| Payload::OrderUnfulfillable(unfulfillable(h))).await;
    assert!(text.contains("arrived, but there were no tickets left."));
    let (text, _) = words_of(|h| {
        Payload::OrderUnfulfillable(OrderUnfulfillable {
            reason: "EVENT_NOT_ACTIVE".to_owned(),
            ..unfulfillable(h)
        })
    })
    .await;
    assert!(text.contains("the event had been cancelled or taken off sale."));
    let (text, html) = words_of(|h| {
        Payload::OrderUnfulfillable(OrderUnfulfillable {
            reason: "A_WORD_OF_TOMORROW".to_owned(),
            ..unfulfillable(h)
        })
    })
    .await;
    assert!(text.contains("tickets could no longer be issued for it."));
    assert!(!(text + &html).contains("TOMORROW"));
}

#[tokio::test]
async fn a_free_order_without_tickets_promises_no_money() {
    let (text, html) = words_of(|h| {
        Payload::OrderUnfulfillable(OrderUnfulfillable {
            refund: None,
            ..unfulfillable(h)
        })
    })
    .await;
    assert!(text.contains("arrived, but there were no tickets left."));
    for part in [text, html] {
        let nothing = "Nothing had been paid for this order";
        assert!(part.contains(nothing), "{part}");
        for promise in ["EUR", "working days", "payment", "comes back"] {
            assert!(!part.contains(promise), "{promise}:\n{part}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_event_is_explained_and_says_what_becomes_of_the_money() {
    let (text, html) = words_of(|h| Payload::OrderCancelled(cancelled(h))).await;
    assert!(
        text.contains(
            "What the organiser says:\r\n> The singer is ill.\r\n> We will try again in autumn.\r\n"
        ),
        "{text}"
    );
    assert!(html.contains("The singer is ill.<br>We will try again in autumn.</blockquote>"));
    assert!(text.contains("\r\nComes back: 90.00 EUR\r\n"), "{text}");

    let (text, html) = words_of(|h| {
        Payload::OrderCancelled(OrderCancelled {
            explanation: " \r\n".to_owned(),
            refund: None,
            ..cancelled(h)
        })
    })
    .await;
    for part in [text, html] {
        assert!(
            part.contains("Nothing had been paid for this order"),
            "{part}"
        );
        assert!(!part.contains("What the organiser says"), "{part}");
        assert!(
            !part.contains("EUR") && !part.contains("working days"),
            "{part}"
        );
    }
}

#[tokio::test]
async fn the_seller_of_the_message_is_named_or_else_the_installations() {
    let (text, _) = words_of(|h| {
        let mut message = cancelled(h);
        message.order.as_mut().unwrap().seller = Some(Seller {
            name: "Lucerna a.s.".to_owned(),
            address: "Štěpánská 61\nPraha".to_owned(),
            tax_id: "CZ1".to_owned(),
            contact: "https://lucerna.example/help".to_owned(),
        });
        Payload::OrderCancelled(message)
    })
    .await;
    assert!(
        text.contains(
            "--\r\nLucerna a.s.\r\nŠtěpánská 61\r\nPraha\r\nTax ID CZ1\r\n\
             Help: https://lucerna.example/help\r\nSent to zofia@example.com\r\n"
        ),
        "{text}"
    );
    assert!(!text.contains("Nightjar Concerts"));

    let (text, _) = words_of(|h| {
        let mut message = cancelled(h);
        message.order.as_mut().unwrap().seller = Some(Seller::default());
        Payload::OrderCancelled(message)
    })
    .await;
    assert!(
        text.contains("--\r\nNightjar Concerts\r\nSent to zofia@example.com\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn hostile_words_stay_words() {
    let attack = "<script>alert('x')</script>\r\nBcc: everybody@example.com\r\n\r\n\
                  --boxoffice-text-0\r\n.\r\nRCPT TO:<everybody@example.com>";
    let harness = Harness::start().await;
    let mut order = harness.order();
    order.name = attack.to_owned();
    order.number = attack.to_owned();
    order.seller = Some(Seller {
        name: attack.to_owned(),
        address: attack.replace("\r\n", " "),
        tax_id: attack.to_owned(),
        contact: attack.to_owned(),
    });
    let event = order.event.as_mut().unwrap();
    event.title = attack.to_owned();
    event.location = attack.to_owned();
    event.slug = "\"><script>".to_owned();
    let order = Some(order);
    let envelopes = [
        harness.message(Payload::OrderUnfulfillable(OrderUnfulfillable {
            order: order.clone(),
            reason: attack.to_owned(),
            ..unfulfillable(&harness)
        })),
        harness.message(Payload::OrderRefunded(OrderRefunded {
            order: order.clone(),
            note: attack.to_owned(),
            ..refunded(&harness)
        })),
        harness.message(Payload::OrderCancelled(OrderCancelled {
            order,
            explanation: attack.to_owned(),
            ..cancelled(&harness)
        })),
    ];
    harness.accept(&envelopes).await;
    let mails = harness.sink.wait_for(3, crate::harness::LIMIT).await;
    for mail in mails {
        assert_eq!(mail.to, ["zofia@example.com"]);
        let (head, _) = mail.data.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert_eq!(head.matches("Subject:").count(), 1, "{head}");
        // A line break would be hidden in an encoded word; one line of ASCII needs none.
        let (_, subject) = head.split_once("Subject: ").unwrap();
        assert!(!subject.contains("=?"), "{head}");
        let (text, html) = texts(&mail.data);
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
        // Whoever wrote several lines is quoted.
        let starts = ["Bcc:", "--boxoffice", "RCPT", "."];
        assert!(
            !text
                .lines()
                .any(|line| starts.iter().any(|start| line.starts_with(start))),
            "{text}"
        );
    }
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn another_attempt_sends_the_same_bytes() {
    let harness = Harness::start().await;
    for payload in all(&harness) {
        let envelope = harness.message(payload);
        harness.accept(from_ref(&envelope)).await;
        harness.reaches(&envelope, "sent", 1).await;
        // As if it had not been written down that it went out.
        sqlx::query(
            "UPDATE notifications SET status = 'queued', sent_at = NULL, \
             next_attempt_at = clock_timestamp() WHERE attempts = 1",
        )
        .execute(&harness.rows)
        .await
        .unwrap();
        harness.reaches(&envelope, "sent", 2).await;
        let mut mails = harness.sink.messages();
        let (again, first) = (mails.pop().unwrap(), mails.pop().unwrap());
        assert_eq!(again.data, first.data);
    }
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn receipts_go_before_everything_else_that_is_due() {
    let mut harness = Harness::stopped().await;
    let nowhere = Secret::new("smtp://127.0.0.1:1");
    let sink = harness.config.smtp_url.replace(nowhere);
    harness.run().await;
    let letters: Vec<Envelope> = (0..10)
        .map(|_| harness.message(Payload::OrderCancelled(cancelled(&harness))))
        .collect();
    let receipt = harness.envelope();
    harness.accept(&letters).await;
    harness.accept(from_ref(&receipt)).await;
    harness.stop().await;
    sqlx::query(
        "UPDATE notifications SET next_attempt_at = clock_timestamp()
             - CASE WHEN kind = 'receipt' THEN interval '1 s' ELSE interval '1 h' END",
    )
    .execute(&harness.rows)
    .await
    .unwrap();

    harness.config.smtp_url = sink;
    // One after the other, or the first to be taken need not be the first to arrive.
    harness.config.mails_per_second = Some(2);
    harness.run().await;
    let mails = harness.sink.wait_for(11, crate::harness::LIMIT).await;
    let place = mails
        .iter()
        .position(|mail| mail.data.contains("Subject: Your tickets for"));
    assert!(place.unwrap() < 3, "it was taken first: {place:?}");
    eventually(
        "all are written down as sent",
        crate::harness::LIMIT,
        async || {
            let sent = "SELECT count(*) FROM notifications WHERE status = 'sent'";
            let sent: i64 = sqlx::query_scalar(sent)
                .fetch_one(&harness.rows)
                .await
                .unwrap();
            (sent == 11).then_some(())
        },
    )
    .await;
    harness.check_invariants(0).await;
}
