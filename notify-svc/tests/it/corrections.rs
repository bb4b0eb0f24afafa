//! An order goes to another address: what was not sent to the one before is not sent there any more.

use std::slice::from_ref;

use proto::{
    event::{
        AddressCorrected, Envelope, OrderErased, OrderRefunded, RefundCause, envelope::Payload,
    },
    notify::{ListNotificationsRequest, NotificationState},
};
use testkit::eventually;

use crate::{
    admins::Desk,
    erase::traces,
    harness::{Harness, LIMIT, eur, texts},
    news::{awaiting, reminder, sealed, transferred},
};

const OLD: &str = "zofia@example.com";
const RIGHT: &str = "zofia@right.example";
const NEW_LINK: &str = "https://tickets.example/o/7/another-link-secret";
const NEW_UNSUBSCRIBE: &str = "https://tickets.example/u/7/another-unsubscribe-secret";

fn refunded(harness: &Harness) -> OrderRefunded {
    OrderRefunded {
        order: Some(harness.order()),
        refund_id: "0190b6a2-7c1e-7000-8000-0123456789ab".to_owned(),
        number: 1,
        amount: eur(4_500),
        cause: RefundCause::Requested.into(),
        note: String::new(),
        voided_tickets: 1,
        complete: false,
    }
}

fn corrected(harness: &Harness, order_id: &str, messages: &[&Envelope]) -> AddressCorrected {
    AddressCorrected {
        order_id: order_id.to_owned(),
        generation: 2,
        email: RIGHT.to_owned(),
        sealed_order_link: sealed(harness, "order-link", NEW_LINK),
        sealed_unsubscribe_link: sealed(harness, "unsubscribe-link", NEW_UNSUBSCRIBE),
        message_ids: messages.iter().map(|one| one.message_id.clone()).collect(),
    }
}

impl Harness {
    async fn correct(&self, told: AddressCorrected) -> Envelope {
        let correction = self.message(Payload::AddressCorrected(told));
        let accepted = self.accept(from_ref(&correction)).await;
        assert_eq!(accepted.as_slice(), from_ref(&correction.message_id));
        correction
    }

    /// Kind, recipient and state of each mail about an order.
    async fn mails(&self, order_id: &str) -> Vec<(String, String, String)> {
        sqlx::query_as(
            "SELECT kind, recipient, status FROM notifications WHERE order_id = $1::uuid
             ORDER BY kind, recipient, status",
        )
        .bind(order_id)
        .fetch_all(&self.rows)
        .await
        .unwrap()
    }

    /// So many wait for their second attempt.
    async fn refused_for_now(&self, mails: i64) {
        let waits = "SELECT count(*) FROM notifications WHERE status = 'queued' AND attempts = 1";
        eventually("all were refused for now", LIMIT, async || {
            let waiting: i64 = sqlx::query_scalar(waits)
                .fetch_one(&self.rows)
                .await
                .unwrap();
            (waiting == mails).then_some(())
        })
        .await;
    }

    async fn statement(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.rows).await.unwrap();
    }
}

fn expected(mails: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |text: &str| text.to_owned();
    let mails = mails.iter();
    mails
        .map(|(kind, to, status)| (own(kind), own(to), own(status)))
        .collect()
}

