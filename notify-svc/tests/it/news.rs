//! What else a person is told: a new date, a reminder, a bank transfer that is awaited, a ticket that was
//! handed on, codes and invitations; in which language; and how to hear no more. Read back by a parser
//! that is not ours.

use std::slice::from_ref;

use base::{MessageId, TicketId};
use mail_parser::{Message, MessageParser, MimeHeaders as _};
use proto::event::{
    AdminInvited, Envelope, LookupCodeRequested, OrderAwaitingTransfer, OrderPostponed,
    OrderReminder, PaidTicket, PasswordResetRequested, TicketNews, TicketNewsKind,
    TicketTransferred, envelope::Payload,
};
use time::{OffsetDateTime, macros::datetime};

use crate::harness::{Harness, LIMIT, LINK, UNSUBSCRIBE, eur};

const CODE: &str = "K7QF-2M9X-CANARY";
const SIGN_IN: &str = "https://tickets.example/admin/canary-sign-in-secret";
const UNTIL: OffsetDateTime = datetime!(2026-06-01 16:30 UTC);

fn postponed(harness: &Harness) -> OrderPostponed {
    OrderPostponed {
        order: Some(harness.order()),
        number: 1,
        previous_date_time: Some(proto::timestamp(datetime!(2026-05-29 18:00 UTC))),
        explanation: "The singer is ill.".to_owned(),
        cancel_until: Some(proto::timestamp(UNTIL)),
    }
}

pub fn reminder(harness: &Harness) -> OrderReminder {
    OrderReminder {
        order: Some(harness.order()),
        number: 1,
        tickets: 2,
    }
}

pub fn awaiting(harness: &Harness) -> OrderAwaitingTransfer {
    OrderAwaitingTransfer {
        order: Some(harness.order()),
        due: eur(9_000),
        pay_by: Some(proto::timestamp(UNTIL)),
        instructions: "IBAN CZ65 0800 0000 1920 0014 5399\nBIC GIBACZPX".to_owned(),
        reference: "BX7K3M9Q".to_owned(),
        number: 1,
    }
}

pub fn transferred(harness: &Harness) -> TicketTransferred {
    let mut order = harness.order();
    order.email = "eleni@example.com".to_owned();
    order.name = "Ελένη Παπαδοπούλου".to_owned();
    order.total = None;
    TicketTransferred {
        order: Some(order),
        ticket: Some(PaidTicket {
            id: TicketId::new(&harness.sources).to_string(),
            code: "BX2:HANDED:ON".to_owned(),
            category: "Standing".to_owned(),
        }),
        generation: 2,
        from_name: "Zofia Wójcik".to_owned(),
    }
}

pub fn ticket_news(harness: &Harness, kind: TicketNewsKind, tickets: u32) -> TicketNews {
    let TicketTransferred { order, .. } = transferred(harness);
    let moved = kind == TicketNewsKind::Postponed;
    let previous = proto::timestamp(datetime!(2026-05-29 18:00 UTC));
    TicketNews {
        order,
        number: kind as u32,
        kind: kind.into(),
        tickets,
        explanation: "The singer is ill.".to_owned(),
        previous_date_time: moved.then_some(previous),
    }
}

pub fn sealed(harness: &Harness, purpose: &str, secret: &str) -> Vec<u8> {
    let sealer = &harness.config.link_seal_key;
    sealer.seal(&harness.sources, purpose, secret.as_bytes())
}

pub fn lookup_code(harness: &Harness) -> LookupCodeRequested {
    LookupCodeRequested {
        id: MessageId::new(&harness.sources).to_string(),
        email: "zofia@example.com".to_owned(),
        locale: "en".to_owned(),
        sealed_code: sealed(harness, "lookup-code", CODE),
        expires_at: Some(proto::timestamp(UNTIL)),
    }
}

pub fn invited(harness: &Harness) -> AdminInvited {
    AdminInvited {
        id: MessageId::new(&harness.sources).to_string(),
        email: "new@example.com".to_owned(),
        locale: "en".to_owned(),
        sealed_link: sealed(harness, "invitation-link", SIGN_IN),
        expires_at: Some(proto::timestamp(UNTIL)),
        invited_by: "Zofia Wójcik".to_owned(),
        number: 1,
    }
}

