//! Admins look after mails: what they see, what they may do, and what is on record of it.

use std::{
    collections::HashSet,
    slice::from_ref,
    sync::{Arc, Mutex},
};

use base::{EventId, UserId};
use futures::future::BoxFuture;
use kit::{
    Admin, Bind, Code, ErrorReason, Failure, MeshKey, ServerBuilder, Shutdown, Tasks, VerifyToken,
};
use proto::{
    Peer,
    audit::{ListAuditRequest, audit_service_client::AuditServiceClient},
    common::Grant,
    event::{Envelope, LookupCodeRequested, envelope::Payload},
    notify::{notification_admin_service_client::NotificationAdminServiceClient, *},
    ticket::{
        CheckGrantRequest, CheckGrantResponse, ListGrantsRequest, ListGrantsResponse,
        grant_service_server::{GrantService, GrantServiceServer},
    },
};
use testkit::{eventually, keys};
use tonic::{Request, Response, Status};

use crate::harness::{Channel, Harness, LIMIT, LINK, texts};

/// Believes tokens of the form `admin:<id>` and `superadmin:<id>`.
pub struct Trusting;

impl VerifyToken for Trusting {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>> {
        Box::pin(async move {
            let (role, id) = token.split_once(':').unwrap_or_default();
            let id = id.parse().map_err(|_| {
                let reason = ErrorReason::Unauthenticated;
                Failure::refused(Code::Unauthenticated, reason, "no token")
            })?;
            Ok(Admin::new(id, role == "superadmin"))
        })
    }
}

/// Who may see which event, as ticket-svc tells it.
#[derive(Clone, Default)]
struct Grants(Arc<Mutex<HashSet<(String, String)>>>);

impl Grants {
    fn grant(&self, user: &str, event: &str) {
        let grant = (user.to_owned(), event.to_owned());
        self.0.lock().unwrap().insert(grant);
    }

    async fn serve(&self, mesh: MeshKey) -> String {
        let (bind, addr) = Bind::loopback().await.unwrap();
        let server = ServerBuilder::new(Peer::Ticket, bind, mesh, Tasks::new()).await;
        let service = GrantServiceServer::new(self.clone());
        let server = server.unwrap().add_service(service).build().await.unwrap();
        tokio::spawn(server.serve(Shutdown::new()));
        format!("http://{addr}")
    }
}

#[tonic::async_trait]
impl GrantService for Grants {
    async fn check_grant(
        &self,
        r: Request<CheckGrantRequest>,
    ) -> Result<Response<CheckGrantResponse>, Status> {
        let CheckGrantRequest { user_id, event_id } = r.into_inner();
        let granted = self.0.lock().unwrap().contains(&(user_id, event_id));
        let grant = if granted {
            Grant::Owner
        } else {
            Grant::Unspecified
        };
        Ok(Response::new(CheckGrantResponse {
            granted,
            grant: grant.into(),
        }))
    }

    async fn list_grants(
        &self,
        r: Request<ListGrantsRequest>,
    ) -> Result<Response<ListGrantsResponse>, Status> {
        let user = r.into_inner().user_id;
        let grants = self.0.lock().unwrap();
        let of = grants.iter().filter(|(holder, _)| *holder == user);
        let event_ids = of.map(|(_, event)| event.clone()).collect();
        Ok(Response::new(ListGrantsResponse { event_ids }))
    }
}

/// A service whose mails admins look after.
pub struct Desk {
    pub harness: Harness,
    grants: Grants,
}

pub struct Caller {
    pub id: String,
    token: String,
}

impl Desk {
    pub async fn start() -> Self {
        let (mut harness, grants) = (Harness::stopped().await, Grants::default());
        harness.config.ticket_svc_url =
            grants.serve(harness.config.mesh.key.clone().unwrap()).await;
        harness.run().await;
        Self { harness, grants }
    }

    pub fn caller(&self, role: &str) -> Caller {
        let id = UserId::new(&self.harness.sources).to_string();
        Caller {
            token: format!("Bearer {role}:{id}"),
            id,
        }
    }

