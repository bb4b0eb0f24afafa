//! Mails that come back, by whichever way it is learned, and what the order page hears of it.

use std::{path::PathBuf, slice::from_ref};

use kit::{ErrorReason, Failure};
use proto::{
    Peer,
    event::{Envelope, OrderErased, envelope::Payload},
    notify::{
        DeliveryState, FailureClass, GetDeliveryRequest, NotificationState, ReportBounceRequest,
        ReportBounceResponse, delivery_service_client::DeliveryServiceClient,
    },
};
use testkit::eventually;

use crate::{
    admins::{Caller, Desk},
    harness::{Harness, LIMIT},
};

/// As a mail server writes it, of the mail with this Message-ID.
fn report(mail_id: &str, to: &str, action: &str) -> String {
    [
        "Return-Path: <>",
        "From: Mail Delivery System <MAILER-DAEMON@relay.example>",
        &format!("To: {to}"),
        "Message-ID: <20260612180000.ABC@relay.example>",
        "Subject: Undelivered Mail Returned to Sender",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=\"==b\"",
        "",
        "--==b",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "I'm sorry to have to inform you.",
        "--==b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; relay.example",
        "",
        "Final-Recipient: rfc822; zofia@example.com",
        &format!("Action: {action}"),
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 <zofia@example.com>: unknown user",
        "",
        "--==b",
        "Content-Type: message/rfc822",
        "",
        "From: Boxoffice <tickets@localhost>",
        &format!("Message-ID: <{mail_id}>"),
        "Subject: Your tickets",
        "",
        "Hello",
        "--==b--",
        "",
    ]
    .join("\r\n")
}

async fn delivery(harness: &Harness, order_id: &str) -> DeliveryState {
    let mut client = DeliveryServiceClient::new(harness.channel(Peer::Gateway));
    let asked = GetDeliveryRequest {
        order_id: order_id.to_owned(),
    };
    client
        .get_delivery(asked)
        .await
        .unwrap()
        .into_inner()
        .state()
}

fn order_of(envelope: &Envelope) -> String {
    let Some(Payload::OrderPaid(paid)) = &envelope.payload else {
        panic!("a receipt")
    };
    paid.order_id.clone()
}

async fn tell(
    desk: &Desk,
    caller: &Caller,
    told: ReportBounceRequest,
) -> Result<ReportBounceResponse, Failure> {
    let answer = desk.client().report_bounce(caller.ask(told)).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| Failure::from_status(&status))
}

