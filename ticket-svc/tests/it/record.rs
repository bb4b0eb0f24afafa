//! Grants of events, one by one, and the record of what admins did with them.

use std::time::Duration;

use base::{EventId, TicketTypeId, UserId};
use kit::{CallContext, ErrorReason, Failure, TraceId};
use proto::{
    Peer,
    audit::{
        AuditEntry, AuditPosition, ListAuditRequest, audit_service_client::AuditServiceClient,
    },
    common::Grant,
    ticket::{self as api, grant_admin_service_client::GrantAdminServiceClient},
};
use serde_json::Value;
use tonic::Status;

use crate::shop::{Channel, Shop, by, in_days, refused, refused_field, type_request};

const ALL: [Grant; 4] = [Grant::Owner, Grant::Editor, Grant::Viewer, Grant::Door];

struct Office {
    shop: Shop,
    grants: GrantAdminServiceClient<Channel>,
    record: AuditServiceClient<Channel>,
}

impl Office {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let channel = || shop.channel(Peer::Gateway);
        Self {
            grants: GrantAdminServiceClient::new(channel()),
            record: AuditServiceClient::new(channel()),
            shop,
        }
    }

    async fn set(
        &self,
        token: &str,
        (event, user, grant): (EventId, UserId, Grant),
    ) -> Result<api::EventGrant, Status> {
        let request = api::SetEventGrantRequest {
            event_id: event.to_string(),
            user_id: user.to_string(),
            grant: grant.into(),
        };
        let answer = self
            .grants
            .clone()
            .set_event_grant(by(token, request))
            .await?;
        Ok(answer.into_inner().grant.unwrap())
    }

    async fn remove(&self, token: &str, event: EventId, user: UserId) -> Result<(), Status> {
        let request = api::RemoveEventGrantRequest {
            event_id: event.to_string(),
            user_id: user.to_string(),
        };
        self.grants
            .clone()
            .remove_event_grant(by(token, request))
            .await?;
        Ok(())
    }

    async fn listed(&self, token: &str, event: EventId) -> Result<Vec<(String, Grant)>, Status> {
        let event_id = event.to_string();
        let request = by(token, api::ListEventGrantsRequest { event_id });
        let answer = self.grants.clone().list_event_grants(request).await?;
        let grants = answer.into_inner().grants;
        Ok(grants
            .iter()
            .map(|one| (one.user_id.clone(), one.grant()))
            .collect())
    }

    async fn record(&self, token: &str, wish: ListAuditRequest) -> Vec<AuditEntry> {
        let answer = self.record.clone().list_audit(by(token, wish)).await;
        answer.unwrap().into_inner().entries
    }

    fn owner(&self) -> String {
        token(self.shop.owner)
    }

    fn admin(&self) -> UserId {
        UserId::new(&self.shop.sources)
    }
}

fn token(user: UserId) -> String {
    format!("admin:{user}")
}

fn reason<T>(answer: Result<T, Status>) -> Option<ErrorReason> {
    let status = answer.err()?;
    Some(Failure::from_status(&status).reason)
}