#[tokio::test]
async fn what_waits_is_withdrawn_and_what_nobody_sends_anew_goes_to_the_new_address() {
    let desk = Desk::start().await;
    let harness = &desk.harness;
    harness.sink.refuse_domain("example.com", 451);
    let receipt = harness.envelope();
    let Some(Payload::OrderPaid(paid)) = &receipt.payload else {
        unreachable!()
    };
    let order_id = paid.order_id.clone();
    let (mut back, mut pay, mut handed) =
        (refunded(harness), awaiting(harness), transferred(harness));
    for order in [&mut back.order, &mut pay.order, &mut handed.order] {
        order.as_mut().unwrap().order_id.clone_from(&order_id);
    }
    let back = harness.message(Payload::OrderRefunded(back));
    let pay = harness.message(Payload::OrderAwaitingTransfer(pay));
    let handed = harness.message(Payload::TicketTransferred(handed));
    let all = [&receipt, &back, &pay, &handed].map(Clone::clone);
    harness.accept(&all).await;
    harness.refused_for_now(4).await;

    let told = corrected(harness, &order_id, &[&receipt, &back, &pay]);
    let correction = harness.correct(told).await;
    harness.sink.heal_domain("example.com");
    harness.let_time_pass().await;
    harness.accept(from_ref(&correction)).await;
    harness.round_passes_for("someone@elsewhere.example").await;
    eventually("the others are sent", LIMIT, async || {
        let mails = harness.mails(&order_id).await;
        let waits = |state: &str| state == "queued" || state == "sending";
        (!mails.iter().any(|(_, _, state)| waits(state))).then_some(())
    })
    .await;
    assert_eq!(
        harness.mails(&order_id).await,
        expected(&[
            ("awaiting_transfer", OLD, "withdrawn"),
            ("receipt", OLD, "withdrawn"),
            ("refunded", OLD, "withdrawn"),
            ("refunded", RIGHT, "sent"),
            ("ticket_transferred", "eleni@example.com", "sent"),
        ])
    );
    let mails = harness.sink.messages();
    assert!(!mails.iter().any(|mail| mail.to == [OLD]));
    let mail = mails.iter().find(|mail| mail.to == [RIGHT]).unwrap();
    let (text, _) = texts(&mail.data);
    assert!(
        text.contains(NEW_LINK) && !text.contains("canary-link-secret"),
        "{text}"
    );
    let joined = mail.data.replace("=\r\n", "");
    assert!(joined.contains("another-unsubscribe-secret"));
    // Admins see that they were withdrawn, and cannot send them after all.
    let superadmin = desk.caller("superadmin");
    let asked = ListNotificationsRequest {
        order_id: order_id.clone(),
        state: NotificationState::Withdrawn.into(),
        ..Default::default()
    };
    let listed = desk.list(&superadmin, asked).await;
    assert_eq!(listed.len(), 3);
    assert!(!listed.iter().any(|one| one.needs_attention));
    desk.retry(&superadmin, &listed[0].id).await.unwrap_err();
    desk.harness.check_invariants(1).await;
}

#[tokio::test]
async fn what_was_on_its_way_just_then_is_not_tried_again() {
    let mut harness = Harness::start().await;
    harness.sink.refuse_domain("example.com", 451);
    let back = harness.message(Payload::OrderRefunded(refunded(&harness)));
    let soon = harness.message(Payload::OrderReminder(reminder(&harness)));
    for envelope in [&back, &soon] {
        harness.accept(from_ref(envelope)).await;
        harness.reaches(envelope, "queued", 1).await;
    }
    harness.stop().await;
    // As if they were being sent, when the correction comes.
    harness
        .statement(
            "UPDATE notifications SET status = 'sending',
                 next_attempt_at = clock_timestamp() + interval '1 hour'",
        )
        .await;
    harness.run().await;
    for envelope in [&back, &soon] {
        let of = match envelope.payload.as_ref().unwrap() {
            Payload::OrderRefunded(told) => told.order.clone().unwrap().order_id,
            Payload::OrderReminder(told) => told.order.clone().unwrap().order_id,
            _ => unreachable!(),
        };
        let told = corrected(&harness, &of, &[envelope]);
        harness.correct(told).await;
        let kind = if envelope == &back {
            "refunded"
        } else {
            "reminder"
        };
        let mails = harness.mails(&of).await;
        assert_eq!(
            mails[0],
            (kind.to_owned(), OLD.to_owned(), "sending".to_owned())
        );
        assert_eq!((mails.len(), mails[1].1.as_str()), (2, RIGHT));
    }
    // One is refused for now, the other for good.
    harness
        .statement(
            "UPDATE notifications SET status = 'queued', last_error = '451'
             WHERE status = 'sending' AND kind = 'refunded' AND recipient = 'zofia@example.com';
             UPDATE notifications SET status = 'failed', last_error = '550'
             WHERE status = 'sending' AND kind = 'reminder' AND recipient = 'zofia@example.com'",
        )
        .await;
    let withdrawn: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM notifications
         WHERE recipient = 'zofia@example.com' AND status = 'withdrawn'",
    )
    .fetch_one(&harness.rows)
    .await
    .unwrap();
    assert_eq!(withdrawn, 2);
    harness.round_passes_for("someone@elsewhere.example").await;
    harness.check_invariants(2).await;
}

