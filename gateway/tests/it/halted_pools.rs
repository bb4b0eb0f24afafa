//! Stock whose sale is interrupted, as superadmins see it and let it go on.

use kit::{Code, ErrorReason, Failure};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    facts::{POOL, STANDING},
    harness::{Edge, KEY, edge, refusal},
};

async fn answer(request: RequestBuilder) -> Value {
    let response = request.bearer_auth("good").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

fn resume(edge: &Edge, body: &Value) -> RequestBuilder {
    let path = format!("/api/v1/admin/pools/{POOL}/resume");
    edge.request(Method::POST, &path)
        .bearer_auth("good")
        .json(body)
}

#[tokio::test]
async fn halted_pools_are_listed_with_both_sides() {
    edge(async |edge| {
        let list = answer(edge.get("/api/v1/admin/halted-pools")).await;
        let pool = &list["pools"][0];
        assert_eq!(pool["id"], POOL);
        assert_eq!(pool["categories"], json!(["Standing"]));
        assert_eq!(
            pool["counters"],
            json!({"held": 3, "sold": 90, "blocked": 0})
        );
        assert_eq!(pool["ledger"]["held"], 2);
        assert_eq!(pool["halted_at"], "2027-06-01T17:46:00Z");
        let nobody = edge.get("/api/v1/admin/halted-pools");
        let unauthenticated = (401, "UNAUTHENTICATED".to_owned(), None);
        assert_eq!(refusal(nobody).await, unauthenticated);
    })
    .await;
}

#[tokio::test]
async fn a_pool_is_resumed_by_a_decision() {
    edge(async |edge| {
        let body = json!({"believe": "ledger", "note": "Edited by hand."});
        let resumed = answer(resume(edge, &body)).await;
        assert_eq!(resumed["id"], POOL);
        assert_eq!(resumed["counters"]["held"], 2);
        assert_eq!(resumed["capacity"], Value::Null);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("believe: Ledger, note: \"Edited by hand.\""),
            "{asked}"
        );
        let body = json!({"believe": "counters", "note": "Rows were lost."});
        answer(resume(edge, &body)).await;
        assert!(edge.stub.last_asked().contains("believe: Counters"));

        let times = edge.stub.times_asked();
        for body in [
            json!({"believe": "both", "note": "x"}),
            json!({"believe": {"ledger": null}, "note": "x"}),
        ] {
            let field = (
                422,
                "INVALID_REQUEST".to_owned(),
                Some("believe".to_owned()),
            );
            assert_eq!(refusal(resume(edge, &body)).await, field, "{body}");
        }
        assert_eq!(edge.stub.times_asked(), times);
    })
    .await;
}

#[tokio::test]
async fn an_interrupted_sale_is_a_conflict() {
    edge(async |edge| {
        edge.stub.fail(|| {
            let sentence = "The sale of these tickets is interrupted. Try again later.";
            Failure::refused(Code::FailedPrecondition, ErrorReason::SalesHalted, sentence).into()
        });
        let body = json!({
            "event_id": crate::facts::EVENT,
            "lines": [{"ticket_type_id": STANDING, "quantity": 1}],
        });
        let hold = edge
            .request(Method::POST, "/api/v1/holds")
            .header("idempotency-key", KEY)
            .json(&body);
        assert_eq!(refusal(hold).await, (409, "SALES_HALTED".to_owned(), None));
        edge.stub.work_again();
    })
    .await;
}