impl Office {
    /// How an admin fares who looks at stock, edits a ticket type, judges a code and looks at grants.
    async fn tries(
        &self,
        mine: &str,
        (event, kind): (EventId, TicketTypeId),
    ) -> [Option<ErrorReason>; 4] {
        let event_id = event.to_string();
        let pools = api::ListPoolsRequest {
            event_id: event_id.clone(),
        };
        let edit = api::UpdateTicketTypeRequest {
            ticket_type_id: kind.to_string(),
            category: Some("Seated".to_owned()),
            ..Default::default()
        };
        let code = "HC1".to_owned();
        let shown = api::VerifyTicketRequest { event_id, code };
        let mut admin = self.shop.admin.clone();
        let mut codes = self.shop.codes.clone();
        [
            reason(admin.list_pools(by(mine, pools)).await),
            reason(admin.update_ticket_type(by(mine, edit)).await),
            reason(codes.verify_ticket(by(mine, shown)).await),
            reason(self.listed(mine, event).await),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_opens_what_its_word_says_and_nothing_more() {
    let office = Office::open().await;
    let sale = office.shop.on_sale(10).await;
    let (event, _) = sale;
    let (owner, admin) = (office.owner(), office.admin());
    let mine = token(admin);
    let read = async || {
        let event_id = event.to_string();
        let request = by(&mine, api::GetOwnEventRequest { event_id });
        reason(office.shop.admin.clone().get_own_event(request).await)
    };
    // Nothing: the event does not exist for them.
    assert_eq!(read().await, Some(ErrorReason::NotFound));
    assert_eq!(
        office.tries(&mine, sale).await,
        [Some(ErrorReason::NotFound); 4]
    );
    let no = Some(ErrorReason::PermissionDenied);
    for (grant, expected) in [
        (Grant::Owner, [None; 4]),
        (Grant::Editor, [None, None, None, no]),
        (Grant::Viewer, [None, no, no, no]),
        (Grant::Door, [no, no, None, no]),
    ] {
        office.set(&owner, (event, admin, grant)).await.unwrap();
        assert_eq!(read().await, None);
        assert_eq!(office.tries(&mine, sale).await, expected, "{grant:?}");
    }
    office.remove(&owner, event, admin).await.unwrap();
    office.remove(&owner, event, admin).await.unwrap();
    assert_eq!(read().await, Some(ErrorReason::NotFound));
    office.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_keeps_an_owner() {
    let office = Office::open().await;
    let event = office.shop.event().await;
    let (owner, first, second) = (office.owner(), office.shop.owner, office.admin());
    refused_field(
        office.set(&owner, (event, first, Grant::Door)).await,
        "user_id",
    );
    refused_field(office.remove(&owner, event, first).await, "user_id");
    refused_field(
        office
            .set(&owner, (event, second, Grant::Unspecified))
            .await,
        "grant",
    );

    let given = office
        .set(&owner, (event, second, Grant::Owner))
        .await
        .unwrap();
    assert_eq!(given.granted_by, first.to_string());
    office
        .set(&owner, (event, first, Grant::Viewer))
        .await
        .unwrap();
    refused(
        office.set(&owner, (event, first, Grant::Owner)).await,
        ErrorReason::PermissionDenied,
    );
    let both = [
        (first.to_string(), Grant::Viewer),
        (second.to_string(), Grant::Owner),
    ];
    let mut listed = office.listed(&token(second), event).await.unwrap();
    listed.sort_by_key(|(id, _)| *id != first.to_string());
    assert_eq!(listed, both);
    // A superadmin needs no grant.
    let root = format!("superadmin:{}", office.admin());
    office
        .set(&root, (event, first, Grant::Owner))
        .await
        .unwrap();
    office.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_services_hear_what_was_granted() {
    let office = Office::open().await;
    let event = office.shop.event().await;
    let (owner, admin) = (office.owner(), office.admin());
    for grant in ALL {
        office.set(&owner, (event, admin, grant)).await.unwrap();
        let ask = api::CheckGrantRequest {
            user_id: admin.to_string(),
            event_id: event.to_string(),
        };
        let heard = office
            .shop
            .grants
            .clone()
            .check_grant(ask)
            .await
            .unwrap()
            .into_inner();
        let edits = matches!(grant, Grant::Owner | Grant::Editor);
        assert_eq!((heard.grant(), heard.granted), (grant, edits));
        for (wanted, is_in) in [
            (vec![], edits),
            (vec![grant.into()], true),
            (
                ALL.iter()
                    .filter(|one| **one != grant)
                    .map(|one| i32::from(*one))
                    .collect(),
                false,
            ),
        ] {
            let ask = api::ListGrantsRequest {
                user_id: admin.to_string(),
                grants: wanted,
            };
            let listed = office.shop.grants.clone().list_grants(ask).await.unwrap();
            assert_eq!(listed.into_inner().event_ids.len(), usize::from(is_in));
        }
    }
    office.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_says_who_what_why_and_from_where() {
    let office = Office::open().await;
    let event = office.shop.event().await;
    let trace = TraceId::new([9; 16]);
    let call = CallContext {
        trace: Some(trace.clone()),
        client: Some([203, 0, 113, 7].into()),
        ..CallContext::default()
    };
    let postpone = api::PostponeEventRequest {
        event_id: event.to_string(),
        date_time: Some(in_days(99)),
        reason: "The singer is ill.".to_owned(),
        ..Default::default()
    };
    let request = by(&office.owner(), postpone);
    let mut admin = office.shop.admin.clone();
    kit::with_context(call, admin.postpone_event(request))
        .await
        .unwrap();

    let root = format!("superadmin:{}", office.admin());
    let of_event = ListAuditRequest {
        object: event.to_string(),
        ..ListAuditRequest::default()
    };
    let entries = office.record(&root, of_event).await;
    assert_eq!(
        entries.iter().map(|one| one.seq).collect::<Vec<_>>(),
        [2, 1]
    );
    let entry = &entries[0];
    assert_eq!(
        (entry.action.as_str(), entry.object_kind.as_str()),
        ("event.postponed", "event")
    );
    assert_eq!(
        (&entry.actor, &entry.event_id),
        (&office.shop.owner.to_string(), &event.to_string())
    );
    assert_eq!(
        (entry.reason.as_str(), entry.address.as_str()),
        ("The singer is ill.", "203.0.113.7")
    );
    assert_eq!(entry.trace_id, trace.to_string());
    let (before, after): (Value, Value) = (
        serde_json::from_str(&entry.before).unwrap(),
        serde_json::from_str(&entry.after).unwrap(),
    );
    assert_ne!(before["date_time"], after["date_time"]);
    assert_eq!(before["title"], after["title"]);
    office.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_read_the_record_of_their_events_and_superadmins_all() {
    let office = Office::open().await;
    let (seen, hidden) = (office.shop.event().await, office.shop.event().await);
    let (owner, viewer, door) = (office.owner(), office.admin(), office.admin());
    office
        .set(&owner, (seen, viewer, Grant::Viewer))
        .await
        .unwrap();
    office.set(&owner, (seen, door, Grant::Door)).await.unwrap();
    let events = |entries: Vec<AuditEntry>| {
        let mut events: Vec<String> = entries.into_iter().map(|one| one.event_id).collect();
        events.sort_unstable();
        events.dedup();
        events
    };
    let all = ListAuditRequest::default();
    assert_eq!(
        events(office.record(&token(viewer), all.clone()).await),
        [seen.to_string()]
    );
    assert!(office.record(&token(door), all.clone()).await.is_empty());
    assert!(
        office
            .record(&token(office.admin()), all.clone())
            .await
            .is_empty()
    );
    let root = format!("superadmin:{}", office.admin());
    let mut both = [seen.to_string(), hidden.to_string()];
    both.sort_unstable();
    assert_eq!(events(office.record(&root, all.clone()).await), both);
    assert_eq!(events(office.record(&owner, all.clone()).await), both);
    // A foreign event is as empty as an absent one.
    let foreign = ListAuditRequest {
        event_id: hidden.to_string(),
        ..all
    };
    assert!(office.record(&token(viewer), foreign).await.is_empty());
    office.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_searched_and_paged() {
    let office = Office::open().await;
    let event = office.shop.event().await;
    let (owner, root) = (office.owner(), format!("superadmin:{}", office.admin()));
    for _ in 0..4 {
        let made = office.shop.create_type(type_request(event, Some(1))).await;
        made.unwrap();
    }
    let admin = office.admin();
    office
        .set(&root, (event, admin, Grant::Door))
        .await
        .unwrap();
    let find = async |wish: ListAuditRequest| {
        let entries = office.record(&owner, wish).await;
        entries
            .into_iter()
            .map(|one| one.action)
            .collect::<Vec<_>>()
    };
    let wish = || ListAuditRequest {
        event_id: event.to_string(),
        ..Default::default()
    };
    assert_eq!(find(wish()).await.len(), 6);
    let kinds = ListAuditRequest {
        action: "ticket_type".to_owned(),
        ..wish()
    };
    assert_eq!(find(kinds).await, vec!["ticket_type.created"; 4]);
    let one = ListAuditRequest {
        action: "grant.set".to_owned(),
        ..wish()
    };
    assert_eq!(find(one).await, ["grant.set"]);
    let mine = ListAuditRequest {
        actor: office.shop.owner.to_string(),
        ..wish()
    };
    assert_eq!(find(mine).await.len(), 5);
    let future = ListAuditRequest {
        from: Some(in_days(1)),
        ..wish()
    };
    assert!(find(future).await.is_empty());
    let past = ListAuditRequest {
        to: Some(in_days(1)),
        ..wish()
    };
    assert_eq!(find(past).await.len(), 6);
    office.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_paged() {
    let office = Office::open().await;
    let event = office.shop.event().await;
    let owner = office.owner();
    for _ in 0..5 {
        let made = office.shop.create_type(type_request(event, Some(1))).await;
        made.unwrap();
    }
    let wish = || ListAuditRequest {
        event_id: event.to_string(),
        ..Default::default()
    };
    let page = ListAuditRequest {
        page_size: 4,
        ..wish()
    };
    let first = office.record(&owner, page.clone()).await;
    assert_eq!(
        first.len(),
        5,
        "one more than asked for says that there is more"
    );
    let last = &first[3];
    let after = AuditPosition {
        at: last.at,
        id: last.id.clone(),
    };
    let rest = office
        .record(
            &owner,
            ListAuditRequest {
                after: Some(after),
                ..page
            },
        )
        .await;
    assert_eq!(rest.len(), 2);
    assert_eq!(rest[0].id, first[4].id);
    office.shop.close().await;
}

/// Fifty who change one event at once, some of whom are refused: no number is missing and none comes twice.
#[tokio::test(flavor = "multi_thread")]
async fn racing_changes_leave_a_record_without_a_gap() {
    let office = Office::open().await;
    let event = office.shop.event().await;
    let owner = office.owner();
    let changes = (0..50).map(|change| {
        let request = api::UpdateEventRequest {
            event_id: event.to_string(),
            title: Some(format!("Title {change}")),
            // Every fifth names a version that never is, so its transaction is undone.
            expected_version: if change % 5 == 0 { 9_999 } else { 0 },
            ..Default::default()
        };
        let mut admin = office.shop.admin.clone();
        let owner = owner.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let answer = admin.update_event(by(&owner, request.clone())).await;
                match answer {
                    Ok(_) => return true,
                    Err(status) if status.code() == tonic::Code::Aborted => return false,
                    // Sleeps: too many came at once, and it is refused until others are done.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
            panic!("never came to its turn");
        })
    });
    let changes: Vec<_> = changes.collect();
    let mut done = 0;
    for change in changes {
        done += i64::from(change.await.unwrap());
    }
    assert_eq!(done, 40);
    let (rows, last, head): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), max(seq), (SELECT last_seq FROM audit_heads WHERE object = $1::text)
         FROM audit_log WHERE object_id = $1",
    )
    .bind(event.uuid())
    .fetch_one(&office.shop.db)
    .await
    .unwrap();
    assert_eq!((rows, last, head), (41, 41, 41));
    office.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_cannot_be_changed() {
    let office = Office::open().await;
    office.shop.event().await;
    for change in [
        "UPDATE audit_log SET action = 'x'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        let refused = sqlx::query(change)
            .execute(&office.shop.db)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    office.shop.close().await;
}
