//! The keys of ticket codes, what scanners read, and what a code is worth, over REST.

use proto::ticket::{self, TicketKeyState as State, Verdict};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use time::macros::datetime;

use crate::{
    facts::{EVENT, ORDER, STANDING},
    harness::{Edge, edge, refusal},
};

const CODE: &str = "BX2 THE ONE";

pub fn door_list() -> ticket::ReadDoorListResponse {
    let key = |number: u8, revoked| ticket::DoorKey {
        number: number.into(),
        public_key: vec![number; 32],
        revoked,
    };
    let dead = |byte: u8, verdict: Verdict| ticket::DeadCode {
        digest: vec![byte; 8],
        verdict: verdict.into(),
    };
    ticket::ReadDoorListResponse {
        keys: vec![key(1, true), key(2, false)],
        dead_codes: vec![dead(0x0f, Verdict::Void), dead(0xa0, Verdict::Revoked)],
        next_seq: 7,
        more: true,
    }
}

pub fn ticket_keys() -> Vec<ticket::TicketKey> {
    let at = |time| Some(proto::timestamp(time));
    vec![
        ticket::TicketKey {
            number: 1,
            public_key: vec![1; 32],
            state: State::Revoked.into(),
            created_at: at(datetime!(2027-06-01 12:00 UTC)),
            retired_at: at(datetime!(2027-06-02 12:00 UTC)),
            revoked_at: at(datetime!(2027-06-03 12:00 UTC)),
        },
        ticket::TicketKey {
            number: 2,
            public_key: vec![2; 32],
            state: State::Active.into(),
            created_at: at(datetime!(2027-06-02 12:00 UTC)),
            ..Default::default()
        },
    ]
}

/// One code is good.
pub fn verification(code: &str) -> ticket::VerifyTicketResponse {
    if code != CODE {
        return ticket::VerifyTicketResponse {
            verdict: Verdict::Unknown.into(),
            ticket: None,
        };
    }
    ticket::VerifyTicketResponse {
        verdict: Verdict::Ok.into(),
        ticket: Some(ticket::VerifiedTicket {
            id: STANDING.to_owned(),
            order_id: ORDER.to_owned(),
            category: "Standing".to_owned(),
            generation: 2,
            holder_name: "Ada".to_owned(),
        }),
    }
}

async fn answer(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

fn post(edge: &Edge, what: &str, body: &Value) -> RequestBuilder {
    let path = format!("/api/v1/admin/events/{EVENT}/{what}");
    edge.request(Method::POST, &path).json(body)
}

#[tokio::test]
async fn scanners_read_keys_and_dead_codes_without_a_word_of_proof() {
    edge(async |edge| {
        let path = format!("/api/v1/events/{EVENT}/door-list");
        let list = answer(edge.get(&path)).await;
        assert_eq!(
            list,
            json!({
                "event_id": EVENT,
                "keys": [
                    {"number": 1, "public_key": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE", "revoked": true},
                    {"number": 2, "public_key": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI", "revoked": false},
                ],
                "dead_codes": [
                    {"digest": "0f0f0f0f0f0f0f0f", "verdict": "void"},
                    {"digest": "a0a0a0a0a0a0a0a0", "verdict": "revoked"},
                ],
                "next": 7,
                "more": true,
            })
        );
        answer(edge.get(&format!("{path}?after=7&limit=5000"))).await;
        let asked = edge.stub.last_asked();
        assert!(asked.contains("after_seq: 7, limit: 5000"), "{asked}");

        let times = edge.stub.times_asked();
        for (query, field) in [("after=-1", "after"), ("limit=x", "limit")] {
            let refused = refusal(edge.get(&format!("{path}?{query}"))).await;
            let expected = (422, "INVALID_REQUEST".to_owned(), Some(field.to_owned()));
            assert_eq!(refused, expected);
        }
        let absent = edge.get("/api/v1/events/moonlight-sessions/door-list");
        assert_eq!(refusal(absent).await.0, 404);
        assert_eq!(edge.stub.times_asked(), times);
    })
    .await;
}

#[tokio::test]
async fn admins_list_keys_and_replace_them() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/events/{EVENT}/ticket-keys");
        let listed = answer(edge.get(&path).bearer_auth("good")).await;
        assert_eq!(listed["keys"][0]["state"], "revoked");
        assert_eq!(listed["keys"][0]["revoked_at"], "2027-06-03T12:00:00Z");
        assert_eq!(listed["keys"][1]["number"], 2);
        assert_eq!(listed["keys"][1]["state"], "active");
        assert_eq!(listed["keys"][1]["retired_at"], Value::Null);

        let rotate = |body: Value| post(edge, "ticket-keys/rotate", &body);
        let body = json!({"key_number": 1, "revoke": true});
        let rotated = answer(rotate(body).bearer_auth("good")).await;
        assert_eq!(rotated, listed);
        let asked = edge.stub.last_asked();
        assert!(asked.contains("key_number: 1, revoke: true"), "{asked}");
        answer(rotate(json!({"key_number": 2})).bearer_auth("good")).await;
        assert!(edge.stub.last_asked().contains("revoke: false"));

        let times = edge.stub.times_asked();
        let unauthenticated = (401, "UNAUTHENTICATED".to_owned(), None);
        assert_eq!(refusal(edge.get(&path)).await, unauthenticated);
        let nobody = rotate(json!({"key_number": 1}));
        assert_eq!(refusal(nobody).await, unauthenticated);
        for body in [
            json!({}),
            json!({"key_number": -1}),
            json!({"key_number": "1"}),
        ] {
            let refused = refusal(rotate(body).bearer_auth("good")).await;
            assert_eq!((refused.0, refused.1.as_str()), (422, "INVALID_REQUEST"));
        }
        assert_eq!(edge.stub.times_asked(), times);
    })
    .await;
}

#[tokio::test]
async fn a_code_is_verified_to_the_letter() {
    edge(async |edge| {
        let verify = |code: &str| post(edge, "verify-ticket", &json!({"code": code}));
        let told = answer(verify(CODE).bearer_auth("good")).await;
        assert_eq!(
            told,
            json!({"verdict": "ok", "ticket": {
                "id": STANDING, "order_id": ORDER, "category": "Standing", "generation": 2,
                "holder_name": "Ada",
            }})
        );
        let blank = format!(" {CODE}");
        let told = answer(verify(&blank).bearer_auth("good")).await;
        assert_eq!(told, json!({"verdict": "unknown", "ticket": null}));
        assert_eq!(refusal(verify(CODE)).await.0, 401);
    })
    .await;
}
