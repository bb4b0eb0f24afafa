//! From the row to the mailbox: what is tried again, what is not, and who may decide.

use std::{slice::from_ref, time::Duration};

use base::Secret;
use proto::event::{Envelope, LookupCodeRequested, envelope::Payload};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::harness::{Harness, LIMIT};

/// A mail server that takes a connection and says nothing, until the value is dropped.
async fn silent_server() -> (TcpListener, Secret) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Secret::new(format!("smtp://{}", listener.local_addr().unwrap()));
    (listener, url)
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again_later_as_the_same_mail() {
    let harness = Harness::start().await;
    harness.sink.refuse_next(451, 2);
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;

    let first = harness.reaches(&envelope, "queued", 1).await;
    assert!(
        first.last_error.as_ref().unwrap().contains("451"),
        "{first:?}"
    );
    assert!(
        (20.0..=70.0).contains(&first.due_in_secs),
        "a minute: {first:?}"
    );
    harness.let_time_pass().await;
    let second = harness.reaches(&envelope, "queued", 2).await;
    assert!(
        (200.0..=331.0).contains(&second.due_in_secs),
        "five minutes: {second:?}"
    );
    harness.let_time_pass().await;
    let sent = harness.reaches(&envelope, "sent", 3).await;

    assert_eq!((sent.id, sent.last_error), (first.id, None));
    let mails = harness.sink.messages();
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0]
            .data
            .contains(&format!("Message-ID: <{}@boxoffice>", first.id))
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_permanent_refusal_is_final_and_visible() {
    let harness = Harness::start().await;
    harness.sink.refuse_next(550, 1);
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let failed = harness.reaches(&envelope, "failed", 1).await;
    assert!(failed.last_error.unwrap().contains("550"));

    // Neither time nor the same message again bring it back.
    harness.let_time_pass().await;
    harness.accept(from_ref(&envelope)).await;
    harness.round_passes().await;
    let later = harness.notification(&envelope).await;
    assert_eq!((later.status.as_str(), later.attempts), ("failed", 1));
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_refused_login_is_not_the_mails_fault() {
    let harness = Harness::start().await;
    harness.sink.refuse_next(535, 1);
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "queued", 1).await;
    harness.let_time_pass().await;
    harness.reaches(&envelope, "sent", 2).await;
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn after_three_days_of_refusals_it_has_failed() {
    let harness = Harness::start().await;
    harness.sink.refuse_next(451, 2);
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "queued", 1).await;
    sqlx::query("UPDATE notifications SET give_up_at = clock_timestamp()")
        .execute(&harness.rows)
        .await
        .unwrap();
    harness.let_time_pass().await;
    harness.reaches(&envelope, "failed", 2).await;
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_mail_that_cannot_be_drawn_fails_alone() {
    let harness = Harness::start().await;
    let mut paid = harness.paid();
    paid.tickets[0].code = "x".repeat(5_000);
    let (bad, good) = (harness.envelope_of(paid), harness.envelope());
    harness.accept(&[bad.clone(), good.clone()]).await;
    harness.reaches(&good, "sent", 1).await;
    let failed = harness.reaches(&bad, "failed", 1).await;
    assert!(failed.last_error.unwrap().contains("QR"));
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_one_service_accepted_another_one_sends() {
    let mut harness = Harness::stopped().await;
    let sink = harness
        .config
        .smtp_url
        .replace(Secret::new("smtp://127.0.0.1:1"));
    harness.run().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "queued", 1).await;
    harness.stop().await;

    harness.config.smtp_url = sink;
    harness.let_time_pass().await;
    harness.run().await;
    harness.reaches(&envelope, "sent", 2).await;
    assert_eq!(harness.sink.messages().len(), 1);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_lease_is_respected_while_it_lives_and_taken_over_when_it_ran_out() {
    let mut harness = Harness::stopped().await;
    let (server, url) = silent_server().await;
    let sink = harness.config.smtp_url.replace(url);
    harness.run().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let leased = harness.reaches(&envelope, "sending", 1).await;
    assert!((5.0..=30.0).contains(&leased.due_in_secs), "{leased:?}");
    harness.stop().await;
    drop(server);
    // As a process that was killed leaves it.
    sqlx::query(
        "UPDATE notifications
         SET status = 'sending', next_attempt_at = clock_timestamp() + interval '600 s'",
    )
    .execute(&harness.rows)
    .await
    .unwrap();

    harness.config.smtp_url = sink;
    harness.run().await;
    harness.round_passes().await;
    assert_eq!(
        harness.notification(&envelope).await.status,
        "sending",
        "somebody else's"
    );
    harness.let_time_pass().await;
    harness.reaches(&envelope, "sent", 2).await;
    assert_eq!(
        harness.sink.messages().len(),
        2,
        "its own, and that of the round"
    );
    harness.check_invariants(0).await;
}

/// A mail whose process was killed with it in hand, and whose lease has run out. Nobody runs.
async fn killed_in_hand() -> (Harness, Envelope) {
    let mut harness = Harness::stopped().await;
    let (server, url) = silent_server().await;
    let sink = harness.config.smtp_url.replace(url);
    harness.run().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "sending", 1).await;
    harness.stop().await;
    drop(server);
    sqlx::query("UPDATE notifications SET status = 'sending'")
        .execute(&harness.rows)
        .await
        .unwrap();
    harness.let_time_pass().await;
    harness.config.smtp_url = sink;
    (harness, envelope)
}

/// As a process leaves it that was told by the mail server and could not tell the database.
async fn note(harness: &Harness, file: &str) {
    let (id, attempts): (Uuid, i32) =
        sqlx::query_as("SELECT id, attempts FROM notifications WHERE status = 'sending'")
            .fetch_one(&harness.rows)
            .await
            .unwrap();
    let mut note = [0; 32];
    note[..16].copy_from_slice(id.as_bytes());
    note[16..20].copy_from_slice(&attempts.to_le_bytes());
    std::fs::write(harness.config.handed_over_dir.join(file), note).unwrap();
}

/// The order went to another address meanwhile.
#[tokio::test]
async fn what_was_withdrawn_under_a_lease_is_not_sent_when_that_runs_out() {
    let (mut harness, envelope) = killed_in_hand().await;
    sqlx::query("UPDATE notifications SET withdrawn_at = clock_timestamp()")
        .execute(&harness.rows)
        .await
        .unwrap();

    harness.run().await;
    harness.reaches(&envelope, "withdrawn", 2).await;
    harness.round_passes().await;
    assert_eq!(harness.sink.messages().len(), 1, "that of the round");
    harness.check_invariants(0).await;
}

/// What the mail server took is noted before anything else; a process that dies then has not stored it.
#[tokio::test]
async fn what_an_earlier_process_noted_is_stored_and_not_sent_again() {
    let (mut harness, envelope) = killed_in_hand().await;
    note(&harness, "notes-0").await;

    harness.run().await;
    harness.reaches(&envelope, "sent", 1).await;
    harness.round_passes().await;
    assert_eq!(harness.sink.messages().len(), 1, "that of the round");
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_a_process_beside_it_noted_and_is_not_there_to_store_is_adopted() {
    let (mut harness, envelope) = killed_in_hand().await;
    sqlx::query("UPDATE notifications SET next_attempt_at = clock_timestamp() + interval '600 s'")
        .execute(&harness.rows)
        .await
        .unwrap();
    harness.run().await;
    // The first file is that of the one that runs.
    note(&harness, "notes-1").await;
    harness.reaches(&envelope, "sent", 1).await;
    harness.round_passes().await;
    assert_eq!(harness.sink.messages().len(), 1, "that of the round");
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn whose_lease_ran_out_does_not_overwrite_the_outcome() {
    let mut harness = Harness::stopped().await;
    let (server, url) = silent_server().await;
    harness.config.smtp_url = Some(url);
    harness.run().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "sending", 1).await;
    // Another replica took over and sent it.
    sqlx::query(
        "UPDATE notifications SET attempts = 2, status = 'sent', sent_at = clock_timestamp()",
    )
    .execute(&harness.rows)
    .await
    .unwrap();
    drop(server);
    // The end of the service waits for the attempt to be recorded.
    harness.stop().await;
    harness.reaches(&envelope, "sent", 2).await;

    // And the same while the other one is still at it.
    let (server, url) = silent_server().await;
    harness.config.smtp_url = Some(url);
    harness.run().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "sending", 1).await;
    sqlx::query("UPDATE notifications SET attempts = 2 WHERE status = 'sending'")
        .execute(&harness.rows)
        .await
        .unwrap();
    drop(server);
    harness.stop().await;
    harness.reaches(&envelope, "sending", 2).await;
    sqlx::query("UPDATE notifications SET status = 'queued' WHERE status = 'sending'")
        .execute(&harness.rows)
        .await
        .unwrap();
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_does_not_hold_up_the_end() {
    let mut harness = Harness::stopped().await;
    let (_server, url) = silent_server().await;
    harness.config.smtp_url = Some(url);
    harness.run().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    harness.reaches(&envelope, "sending", 1).await;
    let stop = tokio::time::timeout(Duration::from_secs(25), harness.stop());
    stop.await.expect("the service ends within its time");
    let queued = harness.reaches(&envelope, "queued", 1).await;
    assert!(queued.last_error.unwrap().contains("handed over"));
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn two_services_on_one_database_send_each_mail_once() {
    let mut harness = Harness::start().await;
    let (bind, _) = kit::Bind::loopback().await.unwrap();
    let second = notify_svc::build(&harness.config, bind, harness.sources.clone())
        .await
        .unwrap();
    let (shutdown, tasks) = (kit::Shutdown::new(), second.tasks().clone());
    let serving = tokio::spawn(second.serve(shutdown.clone()));

    let envelopes: Vec<_> = (0..40).map(|_| harness.envelope()).collect();
    harness.accept(&envelopes).await;
    harness.sink.wait_for(40, LIMIT).await;
    for envelope in &envelopes {
        harness.reaches(envelope, "sent", 1).await;
    }
    shutdown.begin();
    serving.await.unwrap().unwrap();
    assert_eq!(tasks.in_flight(), 0);
    harness.stop().await;
    assert_eq!(harness.sink.messages().len(), 40);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn without_a_mail_server_mails_are_files() {
    let mut harness = Harness::stopped().await;
    let folder = std::env::temp_dir().join(format!("boxoffice-mails-{}", harness.sources.token()));
    harness.config.smtp_url = None;
    harness.config.mail_dir = Some(folder.join("deep"));
    harness.run().await;
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let sent = harness.reaches(&envelope, "sent", 1).await;
    let files: Vec<_> = std::fs::read_dir(folder.join("deep")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mail = folder.join(format!("deep/{}.eml", sent.id));
    let mail = std::fs::read_to_string(mail).unwrap();
    assert!(mail.contains(&format!("Message-ID: <{}@boxoffice>\r\n", sent.id)));
    std::fs::remove_dir_all(folder).unwrap();
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_is_of_use_for_a_while_is_not_sent_too_late() {
    let harness = Harness::start().await;
    let code = |minutes: i64| {
        harness.message(Payload::LookupCodeRequested(LookupCodeRequested {
            id: base::MessageId::new(&harness.sources).to_string(),
            email: "guest@example.com".to_owned(),
            locale: "en".to_owned(),
            sealed_code: harness.config.link_seal_key.seal(
                &harness.sources,
                "lookup-code",
                b"123456",
            ),
            expires_at: Some(proto::timestamp(
                harness.sources.now() + time::Duration::minutes(minutes),
            )),
        }))
    };
    let (stale, fresh) = (code(-1), code(10));
    harness.accept(&[stale.clone(), fresh.clone()]).await;
    harness.reaches(&fresh, "sent", 1).await;
    harness.reaches(&stale, "failed", 1).await;
    let tasks: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM notifications WHERE status = 'failed' AND dismissed_at IS NULL",
    )
    .fetch_one(&harness.rows)
    .await
    .unwrap();
    assert_eq!(tasks, 0, "nobody has to do anything about it");
    assert_eq!(harness.sink.messages().len(), 1);
    harness.check_invariants(0).await;
}

/// The statistics are of a calm day, and then everybody is written to.
#[tokio::test]
async fn an_outcome_is_stored_by_its_key_however_many_wait() {
    const WAITING: i64 = 3_000;
    const MAILS: usize = 20;
    let mut harness = Harness::stopped().await;
    harness.run().await;
    let first = harness.envelope();
    harness.accept(from_ref(&first)).await;
    harness.reaches(&first, "sent", 1).await;
    harness.stop().await;
    let copies = async |rows: &PgPool, status: &str, more: &str| {
        let copy = format!(
            "INSERT INTO notifications (id, message_id, order_id, kind, channel, recipient, content,
                 status, sent_at, next_attempt_at)
             SELECT gen_random_uuid(), message_id, gen_random_uuid(), kind, channel, recipient, content,
                 '{status}', {more}
             FROM notifications, generate_series(1, {WAITING}) WHERE message_id = '{}' AND attempts = 1",
            first.message_id
        );
        sqlx::raw_sql(AssertSqlSafe(copy))
            .execute(rows)
            .await
            .unwrap();
    };
    copies(&harness.rows, "sent", "now(), now()").await;
    sqlx::raw_sql("VACUUM ANALYZE notifications")
        .execute(&harness.rows)
        .await
        .unwrap();
    copies(&harness.rows, "queued", "NULL, now() + interval '1 hour'").await;
    let before = of_the_queue(&harness.rows).await;

    harness.run().await;
    let mails: Vec<Envelope> = (0..MAILS).map(|_| harness.envelope()).collect();
    harness.accept(&mails).await;
    for mail in &mails {
        harness.reaches(mail, "sent", 1).await;
    }
    // Sessions that end have told what they read.
    harness.stop().await;
    let read = of_the_queue(&harness.rows).await - before;
    // Whoever measures the queue looks at all of it, now and then.
    assert!(read < WAITING * 10, "{read} for {MAILS} mails");
}

/// Entries of the index of what waits that were read until now.
async fn of_the_queue(rows: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'notifications_due'",
    )
    .fetch_one(rows)
    .await
    .unwrap()
}