pub fn forgotten(harness: &Harness) -> PasswordResetRequested {
    PasswordResetRequested {
        id: MessageId::new(&harness.sources).to_string(),
        email: "admin@example.com".to_owned(),
        locale: "en".to_owned(),
        sealed_link: sealed(harness, "password-reset-link", SIGN_IN),
        expires_at: Some(proto::timestamp(UNTIL)),
    }
}

/// The bytes of the mail that this message becomes.
async fn mail_of(harness: &Harness, payload: Payload) -> String {
    let envelope = harness.message(payload);
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "sent", 1).await;
    let mut mails = harness.sink.messages();
    mails.pop().unwrap().data
}

/// Reads a mail as a mail program does, and checks what is true of every one.
fn parsed(mail: &str) -> Message<'_> {
    let message = MessageParser::default().parse(mail.as_bytes()).unwrap();
    let from = message.from().unwrap().first().unwrap();
    assert_eq!(from.address(), Some("tickets@localhost"), "{mail}");
    assert!(message.message_id().unwrap().ends_with("@boxoffice"));
    assert!(message.date().is_some(), "{mail}");
    let automatic = header(&message, "Auto-Submitted");
    assert_eq!(automatic.as_deref(), Some("auto-generated"));
    assert_eq!(
        (message.text_body_count(), message.html_body_count()),
        (1, 1)
    );
    let longest = mail.lines().map(str::len).max().unwrap();
    assert!(longest <= 998, "RFC 5322 §2.1.1: {longest}");
    message
}

fn words(message: &Message<'_>) -> [String; 2] {
    let html = message.body_html(0).unwrap().replace("&#x2f;", "/");
    [message.body_text(0).unwrap().into_owned(), html]
}

fn header(message: &Message<'_>, name: &str) -> Option<String> {
    message
        .header_raw(name)
        .map(|value| value.trim().to_owned())
}

/// Each new kind in English: its subject, and what both of its parts say.
fn told(harness: &Harness) -> Vec<(Payload, &'static str, Vec<&'static str>)> {
    vec![
        (
            Payload::OrderPostponed(postponed(harness)),
            "New date: Nightjar Live (BX-7K3M9Q)",
            vec![
                "was to be on Friday 29 May 2026, 20:00 CEST.",
                "takes place on Friday 12 June 2026, 20:00 CEST now",
                "until Monday 1 June 2026, 18:30 CEST",
                "The singer is ill.",
                "New date",
                LINK,
            ],
        ),
        (
            Payload::OrderReminder(reminder(harness)),
            "Soon: Nightjar Live (BX-7K3M9Q)",
            vec![
                "Friday 12 June 2026, 20:00 CEST",
                "Lucerna Music Bar, Praha",
                "your 2 tickets ready",
                LINK,
            ],
        ),
        (
            Payload::OrderAwaitingTransfer(awaiting(harness)),
            "Please transfer 90.00 EUR for Nightjar Live (BX-7K3M9Q)",
            vec![
                "Please transfer 90.00 EUR by Monday 1 June 2026, 18:30 CEST.",
                "IBAN CZ65 0800 0000 1920 0014 5399",
                "BIC GIBACZPX",
                "BX7K3M9Q",
                LINK,
            ],
        ),
        (
            Payload::TicketTransferred(transferred(harness)),
            "A ticket for you: Nightjar Live (BX-7K3M9Q)",
            vec![
                "Hello Ελένη Παπαδοπούλου,",
                "Zofia Wójcik handed a ticket on to you.",
                "BX2:HANDED:ON",
                LINK,
            ],
        ),
        (
            Payload::LookupCodeRequested(lookup_code(harness)),
            "Your code to find your orders",
            vec![
                CODE,
                "until Monday 1 June 2026, 16:30 UTC",
                "Nightjar Concerts",
            ],
        ),
        (
            Payload::AdminInvited(invited(harness)),
            "You are invited to Nightjar Concerts",
            vec![
                "Zofia Wójcik invites you",
                SIGN_IN,
                "only for new@example.com",
            ],
        ),
        (
            Payload::PasswordResetRequested(forgotten(harness)),
            "Choose a new password for Nightjar Concerts",
            vec![SIGN_IN, "admin@example.com"],
        ),
    ]
}

