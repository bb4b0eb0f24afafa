//! Who may do what with a concert, and the record of who did it.

use kit::Failure;
use proto::{audit, common, ticket};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tonic::{Request, async_trait};

use crate::{
    facts::{EVENT, NO_ACCOUNT},
    harness::{Edge, edge, edge_with, refusal},
    stub::{Reply, Stub},
};

const ADMIN: &str = "0190b6a2-7c1e-7000-8000-00000000000b";

#[async_trait]
impl audit::audit_service_server::AuditService for Stub {
    async fn list_audit(
        &self,
        request: Request<audit::ListAuditRequest>,
    ) -> Reply<audit::ListAuditResponse> {
        let part = self.record.lock().unwrap().pop_front().unwrap_or_default();
        self.answer(request, |_| audit::ListAuditResponse { entries: part })
            .await
    }
}

fn grant(grant: i32) -> ticket::EventGrant {
    ticket::EventGrant {
        user_id: ADMIN.to_owned(),
        grant,
        granted_at: Some(proto::timestamp(at(0))),
        granted_by: String::new(),
    }
}

#[async_trait]
impl ticket::grant_admin_service_server::GrantAdminService for Stub {
    async fn list_event_grants(
        &self,
        request: Request<ticket::ListEventGrantsRequest>,
    ) -> Reply<ticket::ListEventGrantsResponse> {
        self.answer(request, |_| ticket::ListEventGrantsResponse {
            grants: vec![grant(common::Grant::Door.into())],
        })
        .await
    }

    async fn set_event_grant(
        &self,
        request: Request<ticket::SetEventGrantRequest>,
    ) -> Reply<ticket::SetEventGrantResponse> {
        self.answer(request, |asked| ticket::SetEventGrantResponse {
            grant: Some(grant(asked.grant)),
        })
        .await
    }

    async fn remove_event_grant(
        &self,
        request: Request<ticket::RemoveEventGrantRequest>,
    ) -> Reply<ticket::RemoveEventGrantResponse> {
        self.answer(request, |_| ticket::RemoveEventGrantResponse {})
            .await
    }
}

fn at(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
        + time::Duration::microseconds(micros)
}

/// What one service has on record, at these microseconds.
fn part(service: &str, times: &[i64]) -> Vec<audit::AuditEntry> {
    let entry = |micros: &i64| audit::AuditEntry {
        id: format!("{service}-{micros}"),
        at: Some(proto::timestamp(at(*micros))),
        action: format!("{service}.changed"),
        object: EVENT.to_owned(),
        seq: 1,
        after: "{\"title\":\"New\"}".to_owned(),
        ..audit::AuditEntry::default()
    };
    times.iter().map(entry).collect()
}