    pub fn client(&self) -> NotificationAdminServiceClient<Channel> {
        NotificationAdminServiceClient::new(self.harness.channel(Peer::Gateway))
    }

    pub async fn list(
        &self,
        caller: &Caller,
        asked: ListNotificationsRequest,
    ) -> Vec<Notification> {
        let listed = self.client().list_notifications(caller.ask(asked)).await;
        listed.unwrap().into_inner().notifications
    }

    pub async fn get(&self, caller: &Caller, id: &str) -> Result<Notification, Failure> {
        let asked = GetNotificationRequest {
            notification_id: id.to_owned(),
        };
        let got = self.client().get_notification(caller.ask(asked)).await;
        got.map(|got| got.into_inner().notification.unwrap())
            .map_err(|status| Failure::from_status(&status))
    }

    pub async fn retry(&self, caller: &Caller, id: &str) -> Result<Notification, Failure> {
        let asked = RetryNotificationRequest {
            notification_id: id.to_owned(),
        };
        let got = self.client().retry_notification(caller.ask(asked)).await;
        got.map(|got| got.into_inner().notification.unwrap())
            .map_err(|status| Failure::from_status(&status))
    }

    async fn resend(&self, caller: &Caller, id: &str, key: &str) -> Result<Notification, Failure> {
        let asked = ResendNotificationRequest {
            notification_id: id.to_owned(),
            idempotency_key: key.to_owned(),
        };
        let got = self.client().resend_notification(caller.ask(asked)).await;
        got.map(|got| got.into_inner().notification.unwrap())
            .map_err(|status| Failure::from_status(&status))
    }

    async fn dismiss(
        &self,
        caller: &Caller,
        id: &str,
        note: &str,
    ) -> Result<Notification, Failure> {
        let asked = DismissNotificationRequest {
            notification_id: id.to_owned(),
            note: note.to_owned(),
        };
        let got = self.client().dismiss_notification(caller.ask(asked)).await;
        got.map(|got| got.into_inner().notification.unwrap())
            .map_err(|status| Failure::from_status(&status))
    }

    /// Action and object of what is on record, in order.
    pub async fn record(&self) -> Vec<(String, String, String)> {
        sqlx::query_as("SELECT actor, action, object FROM audit_log ORDER BY id")
            .fetch_all(&self.harness.rows)
            .await
            .unwrap()
    }

    async fn read(&self, caller: &Caller, id: &str) -> Result<[String; 3], Failure> {
        let request = caller.ask(ReadNotificationRequest {
            notification_id: id.to_owned(),
        });
        let answer = self.client().read_notification(request).await;
        let mail = answer.map_err(|status| Failure::from_status(&status))?;
        let mail = mail.into_inner();
        Ok([mail.subject, mail.html, mail.text])
    }

    /// A receipt that was refused for good.
    async fn refused(&self) -> (Envelope, String) {
        self.harness.sink.refuse_next(550, 1);
        let envelope = self.harness.envelope();
        self.harness.accept(from_ref(&envelope)).await;
        let failed = self.harness.reaches(&envelope, "failed", 1).await;
        (envelope, failed.id.to_string())
    }
}

impl Caller {
    pub fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = self.token.parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        request
    }
}