/// The same of what those are told who were handed tickets.
fn told_holders(harness: &Harness) -> Vec<(Payload, &'static str, Vec<&'static str>)> {
    vec![
        (
            Payload::TicketNews(ticket_news(harness, TicketNewsKind::Postponed, 2)),
            "New date: Nightjar Live (BX-7K3M9Q)",
            vec![
                "Hello Ελένη Παπαδοπούλου,",
                "was to be on Friday 29 May 2026, 20:00 CEST.",
                "takes place on Friday 12 June 2026, 20:00 CEST now",
                "The 2 tickets that were handed on to you stay valid",
                "The singer is ill.",
                LINK,
                UNSUBSCRIBE,
            ],
        ),
        (
            Payload::TicketNews(ticket_news(harness, TicketNewsKind::Cancelled, 1)),
            "Cancelled: Nightjar Live (BX-7K3M9Q)",
            vec![
                "Friday 12 June 2026, 20:00 CEST does not take place",
                "The ticket that was handed on to you is void with it.",
                "The singer is ill.",
                "Nightjar Concerts",
            ],
        ),
        (
            Payload::TicketNews(ticket_news(harness, TicketNewsKind::Reminder, 1)),
            "Soon: Nightjar Live (BX-7K3M9Q)",
            vec![
                "Have the ticket that was handed on to you ready",
                "Lucerna Music Bar, Praha",
                LINK,
            ],
        ),
    ]
}