fn reported(report: String) -> ReportBounceRequest {
    ReportBounceRequest {
        report,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_mail_that_came_back_is_a_task_and_the_order_page_says_so() {
    let desk = Desk::start().await;
    let (harness, boss) = (&desk.harness, desk.caller("superadmin"));
    let envelope = harness.envelope();
    let order = order_of(&envelope);
    assert_eq!(delivery(harness, &order).await, DeliveryState::None);
    harness.accept(from_ref(&envelope)).await;
    let sent = harness.reaches(&envelope, "sent", 1).await.id.to_string();
    assert_eq!(delivery(harness, &order).await, DeliveryState::Sent);
    let mail_id = format!("{sent}@boxoffice");

    // A delay is no end, and a mail of somebody else is none of ours.
    for (id, action) in [
        (mail_id.as_str(), "delayed"),
        ("7@elsewhere.example", "failed"),
    ] {
        let report = report(id, "tickets@localhost", action);
        let told = tell(&desk, &boss, reported(report)).await.unwrap();
        assert_eq!(told.notification, None, "{id} {action}");
    }
    assert_eq!(delivery(harness, &order).await, DeliveryState::Sent);

    let came_back = report(&mail_id, "tickets@localhost", "failed");
    let told = tell(&desk, &boss, reported(came_back.clone()))
        .await
        .unwrap();
    let bounced = told.notification.unwrap();
    assert_eq!(
        (&bounced.id, bounced.state()),
        (&sent, NotificationState::Bounced)
    );
    let failure = bounced.failure.clone().unwrap();
    assert_eq!(failure.class(), FailureClass::Bounce);
    assert!(failure.text.contains("unknown user"), "{}", failure.text);
    assert!(bounced.needs_attention);
    assert_eq!(delivery(harness, &order).await, DeliveryState::Failed);
    // The same report again is old news.
    let again = tell(&desk, &boss, reported(came_back.clone()))
        .await
        .unwrap();
    assert_eq!(again.notification, None);
    // Also once the mail was sent again: another report would say so.
    desk.retry(&boss, &sent).await.unwrap();
    harness.reaches(&envelope, "sent", 2).await;
    let again = tell(&desk, &boss, reported(came_back)).await.unwrap();
    assert_eq!(again.notification, None);
    assert_eq!(delivery(harness, &order).await, DeliveryState::Sent);

    // The guest's address is corrected: the next receipt is what counts.
    let Some(Payload::OrderPaid(mut paid)) = envelope.payload.clone() else {
        unreachable!()
    };
    (paid.revision, paid.email) = (1, "zofia@example.org".to_owned());
    harness.accept(&[harness.envelope_of(paid)]).await;
    eventually("the corrected receipt is sent", LIMIT, async || {
        (delivery(harness, &order).await == DeliveryState::Sent).then_some(())
    })
    .await;
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_refused_receipt_is_told_on_the_order_page_and_a_late_one_too() {
    let harness = Harness::start().await;
    harness.sink.refuse_next(550, 1);
    let refused = harness.envelope();
    harness.accept(from_ref(&refused)).await;
    harness.reaches(&refused, "failed", 1).await;
    assert_eq!(
        delivery(&harness, &order_of(&refused)).await,
        DeliveryState::Failed
    );

    harness.sink.refuse_next(451, 1);
    let late = harness.envelope();
    harness.accept(from_ref(&late)).await;
    harness.reaches(&late, "queued", 1).await;
    assert_eq!(
        delivery(&harness, &order_of(&late)).await,
        DeliveryState::Delayed
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_person_may_report_what_they_saw() {
    let desk = Desk::start().await;
    let (harness, boss, admin) = (
        &desk.harness,
        desk.caller("superadmin"),
        desk.caller("admin"),
    );
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let sent = harness.reaches(&envelope, "sent", 1).await.id.to_string();
    let seen = |id: &str, explanation: &str| ReportBounceRequest {
        notification_id: id.to_owned(),
        explanation: explanation.to_owned(),
        ..Default::default()
    };
    let foreign = tell(&desk, &admin, seen(&sent, "came back"))
        .await
        .unwrap_err();
    assert_eq!(foreign.reason, ErrorReason::PermissionDenied);
    for (told, field) in [
        (ReportBounceRequest::default(), "report"),
        (reported("hello".to_owned()), "report"),
        (reported("x".repeat(200 * 1024)), "report"),
        (seen(&sent, " "), "explanation"),
    ] {
        let refused = tell(&desk, &boss, told).await.unwrap_err();
        assert_eq!(refused.fields[0].field, field);
    }
    for _ in 0..2 {
        let told = tell(&desk, &boss, seen(&sent, "came back by post"))
            .await
            .unwrap();
        assert_eq!(
            told.notification.unwrap().state(),
            NotificationState::Bounced
        );
    }
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_comes_back_of_an_erased_guest_brings_no_words_back() {
    let desk = Desk::start().await;
    let (harness, boss) = (&desk.harness, desk.caller("superadmin"));
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let sent = harness.reaches(&envelope, "sent", 1).await.id.to_string();
    let erased = harness.message(Payload::OrderErased(OrderErased {
        order_id: order_of(&envelope),
    }));
    harness.accept(from_ref(&erased)).await;
    let came_back = report(&format!("{sent}@boxoffice"), "tickets@localhost", "failed");
    let told = tell(&desk, &boss, reported(came_back)).await.unwrap();
    assert_eq!(told.notification, None);
    let details: Vec<String> = sqlx::query_scalar("SELECT detail FROM bounces")
        .fetch_all(&harness.rows)
        .await
        .unwrap();
    assert_eq!(details, [""]);
    desk.harness.check_invariants(1).await;
}

/// Mails that come back arrive in this folder, at addresses that name them.
async fn with_a_maildir() -> (Harness, PathBuf) {
    let mut harness = Harness::stopped().await;
    let folder =
        std::env::temp_dir().join(format!("boxoffice-bounces-{}", harness.sources.token()));
    harness.config.bounce_maildir = Some(folder.clone());
    harness.config.bounce_address = Some("bounces+*@example.com".to_owned());
    harness.run().await;
    (harness, folder)
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_a_task_where_it_names_a_mail() {
    let (harness, folder) = with_a_maildir().await;
    let envelopes = [harness.envelope(), harness.envelope()];
    harness.accept(&envelopes).await;
    let [came_back, arrived] = [&envelopes[0], &envelopes[1]];
    let address = async |envelope| {
        let sent = harness.reaches(envelope, "sent", 1).await;
        format!("bounces+{}@example.com", sent.id.uuid().simple())
    };
    // As qmail writes it, and as a reader does who is away.
    let returned = format!(
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@relay.example\r\nTo: {}\r\n\
         Subject: failure notice\r\n\r\nHi. This is the qmail-send program.\r\n\r\n\
         <zofia@example.com>:\r\nSorry, no mailbox here by that name.\r\n",
        address(came_back).await
    );
    let away = format!(
        "Return-Path: <>\r\nFrom: zofia@example.com\r\nTo: {}\r\n\
         Auto-Submitted: auto-replied\r\nSubject: Away\r\n\r\nI am on holiday.\r\n",
        address(arrived).await
    );
    let fresh = folder.join("new");
    std::fs::create_dir_all(&fresh).unwrap();
    for (name, mail) in [("1.away", away), ("2.returned", returned)] {
        std::fs::write(fresh.join(name), mail).unwrap();
    }
    eventually("both are put away", LIMIT, async || {
        let seen = std::fs::read_dir(folder.join("cur")).ok()?.count();
        (seen == 2).then_some(())
    })
    .await;
    let bounced = harness.notification(came_back).await;
    assert_eq!(bounced.status, "bounced");
    let why = bounced.last_error.unwrap();
    assert!(why.contains("cannot be read"), "{why}");
    assert_eq!(harness.notification(arrived).await.status, "sent");
    std::fs::remove_dir_all(folder).unwrap();
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_the_mail_server_drops_into_the_maildir_is_read_once() {
    let (harness, folder) = with_a_maildir().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let sent = harness.reaches(&envelope, "sent", 1).await;
    let from = harness.sink.messages()[0].from.clone();
    assert_eq!(
        from,
        format!("bounces+{}@example.com", sent.id.uuid().simple())
    );

    // It quotes nothing of ours, but comes back to the address that tells which mail it is.
    let fresh = folder.join("new");
    std::fs::create_dir_all(&fresh).unwrap();
    std::fs::write(
        fresh.join("1.noise"),
        "From: a@b.example\r\n\r\nI am on holiday.",
    )
    .unwrap();
    let report = report("unknown@elsewhere.example", &from, "failed");
    std::fs::write(fresh.join("2.report"), report).unwrap();
    // And these cannot be put away.
    for n in 0..4 {
        std::fs::create_dir_all(folder.join(format!("cur/{n}.stuck:2,S"))).unwrap();
        std::fs::write(fresh.join(format!("{n}.stuck")), "noise").unwrap();
    }
    eventually("the report is read", LIMIT, async || {
        let now = harness.notification(&envelope).await;
        (now.status == "bounced").then_some(())
    })
    .await;
    eventually("the other two are put away", LIMIT, async || {
        let seen = std::fs::read_dir(folder.join("cur")).ok()?.count();
        (seen == 6 && std::fs::read_dir(&fresh).ok()?.count() == 4).then_some(())
    })
    .await;
    std::fs::remove_dir_all(folder).unwrap();
    harness.check_invariants(0).await;
}