#[tokio::test]
async fn a_failed_mail_is_a_task_until_somebody_deals_with_it() {
    let desk = Desk::start().await;
    let boss = desk.caller("superadmin");
    let (envelope, id) = desk.refused().await;
    let tasks = || ListNotificationsRequest {
        needs_attention: true,
        ..Default::default()
    };

    let listed = desk.list(&boss, tasks()).await;
    assert_eq!(listed.len(), 1);
    let failed = &listed[0];
    assert_eq!(
        (&failed.id, failed.state()),
        (&id, NotificationState::Failed)
    );
    assert_eq!(
        (failed.kind.as_str(), failed.recipient.as_str()),
        ("receipt", "zofia@example.com")
    );
    let failure = failed.failure.clone().unwrap();
    assert_eq!(
        (failure.class(), failure.reply_code),
        (FailureClass::Permanent, 550)
    );
    assert!(failed.needs_attention && failed.mail_id == format!("{id}@boxoffice"));

    // The address was mended meanwhile: the same mail goes out.
    let queued = desk.retry(&boss, &id).await.unwrap();
    assert!(!queued.needs_attention);
    desk.harness.reaches(&envelope, "sent", 2).await;
    assert_eq!(desk.list(&boss, tasks()).await, []);
    let again = desk.retry(&boss, &id).await.unwrap_err();
    assert_eq!(again.reason, ErrorReason::NotificationNotOpen);

    // And another one that nobody can help.
    let (_, other) = desk.refused().await;
    let empty = desk.dismiss(&boss, &other, " ").await.unwrap_err();
    assert_eq!(empty.fields[0].field, "note");
    for _ in 0..2 {
        let dismissed = desk.dismiss(&boss, &other, "typed it wrong").await.unwrap();
        assert!(!dismissed.needs_attention);
        assert_eq!(dismissed.state(), NotificationState::Failed);
    }
    let not_open = desk.dismiss(&boss, &id, "was sent").await.unwrap_err();
    assert_eq!(not_open.reason, ErrorReason::NotificationNotOpen);
    assert_eq!(desk.list(&boss, tasks()).await, []);
    let actions = [("notification.retry", id), ("notification.dismiss", other)];
    let actions: Vec<_> = actions
        .map(|(action, object)| (boss.id.clone(), action.to_owned(), object))
        .to_vec();
    assert_eq!(desk.record().await, actions);
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn an_admin_sees_the_mails_of_their_events_and_no_others() {
    let desk = Desk::start().await;
    let harness = &desk.harness;
    let (owner, stranger, boss) = (
        desk.caller("admin"),
        desk.caller("admin"),
        desk.caller("superadmin"),
    );
    let receipt = harness.envelope();
    let code = harness.message(Payload::LookupCodeRequested(LookupCodeRequested {
        id: "00000000-0000-7000-8000-0000000000aa".to_owned(),
        email: "guest@example.com".to_owned(),
        locale: "en".to_owned(),
        sealed_code: harness
            .config
            .link_seal_key
            .seal(&harness.sources, "lookup-code", b"123456"),
        expires_at: Some(proto::timestamp(
            harness.sources.now() + time::Duration::HOUR,
        )),
    }));
    harness.accept(&[receipt.clone(), code.clone()]).await;
    let receipt_id = harness.reaches(&receipt, "sent", 1).await.id.to_string();
    let code_id = harness.reaches(&code, "sent", 1).await.id.to_string();
    let event = "00000000-0000-7000-8000-000000000005";
    desk.grants.grant(&owner.id, event);

    let of_event = |event_id: &str| ListNotificationsRequest {
        event_id: event_id.to_owned(),
        ..Default::default()
    };
    for asked in [of_event(""), of_event(event)] {
        let seen = desk.list(&owner, asked).await;
        assert_eq!(
            seen.iter().map(|n| &n.id).collect::<Vec<_>>(),
            [&receipt_id]
        );
    }
    assert_eq!(desk.list(&boss, of_event("")).await.len(), 2);
    assert_eq!(desk.list(&stranger, of_event("")).await, []);
    let request = stranger.ask(of_event(event));
    let foreign = desk.client().list_notifications(request).await.unwrap_err();
    assert_eq!(Failure::from_status(&foreign).reason, ErrorReason::NotFound);

    // Absent, foreign and of no event are one answer.
    let absent = EventId::new(&harness.sources).to_string();
    for (caller, id) in [
        (&stranger, &receipt_id),
        (&owner, &code_id),
        (&boss, &absent),
    ] {
        let answers = [
            desk.get(caller, id).await.unwrap_err(),
            desk.retry(caller, id).await.unwrap_err(),
            desk.resend(caller, id, &keys::idempotency_key())
                .await
                .unwrap_err(),
            desk.dismiss(caller, id, "x").await.unwrap_err(),
        ];
        for answer in answers {
            assert_eq!(answer.reason, ErrorReason::NotFound);
            assert_eq!(answer.detail, "There is no such notification.");
        }
    }
    assert_eq!(desk.get(&owner, &receipt_id).await.unwrap().id, receipt_id);
    assert!(desk.record().await.is_empty());
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn the_list_is_narrowed_and_paged() {
    let desk = Desk::start().await;
    let (harness, boss) = (&desk.harness, desk.caller("superadmin"));
    let mut envelopes = Vec::new();
    for n in 0..5 {
        let mut paid = harness.paid();
        paid.email = format!("Guest{n}@{}.example", if n < 2 { "one" } else { "two" });
        envelopes.push(harness.envelope_of(paid));
    }
    harness.accept(&envelopes).await;
    for envelope in &envelopes {
        harness.reaches(envelope, "sent", 1).await;
    }
    let count = async |asked| desk.list(&boss, asked).await.len();
    let asked = ListNotificationsRequest::default;
    let recipient = |recipient: &str| ListNotificationsRequest {
        recipient: recipient.to_owned(),
        ..asked()
    };
    assert_eq!(count(asked()).await, 5);
    assert_eq!(count(recipient("@ONE.example")).await, 2);
    assert_eq!(count(recipient("guest3@two.example")).await, 1);
    let kind = |kind: &str| ListNotificationsRequest {
        kind: kind.to_owned(),
        ..asked()
    };
    assert_eq!(
        (count(kind("receipt")).await, count(kind("reminder")).await),
        (5, 0)
    );
    for (state, found) in [(NotificationState::Sent, 5), (NotificationState::Failed, 0)] {
        let state = state.into();
        assert_eq!(
            count(ListNotificationsRequest { state, ..asked() }).await,
            found
        );
    }

    for (field, asked) in [
        ("kind", kind("nothing")),
        (
            "state",
            ListNotificationsRequest {
                state: 99,
                ..asked()
            },
        ),
        (
            "event_id",
            ListNotificationsRequest {
                event_id: "x".to_owned(),
                ..asked()
            },
        ),
    ] {
        let refused = desk
            .client()
            .list_notifications(boss.ask(asked))
            .await
            .unwrap_err();
        assert_eq!(Failure::from_status(&refused).fields[0].field, field);
    }
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn the_list_has_pages() {
    let desk = Desk::start().await;
    let (harness, boss) = (&desk.harness, desk.caller("superadmin"));
    let envelopes: Vec<_> = (0..5).map(|_| harness.envelope()).collect();
    harness.accept(&envelopes).await;
    for envelope in &envelopes {
        harness.reaches(envelope, "sent", 1).await;
    }
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListNotificationsRequest {
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = desk.client().list_notifications(boss.ask(request)).await;
        let page = page.unwrap().into_inner();
        seen.extend(page.notifications.into_iter().map(|n| n.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        (seen.len(), seen.iter().collect::<HashSet<_>>().len()),
        (5, 5)
    );
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_mail_is_sent_once_more_as_a_mail_of_its_own() {
    let desk = Desk::start().await;
    let (harness, boss) = (&desk.harness, desk.caller("superadmin"));
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let original = harness.reaches(&envelope, "sent", 1).await.id.to_string();

    let bad = desk.resend(&boss, &original, "short").await.unwrap_err();
    assert_eq!(bad.reason, ErrorReason::IdempotencyKeyInvalid);
    let key = keys::idempotency_key();
    let first = desk.resend(&boss, &original, &key).await.unwrap();
    let same = desk.resend(&boss, &original, &key).await.unwrap();
    assert_eq!((&first.id, first.copy), (&same.id, 1));
    let second = desk
        .resend(&boss, &original, &keys::idempotency_key())
        .await
        .unwrap();
    assert_eq!((second.copy, second.revision), (2, 0));

    let mails = harness.sink.wait_for(3, LIMIT).await;
    let ids: HashSet<_> = mails
        .iter()
        .map(|mail| {
            mail.data
                .lines()
                .find(|line| line.starts_with("Message-ID:"))
                .unwrap()
        })
        .collect();
    assert_eq!((mails.len(), ids.len()), (3, 3));
    for id in [&first.id, &second.id] {
        eventually("the copy is sent", LIMIT, async || {
            let copy = desk.get(&boss, id).await.unwrap();
            (copy.state() == NotificationState::Sent).then_some(())
        })
        .await;
    }
    // What payment-svc announces as the next revision is none of these.
    let Some(Payload::OrderPaid(mut paid)) = envelope.payload.clone() else {
        unreachable!()
    };
    paid.revision = 1;
    harness.accept(&[harness.envelope_of(paid)]).await;
    harness.sink.wait_for(4, LIMIT).await;

    let (_, failed) = desk.refused().await;
    let not_open = desk
        .resend(&boss, &failed, &keys::idempotency_key())
        .await
        .unwrap_err();
    assert_eq!(not_open.reason, ErrorReason::NotificationNotOpen);
    assert_eq!(desk.record().await.len(), 2, "a repeat is not another deed");
    for change in [
        "UPDATE audit_log SET action = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        let refused = sqlx::query(change).execute(&desk.harness.rows).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn two_admins_at_once_make_two_copies() {
    let desk = Desk::start().await;
    let (harness, boss) = (&desk.harness, desk.caller("superadmin"));
    let envelope = harness.envelope();
    harness.accept(from_ref(&envelope)).await;
    let original = harness.reaches(&envelope, "sent", 1).await.id.to_string();
    let keys: Vec<String> = (0..8).map(|_| keys::idempotency_key()).collect();
    let resends = keys.iter().map(async |key| {
        let resent = desk.resend(&boss, &original, key).await;
        resent.unwrap().copy
    });
    let copies = futures::future::join_all(resends).await;
    let copies: HashSet<u32> = copies.into_iter().collect();
    assert_eq!(copies, (1..=8).collect());
    harness.sink.wait_for(9, LIMIT).await;
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_nobody_understood_is_shown_and_put_away() {
    let desk = Desk::start().await;
    let (boss, admin) = (desk.caller("superadmin"), desk.caller("admin"));
    let mut envelope = desk.harness.envelope();
    if let Some(Payload::OrderPaid(paid)) = &mut envelope.payload {
        paid.email = "nobody".to_owned();
    }
    let list = async |caller: &Caller| {
        let request = caller.ask(ListPoisonMessagesRequest::default());
        desk.client().list_poison_messages(request).await
    };
    // Its trace is left as well as may be.
    let listed = eventually("its trace is there", LIMIT, async || {
        desk.harness.accept(from_ref(&envelope)).await;
        let listed = list(&boss).await.ok()?.into_inner().messages;
        (!listed.is_empty()).then_some(listed)
    })
    .await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, envelope.message_id);
    assert!(listed[0].reason.contains("email"), "{}", listed[0].reason);
    assert_eq!(
        list(&admin).await.unwrap_err().code(),
        tonic::Code::PermissionDenied
    );

    for _ in 0..2 {
        let request = DismissPoisonMessageRequest {
            id: envelope.message_id.clone(),
            note: "an old version".to_owned(),
        };
        let dismissed = desk
            .client()
            .dismiss_poison_message(boss.ask(request))
            .await;
        dismissed.unwrap();
    }
    assert_eq!(list(&boss).await.unwrap().into_inner().messages, []);
    assert_eq!(desk.record().await.len(), 1);
    desk.harness.accept(&[envelope]).await;
    assert_eq!(
        list(&boss).await.unwrap().into_inner().messages.len(),
        1,
        "it came again"
    );
    desk.harness.check_invariants(0).await;
}

#[tokio::test]
async fn the_record_is_read_by_those_who_may_see_the_mail() {
    let desk = Desk::start().await;
    let (_, failed) = desk.refused().await;
    let (owner, stranger, boss) = (
        desk.caller("admin"),
        desk.caller("admin"),
        desk.caller("superadmin"),
    );
    desk.grants
        .grant(&owner.id, "00000000-0000-7000-8000-000000000005");
    let call = kit::CallContext {
        client: Some([203, 0, 113, 7].into()),
        ..kit::CallContext::default()
    };
    let dismissed = desk.dismiss(&owner, &failed, "Rang them up.");
    kit::with_context(call, dismissed).await.unwrap();
    desk.retry(&boss, &failed).await.unwrap();
    let read = async |caller: &Caller| {
        let mut record = AuditServiceClient::new(desk.harness.channel(Peer::Gateway));
        let listed = record
            .list_audit(caller.ask(ListAuditRequest::default()))
            .await;
        listed.unwrap().into_inner().entries
    };
    assert!(read(&stranger).await.is_empty());
    assert_eq!(read(&owner).await, read(&boss).await);
    let entries = read(&boss).await;
    assert_eq!(
        entries.iter().map(|one| one.seq).collect::<Vec<_>>(),
        [2, 1]
    );
    let first = &entries[1];
    assert_eq!(
        (first.action.as_str(), &first.object),
        ("notification.dismiss", &failed)
    );
    assert_eq!(
        (first.reason.as_str(), first.address.as_str()),
        ("Rang them up.", "203.0.113.7")
    );
    assert_eq!(
        (&first.actor, first.object_kind.as_str()),
        (&owner.id, "notification")
    );
    assert!(!first.before.is_empty());
}

#[tokio::test]
async fn what_a_mail_says_is_read_by_owners_without_its_secrets() {
    let desk = Desk::start().await;
    let harness = &desk.harness;
    let (owner, stranger) = (desk.caller("admin"), desk.caller("admin"));
    let boss = desk.caller("superadmin");
    let event = "00000000-0000-7000-8000-000000000005";
    desk.grants.grant(&owner.id, event);
    let receipt = harness.envelope();
    let Some(Payload::OrderPaid(paid)) = &receipt.payload else {
        panic!("no receipt");
    };
    let code = &paid.tickets[0].code;
    harness.accept(from_ref(&receipt)).await;
    let id = harness.reaches(&receipt, "sent", 1).await.id.to_string();
    let sent = harness.sink.messages().pop().unwrap().data;
    let (plain, html) = texts(&sent);
    let in_html = |secret: &str| secret.replace('/', "&#x2f;");
    assert!(plain.contains(LINK) && plain.contains(code.as_str()));
    assert!(html.contains(&in_html(LINK)));

    for caller in [&owner, &boss] {
        let [subject, html, text] = desk.read(caller, &id).await.unwrap();
        assert!(sent.contains(&subject), "{subject}");
        for part in [&html, &text] {
            assert!(part.contains("•••") && part.contains("Nightjar Live"));
            for secret in [LINK, code, &in_html(LINK), &in_html(code)] {
                assert!(!part.contains(secret), "{secret} in {part}");
            }
        }
        // Nothing else differs from what was sent.
        let mut expected = plain.replace("\r\n", "\n").replace(LINK, "•••");
        for ticket in &paid.tickets {
            expected = expected.replace(&ticket.code, "•••");
        }
        assert_eq!(text.trim_end(), expected.trim_end());
    }
    let foreign = desk.read(&stranger, &id).await.unwrap_err();
    assert_eq!(foreign.reason, ErrorReason::NotFound);

    // In the words that were in force then, however long ago.
    let publish = "INSERT INTO template_versions (kind, language, version, source, note, published_by,
                       published_at)
                   VALUES ('receipt', 'en', 1, E'Subject: Old {{ title }}\nHeadline: H\nButton: B\n\nOld.',
                           '', 'x', now() - interval '400 days'),
                          ('receipt', 'en', 2, NULL, '', 'x', now() - interval '300 days')";
    sqlx::query(publish).execute(&harness.rows).await.unwrap();
    let age = "UPDATE notifications SET created_at = now() - interval '350 days'";
    sqlx::query(age).execute(&harness.rows).await.unwrap();
    let [subject, _, text] = desk.read(&owner, &id).await.unwrap();
    assert_eq!(subject, "Old Nightjar Live");
    assert!(text.contains("Old."), "{text}");

    let erase = "UPDATE notifications SET status = 'erased', recipient = concat('erased:', id), content = ''";
    sqlx::query(erase).execute(&harness.rows).await.unwrap();
    let gone = desk.read(&owner, &id).await.unwrap_err();
    assert_eq!(gone.reason, ErrorReason::NotFound);
    assert_eq!(gone.detail, "There is no such mail.");
    desk.harness.check_invariants(0).await;
}