#[tokio::test]
async fn a_message_that_the_correction_overtook_is_withdrawn_too() {
    let harness = Harness::start().await;
    let mut told = refunded(&harness);
    let order_id = harness.paid().order_id;
    told.order.as_mut().unwrap().order_id.clone_from(&order_id);
    let late = harness.message(Payload::OrderRefunded(told));
    let newest = AddressCorrected {
        generation: 3,
        ..corrected(&harness, &order_id, &[&late])
    };
    harness.correct(newest).await;
    // The one before it comes after it, and changes nothing.
    let older = AddressCorrected {
        email: "zofia@wrong.example".to_owned(),
        ..corrected(&harness, &order_id, &[&late])
    };
    harness.correct(older).await;
    for _ in 0..2 {
        harness.accept(from_ref(&late)).await;
        harness.round_passes().await;
    }
    assert_eq!(
        harness.mails(&order_id).await,
        expected(&[("refunded", OLD, "withdrawn"), ("refunded", RIGHT, "sent")])
    );
    // And back again: what was withdrawn there is sent there.
    harness.sink.refuse_domain("right.example", 451);
    let mut again = refunded(&harness);
    again.number = 2;
    let order = again.order.as_mut().unwrap();
    order.order_id.clone_from(&order_id);
    order.email = RIGHT.to_owned();
    let again = harness.message(Payload::OrderRefunded(again));
    harness.accept(from_ref(&again)).await;
    harness.round_passes().await;
    let back = AddressCorrected {
        generation: 4,
        email: OLD.to_owned(),
        ..corrected(&harness, &order_id, &[&late, &again])
    };
    harness.correct(back).await;
    harness.round_passes().await;
    let mails = harness.mails(&order_id).await;
    let of = |to: &str| {
        let mails = mails.iter().filter(|(_, recipient, _)| recipient == to);
        let mut states: Vec<&str> = mails.map(|(_, _, state)| state.as_str()).collect();
        states.sort_unstable();
        states
    };
    assert_eq!(of(RIGHT), ["sent", "withdrawn"]);
    assert_eq!(of(OLD), ["sent", "withdrawn"]);
    // Where the order went is forgotten with its guest.
    assert!(traces(&harness, OLD).await > 0);
    let erased = harness.message(Payload::OrderErased(OrderErased {
        order_id: order_id.clone(),
    }));
    harness.accept(from_ref(&erased)).await;
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM address_corrections")
        .fetch_one(&harness.rows)
        .await
        .unwrap();
    assert_eq!(stored, 0);
    let tardy = AddressCorrected {
        generation: 5,
        ..corrected(&harness, &order_id, &[&late])
    };
    harness.correct(tardy).await;
    assert_eq!(traces(&harness, RIGHT).await, 0);
    harness.check_invariants(5).await;
}