async fn answer(request: RequestBuilder) -> Value {
    let response = request.bearer_auth("good").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

fn ids(page: &Value) -> Vec<&str> {
    let entries = page["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect()
}

async fn page(edge: &Edge, query: &str, parts: [Vec<audit::AuditEntry>; 4]) -> Value {
    *edge.stub.record.lock().unwrap() = parts.into();
    answer(edge.get(&format!("/api/v1/admin/audit?{query}"))).await
}

#[tokio::test]
async fn the_parts_of_the_record_are_one_list() {
    edge(async |edge| {
        let parts = [
            part("user", &[5, 1]),
            part("ticket", &[4]),
            part("payment", &[5, 3]),
            Vec::new(),
        ];
        let first = page(edge, "page_size=3", parts).await;
        // Ties are broken by the id, the same on every page.
        assert_eq!(ids(&first), ["user-5", "payment-5", "ticket-4"]);
        assert_eq!(first["entries"][0]["after"]["title"], "New");
        assert_eq!(first["entries"][0]["before"], Value::Null);
        assert_eq!(first["entries"][0]["actor"], Value::Null);
        let token = first["next_page_token"].as_str().unwrap();
        assert_eq!(token, "1800000000000004.ticket-4");

        let rest = [
            part("user", &[1]),
            Vec::new(),
            part("payment", &[3]),
            Vec::new(),
        ];
        let last = page(
            edge,
            &format!("page_size=3&page_token={token}&actor={ADMIN}"),
            rest,
        )
        .await;
        assert_eq!(ids(&last), ["payment-3", "user-1"]);
        assert_eq!(last["next_page_token"], "");
        let asked = edge.stub.last_asked();
        for what in ["id: \"ticket-4\"", "nanos: 4000", ADMIN, "page_size: 3"] {
            assert!(asked.contains(what), "{asked}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_with_a_part_missing_is_none() {
    edge(async |edge| {
        edge.stub
            .fail(|| kit::Failure::unavailable("away", std::time::Duration::from_secs(1)).into());
        let list = edge.get("/api/v1/admin/audit").bearer_auth("good");
        assert_eq!(refusal(list).await, (503, "UNAVAILABLE".to_owned(), None));
        edge.stub.work_again();
        let nobody = edge.get("/api/v1/admin/audit");
        assert_eq!(
            refusal(nobody).await,
            (401, "UNAUTHENTICATED".to_owned(), None)
        );
        for (query, field) in [("page_token=x", "page_token"), ("from=soon", "from")] {
            let list = edge
                .get(&format!("/api/v1/admin/audit?{query}"))
                .bearer_auth("good");
            let refused = (422, "INVALID_REQUEST".to_owned(), Some(field.to_owned()));
            assert_eq!(refusal(list).await, refused);
        }
    })
    .await;
}

#[tokio::test]
async fn grants_of_a_concert_are_listed_given_and_taken() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/events/{EVENT}/grants");
        let list = answer(edge.get(&path)).await;
        let door = json!({"user_id": ADMIN, "grant": "door", "granted_at": "2027-01-15T08:00:00Z", "granted_by": null});
        assert_eq!(list["grants"], json!([door]));

        let one = format!("{path}/{ADMIN}");
        let set = |body: Value| edge.request(Method::PUT, &one).bearer_auth("good").json(&body);
        let editor = answer(set(json!({"grant": "editor"}))).await;
        assert_eq!(editor["grant"], "editor");
        assert!(edge.stub.last_asked().contains("grant: Editor"));
        let refused = |field: &str| (422, "INVALID_REQUEST".to_owned(), Some(field.to_owned()));
        assert_eq!(refusal(set(json!({"grant": "king"}))).await, refused("grant"));

        // Only who has nothing yet is looked for among the accounts.
        let asked = |what: &str| edge.stub.times_asked_for(what);
        assert_eq!(asked("CheckAccountRequest"), 0);
        let to = |user: &str| {
            let request = edge.request(Method::PUT, &format!("{path}/{user}"));
            request.bearer_auth("good").json(&json!({"grant": "viewer"}))
        };
        let set_before = asked("SetEventGrantRequest");
        assert_eq!(refusal(to(NO_ACCOUNT)).await, refused("user_id"));
        assert_eq!((asked("CheckAccountRequest"), asked("SetEventGrantRequest")), (1, set_before));
        answer(to(EVENT)).await;
        assert_eq!((asked("CheckAccountRequest"), asked("SetEventGrantRequest")), (2, set_before + 1));
        // And nobody hears of accounts who does not own the concert.
        edge.stub
            .fail_times(1, || Failure::not_found("event").into_status());
        assert_eq!(refusal(to(NO_ACCOUNT)).await.0, 404);
        assert_eq!(asked("CheckAccountRequest"), 2);

        let remove = edge.request(Method::DELETE, &one).bearer_auth("good");
        assert_eq!(remove.send().await.unwrap().status(), 204);
        assert!(edge.stub.last_asked().contains(ADMIN));
        let nobody = edge.request(Method::DELETE, &one);
        assert_eq!(refusal(nobody).await, (401, "UNAUTHENTICATED".to_owned(), None));
    })
    .await;
}

#[tokio::test]
async fn whom_to_tell_about_a_weakness() {
    edge(async |edge| {
        let answer = edge.get("/.well-known/security.txt").send().await.unwrap();
        assert_eq!(answer.status(), 404, "nobody was named");
    })
    .await;
    let contacts = |config: &mut gateway::Config| {
        let contacts = "mailto:security@example.org,https://example.org/report";
        config.security_contacts = contacts.parse().unwrap();
    };
    edge_with(contacts, async |edge| {
        let answer = edge.get("/.well-known/security.txt").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/plain")
        );
        let text = answer.text().await.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..2],
            [
                "Contact: mailto:security@example.org",
                "Contact: https://example.org/report"
            ]
        );
        let until = lines[2].strip_prefix("Expires: ").unwrap();
        let format = &time::format_description::well_known::Rfc3339;
        let until = OffsetDateTime::parse(until, format).unwrap();
        let days = (until - base::Sources::system().now()).whole_days();
        assert!((80..365).contains(&days), "{days}");
        assert!(lines[3].starts_with("Canonical: http"));
    })
    .await;
}