#[tokio::test]
async fn each_is_one_mail_with_its_words() {
    let harness = Harness::start().await;
    let all = told(&harness).into_iter().chain(told_holders(&harness));
    for (payload, subject, facts) in all {
        let envelope = harness.message(payload);
        for _ in 0..2 {
            harness.accept(from_ref(&envelope)).await;
        }
        harness.reaches(&envelope, "sent", 1).await;
        let mail = harness.sink.messages().pop().unwrap();
        let message = parsed(&mail.data);
        assert_eq!(message.subject(), Some(subject));
        for part in words(&message) {
            for fact in &facts {
                assert!(
                    part.contains(fact),
                    "{subject}: {fact} is missing in:\n{part}"
                );
            }
        }
    }
    let (mails, rows) = (
        harness.sink.messages().len(),
        harness.count("notifications").await,
    );
    assert_eq!((mails, rows), (10, 10));
    assert!(harness.poison().await.is_empty());
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn secrets_are_in_the_mail_and_nowhere_else() {
    let harness = Harness::start().await;
    for payload in [
        Payload::LookupCodeRequested(lookup_code(&harness)),
        Payload::AdminInvited(invited(&harness)),
        Payload::PasswordResetRequested(forgotten(&harness)),
        Payload::OrderReminder(reminder(&harness)),
    ] {
        let mail = mail_of(&harness, payload).await;
        let message = parsed(&mail);
        let [text, _] = words(&message);
        assert!(text.to_lowercase().contains("canary"), "{text}");
    }
    let spilt: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM notifications n
         WHERE position('canary'::bytea IN n.content) > 0
            OR position('CANARY'::bytea IN n.content) > 0
            OR to_jsonb(n)::text ILIKE '%canary%'",
    )
    .fetch_one(&harness.rows)
    .await
    .unwrap();
    assert_eq!(spilt, 0);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn who_gets_a_ticket_gets_its_documents_and_nothing_of_the_buyer() {
    let harness = Harness::start().await;
    let mail = mail_of(&harness, Payload::TicketTransferred(transferred(&harness))).await;
    let message = parsed(&mail);
    let names: Vec<_> = message
        .attachments()
        .filter_map(|part| part.attachment_name())
        .collect();
    assert_eq!(names, ["tickets.pdf", "event.ics"]);
    let pdf = message.attachment(0).unwrap().contents();
    assert!(pdf.starts_with(b"%PDF-"));
    let to = message.to().unwrap().first().unwrap();
    assert_eq!(to.address(), Some("eleni@example.com"));
    assert_eq!(header(&message, "List-Unsubscribe"), None);
    for part in words(&message) {
        for foreign in ["zofia@example.com", "90.00 EUR", UNSUBSCRIBE, "0.00 EUR"] {
            assert!(!part.contains(foreign), "{foreign}:\n{part}");
        }
    }
    // Handed on again, it is told again; the same generation is not.
    let mut again = transferred(&harness);
    again.ticket.as_mut().unwrap().id = ticket_of(&harness).await;
    let same = harness.message(Payload::TicketTransferred(again.clone()));
    again.generation = 3;
    let next = harness.message(Payload::TicketTransferred(again));
    harness.accept(&[same, next]).await;
    harness.sink.wait_for(2, LIMIT).await;
    assert_eq!(harness.count("notifications").await, 2);
    harness.check_invariants(1).await;
}

#[tokio::test]
async fn news_of_a_ticket_that_was_handed_on_say_nothing_of_money_and_move_its_calendar_entry() {
    let harness = Harness::start().await;
    for (kind, method) in [
        (TicketNewsKind::Postponed, Some("STATUS:CONFIRMED")),
        (TicketNewsKind::Cancelled, Some("STATUS:CANCELLED")),
        (TicketNewsKind::Reminder, None),
    ] {
        let news = ticket_news(&harness, kind, 1);
        let mail = mail_of(&harness, Payload::TicketNews(news.clone())).await;
        let message = parsed(&mail);
        let to = message.to().unwrap().first().unwrap();
        assert_eq!(to.address(), Some("eleni@example.com"));
        let calendar = message.attachment(0).map(|file| {
            let text = file.text_contents().unwrap();
            text.lines()
                .find(|line| line.starts_with("STATUS:"))
                .unwrap()
                .to_owned()
        });
        assert_eq!(calendar.as_deref(), method, "{kind:?}");
        for part in words(&message) {
            for foreign in ["zofia@example.com", " EUR", "cancel your order", "Zofia"] {
                assert!(!part.contains(foreign), "{foreign}:\n{part}");
            }
        }
        // Under another message's id it is the same news to the same person.
        let again = harness.message(Payload::TicketNews(news));
        harness.accept(from_ref(&again)).await;
    }
    assert_eq!(harness.count("notifications").await, 3);
    assert_eq!(harness.sink.messages().len(), 3);
    for (field, spoil) in [
        ("tickets", (|news| news.tickets = 0) as fn(&mut TicketNews)),
        ("number", |news| news.number = 0),
        ("kind", |news| news.kind = 0),
        ("previous_date_time", |news| news.previous_date_time = None),
    ] {
        let mut news = ticket_news(&harness, TicketNewsKind::Postponed, 1);
        spoil(&mut news);
        let refused = harness.message(Payload::TicketNews(news));
        harness.accept(from_ref(&refused)).await;
        let reasons = format!("{:?}", harness.poison().await);
        assert!(reasons.contains(field), "{field}: {reasons}");
    }
    harness.check_invariants(3).await;
}

/// The subject of the only notification.
async fn ticket_of(harness: &Harness) -> String {
    let id = sqlx::query_scalar("SELECT subject_id::text FROM notifications");
    id.fetch_one(&harness.rows).await.unwrap()
}

#[tokio::test]
async fn everything_but_receipts_can_be_ended_with_one_click() {
    let harness = Harness::start().await;
    for payload in [
        Payload::OrderPostponed(postponed(&harness)),
        Payload::OrderReminder(reminder(&harness)),
        Payload::OrderAwaitingTransfer(awaiting(&harness)),
    ] {
        let mail = mail_of(&harness, payload).await;
        let message = parsed(&mail);
        let one_click = format!("<{UNSUBSCRIBE}>");
        assert_eq!(header(&message, "List-Unsubscribe"), Some(one_click));
        let post = Some("List-Unsubscribe=One-Click".to_owned());
        assert_eq!(header(&message, "List-Unsubscribe-Post"), post);
        for part in words(&message) {
            assert!(part.contains(UNSUBSCRIBE), "{part}");
        }
    }
    // Without TLS there is a link, and no button that anybody on the way could press.
    let mut plain = reminder(&harness);
    plain.order.as_mut().unwrap().sealed_unsubscribe_link =
        sealed(&harness, "unsubscribe-link", "http://127.0.0.1:8080/u/7/x");
    let mail = mail_of(&harness, Payload::OrderReminder(plain)).await;
    let message = parsed(&mail);
    let link = Some("<http://127.0.0.1:8080/u/7/x>".to_owned());
    assert_eq!(header(&message, "List-Unsubscribe"), link);
    assert_eq!(header(&message, "List-Unsubscribe-Post"), None);
    // Nothing gets into the head by the link.
    let mut hostile = reminder(&harness);
    hostile.order.as_mut().unwrap().sealed_unsubscribe_link =
        sealed(&harness, "unsubscribe-link", "https://x>\r\nBcc: a@b.c");
    let mail = mail_of(&harness, Payload::OrderReminder(hostile)).await;
    let message = parsed(&mail);
    assert_eq!(header(&message, "List-Unsubscribe"), None);
    assert!(message.bcc().is_none(), "{mail}");
    // Orders from before there was such a link.
    let mut older = reminder(&harness);
    older
        .order
        .as_mut()
        .unwrap()
        .sealed_unsubscribe_link
        .clear();
    let mail = mail_of(&harness, Payload::OrderReminder(older)).await;
    assert_eq!(header(&parsed(&mail), "List-Unsubscribe"), None);

    let mail = mail_of(&harness, Payload::OrderPaid(harness.paid())).await;
    let receipt = parsed(&mail);
    assert_eq!(header(&receipt, "List-Unsubscribe"), None);
    for part in words(&receipt) {
        assert!(!part.contains("No more messages"), "{part}");
    }
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn an_order_is_written_to_in_its_language() {
    let harness = Harness::start().await;
    for (locale, subject, facts) in [
        (
            "de-AT",
            "Ihre Tickets für Nightjar Live (BX-7K3M9Q)",
            [
                "Freitag, 12. Juni 2026, 20:00",
                "90,00 EUR",
                "Vielen Dank, Zofia Wójcik.",
            ],
        ),
        (
            "fr",
            "Vos billets pour Nightjar Live (BX-7K3M9Q)",
            ["vendredi 12 juin 2026", "90,00 EUR", "Merci, Zofia Wójcik."],
        ),
        (
            "pl",
            "Your tickets for Nightjar Live (BX-7K3M9Q)",
            [
                "Friday 12 June 2026, 20:00 CEST",
                "90.00 EUR",
                "Thank you, Zofia Wójcik.",
            ],
        ),
    ] {
        let mut paid = harness.paid();
        paid.locale = locale.to_owned();
        let mail = mail_of(&harness, Payload::OrderPaid(paid)).await;
        let message = parsed(&mail);
        assert_eq!(message.subject(), Some(subject));
        for part in words(&message) {
            for fact in facts {
                assert!(
                    part.contains(fact),
                    "{locale}: {fact} is missing in:\n{part}"
                );
            }
        }
    }
    let mut code = lookup_code(&harness);
    code.locale = "fr-CH".to_owned();
    let mail = mail_of(&harness, Payload::LookupCodeRequested(code)).await;
    let message = parsed(&mail);
    assert_eq!(
        message.subject(),
        Some("Votre code pour retrouver vos commandes")
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_part_that_arrived_is_told_with_what_is_missing() {
    let harness = Harness::start().await;
    let first = awaiting(&harness);
    let second = OrderAwaitingTransfer {
        number: 2,
        due: eur(4_000),
        ..first.clone()
    };
    mail_of(&harness, Payload::OrderAwaitingTransfer(first)).await;
    let envelope = harness.message(Payload::OrderAwaitingTransfer(second));
    harness.accept(from_ref(&envelope)).await;
    let mails = harness.sink.wait_for(2, LIMIT).await;
    let message = parsed(&mails[1].data);
    assert_eq!(
        message.subject(),
        Some("Still 40.00 EUR to pay for Nightjar Live (BX-7K3M9Q)")
    );
    for part in words(&message) {
        assert!(part.contains("40.00 EUR are still missing"), "{part}");
    }
}

#[tokio::test]
async fn a_receipt_of_another_revision_is_sent_again() {
    let harness = Harness::start().await;
    let first = harness.paid();
    let mut corrected = first.clone();
    corrected.revision = 1;
    corrected.email = "zofia.wojcik@example.com".to_owned();
    let mut again = corrected.clone();
    again.revision = 2;
    let envelopes: Vec<Envelope> = [first.clone(), first, corrected, again]
        .map(|paid| harness.message(Payload::OrderPaid(paid)))
        .into();
    harness.accept(&envelopes).await;
    let mails = harness.sink.wait_for(3, LIMIT).await;
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to.join(",")).collect();
    to.sort();
    let corrected = "zofia.wojcik@example.com";
    assert_eq!(to, [corrected, corrected, "zofia@example.com"]);
    assert_eq!(harness.count("notifications").await, 3);
    harness.check_invariants(1).await;
}

/// Messages that cannot be told, each with the field that is at fault.
fn spoilt(harness: &Harness) -> Vec<(&'static str, Payload)> {
    let postponed = |spoil: fn(&mut OrderPostponed)| {
        let mut message = postponed(harness);
        spoil(&mut message);
        Payload::OrderPostponed(message)
    };
    let awaiting = |spoil: fn(&mut OrderAwaitingTransfer)| {
        let mut message = awaiting(harness);
        spoil(&mut message);
        Payload::OrderAwaitingTransfer(message)
    };
    let handed = |spoil: fn(&mut TicketTransferred)| {
        let mut message = transferred(harness);
        spoil(&mut message);
        Payload::TicketTransferred(message)
    };
    let code = |spoil: fn(&mut LookupCodeRequested)| {
        let mut message = lookup_code(harness);
        spoil(&mut message);
        Payload::LookupCodeRequested(message)
    };
    let mut wrong_purpose = lookup_code(harness);
    wrong_purpose.sealed_code = sealed(harness, "order-link", CODE);
    let no_tickets = OrderReminder {
        tickets: 0,
        ..reminder(harness)
    };
    let no_number = AdminInvited {
        number: 0,
        ..invited(harness)
    };
    let no_link = PasswordResetRequested {
        sealed_link: Vec::new(),
        ..forgotten(harness)
    };
    vec![
        ("number ", postponed(|m| m.number = 0)),
        (
            "previous_date_time ",
            postponed(|m| m.previous_date_time = None),
        ),
        ("order ", postponed(|m| m.order = None)),
        (
            "sealed_unsubscribe_link ",
            postponed(|m| m.order.as_mut().unwrap().sealed_unsubscribe_link[20] ^= 1),
        ),
        ("tickets ", Payload::OrderReminder(no_tickets)),
        ("due ", awaiting(|m| m.due = eur(0))),
        ("pay_by ", awaiting(|m| m.pay_by = None)),
        ("reference ", awaiting(|m| m.reference = " ".to_owned())),
        (
            "total ",
            awaiting(|m| m.order.as_mut().unwrap().total = None),
        ),
        ("ticket ", handed(|m| m.ticket = None)),
        (
            "tickets.id ",
            handed(|m| m.ticket.as_mut().unwrap().id.clear()),
        ),
        ("generation ", handed(|m| m.generation = u32::MAX)),
        ("id ", code(|m| m.id = "7".to_owned())),
        ("email ", code(|m| m.email = "a\r\n@b".to_owned())),
        ("sealed_code ", code(|m| m.sealed_code[20] ^= 1)),
        ("sealed_code ", Payload::LookupCodeRequested(wrong_purpose)),
        ("expires_at ", code(|m| m.expires_at = None)),
        ("number ", Payload::AdminInvited(no_number)),
        ("sealed_link ", Payload::PasswordResetRequested(no_link)),
    ]
}

#[tokio::test]
async fn what_cannot_be_told_is_not_confirmed_and_leaves_a_trace() {
    let harness = Harness::start().await;
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    for (field, payload) in spoilt(&harness) {
        let envelope = harness.message(payload);
        expected.push((envelope.message_id.clone(), field));
        batch.push(envelope);
    }
    assert!(harness.accept(&batch).await.is_empty());
    let traces = harness.poison().await;
    assert_eq!(traces.len(), expected.len());
    for (id, field) in expected {
        let trace = traces.iter().find(|trace| trace.id == id).unwrap();
        assert!(trace.reason.starts_with(field), "{field}: {}", trace.reason);
    }
    harness.check_invariants(0).await;
}