#[tokio::test]
async fn what_was_given_up_or_came_back_goes_to_the_new_address_and_never_to_the_old_one() {
    let desk = Desk::start().await;
    let harness = &desk.harness;
    let order_id = harness.paid().order_id;
    let mut written = Vec::new();
    for number in 1..=3 {
        let mut told = refunded(harness);
        told.number = number;
        told.order.as_mut().unwrap().order_id.clone_from(&order_id);
        written.push(harness.message(Payload::OrderRefunded(told)));
    }
    let [refused, returned, tardy] = &written[..] else {
        unreachable!()
    };
    harness.accept(&[returned.clone(), tardy.clone()]).await;
    harness.round_passes().await;
    harness
        .statement(
            "UPDATE notifications SET status = 'bounced', last_error = 'no such mailbox'
             WHERE status = 'sent' AND revision = 1",
        )
        .await;
    harness.sink.refuse_domain("example.com", 550);
    harness.accept(from_ref(refused)).await;
    harness.reaches(refused, "failed", 1).await;

    let told = corrected(harness, &order_id, &[refused, returned, tardy]);
    harness.correct(told).await;
    harness.sink.heal_domain("example.com");
    harness.round_passes_for("someone@elsewhere.example").await;
    // This one comes back when the order is elsewhere.
    harness
        .statement(
            "UPDATE notifications SET status = 'bounced', last_error = 'no such mailbox'
             WHERE status = 'sent' AND revision = 2 AND recipient = 'zofia@example.com'",
        )
        .await;
    assert_eq!(
        harness.mails(&order_id).await,
        expected(&[
            ("refunded", OLD, "bounced"),
            ("refunded", OLD, "withdrawn"),
            ("refunded", OLD, "withdrawn"),
            ("refunded", RIGHT, "sent"),
            ("refunded", RIGHT, "sent"),
        ])
    );
    let superadmin = desk.caller("superadmin");
    let asked = ListNotificationsRequest {
        order_id: order_id.clone(),
        ..Default::default()
    };
    for one in desk.list(&superadmin, asked).await {
        if one.recipient == OLD {
            desk.retry(&superadmin, &one.id).await.unwrap_err();
        }
    }
    desk.harness.check_invariants(1).await;
}

#[tokio::test]
async fn back_at_the_address_that_it_was_on_its_way_to_it_is_tried_there_again() {
    let harness = Harness::start().await;
    harness.sink.refuse_domain("example.com", 451);
    harness.sink.refuse_domain("right.example", 451);
    let told = refunded(&harness);
    let order_id = told.order.clone().unwrap().order_id;
    let news = harness.message(Payload::OrderRefunded(told));
    harness.accept(from_ref(&news)).await;
    harness.reaches(&news, "queued", 1).await;
    harness
        .statement(
            "UPDATE notifications SET status = 'sending',
                 next_attempt_at = clock_timestamp() + interval '1 hour'",
        )
        .await;
    let away = corrected(&harness, &order_id, &[&news]);
    harness.correct(away).await;
    harness.refused_for_now(1).await;
    let back = AddressCorrected {
        generation: 3,
        email: OLD.to_owned(),
        ..corrected(&harness, &order_id, &[&news])
    };
    harness.correct(back).await;
    harness.sink.heal_domain("example.com");
    let leased = "SELECT count(*) FROM notifications
                  WHERE status = 'sending' AND next_attempt_at > clock_timestamp() + interval '50 min'";
    let leased: i64 = sqlx::query_scalar(leased)
        .fetch_one(&harness.rows)
        .await
        .unwrap();
    assert_eq!(leased, 1, "its attempt is under way");
    harness
        .statement(
            "UPDATE notifications SET status = 'queued', next_attempt_at = clock_timestamp()
             WHERE status = 'sending' AND recipient = 'zofia@example.com'",
        )
        .await;
    harness.round_passes_for("someone@elsewhere.example").await;
    eventually("it is sent", LIMIT, async || {
        let mails = harness.mails(&order_id).await;
        let sent = expected(&[("refunded", OLD, "sent"), ("refunded", RIGHT, "withdrawn")]);
        (mails == sent).then_some(())
    })
    .await;
    harness.check_invariants(2).await;
}
