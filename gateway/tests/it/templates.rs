//! The words of mails, as superadmins read and change them.

use kit::{Code, ErrorReason, Failure};
use proto::notify;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use time::macros::datetime;

use crate::harness::{edge, refusal};

const PATH: &str = "/api/v1/admin/templates/receipt/de";

pub fn list() -> notify::ListTemplatesResponse {
    let template = |kind: &str, version| notify::TemplateSummary {
        kind: kind.to_owned(),
        language: "de".to_owned(),
        version,
        builtin: version == 0,
        published_at: (version > 0).then(|| proto::timestamp(datetime!(2027-06-01 17:46 UTC))),
    };
    notify::ListTemplatesResponse {
        templates: vec![template("receipt", 3), template("reminder", 0)],
    }
}

pub fn template() -> notify::Template {
    let version = |version, source: &str| notify::TemplateVersion {
        version,
        source: source.to_owned(),
        note: "friendlier".to_owned(),
        published_by: "0190b6a2-7c1e-7000-8000-000000000009".to_owned(),
        published_at: Some(proto::timestamp(datetime!(2027-06-01 17:46 UTC))),
    };
    notify::Template {
        kind: "receipt".to_owned(),
        language: "de".to_owned(),
        version: 3,
        source: "Subject: Servus".to_owned(),
        builtin_source: "Subject: Ihre Tickets".to_owned(),
        facts: vec![notify::TemplateFact {
            name: "title".to_owned(),
            example: "Nightjar Live".to_owned(),
        }],
        samples: vec!["plain".to_owned()],
        versions: vec![version(3, "Subject: Servus"), version(2, "")],
    }
}

async fn answer(request: RequestBuilder) -> Value {
    let response = request.bearer_auth("good").send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn templates_are_listed_and_shown() {
    edge(async |edge| {
        let list = answer(edge.get("/api/v1/admin/templates")).await;
        assert_eq!(list["templates"][0]["version"], 3);
        assert_eq!(list["templates"][0]["published_at"], "2027-06-01T17:46:00Z");
        assert_eq!(list["templates"][1]["builtin"], true);
        assert_eq!(list["templates"][1]["published_at"], Value::Null);

        let template = answer(edge.get(PATH)).await;
        assert!(
            edge.stub
                .last_asked()
                .contains("kind: \"receipt\", language: \"de\"")
        );
        assert_eq!(template["source"], "Subject: Servus");
        assert_eq!(
            template["facts"],
            json!([{"name": "title", "example": "Nightjar Live"}])
        );
        assert_eq!(template["versions"][0]["note"], "friendlier");
        assert_eq!(
            template["versions"][1]["source"],
            Value::Null,
            "what came with the program"
        );
    })
    .await;
}

#[tokio::test]
async fn words_are_tried_published_and_taken_back() {
    edge(async |edge| {
        let preview = edge.request(Method::POST, &format!("{PATH}/preview"));
        let wish = json!({"source": "Subject: x", "sample": "long"});
        let shown = answer(preview.json(&wish)).await;
        assert_eq!(shown["subject"], "Ihre Tickets");
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("source: \"Subject: x\", sample: \"long\""),
            "{asked}"
        );

        let new = json!({"source": "Subject: x", "note": "friendlier", "expected_version": 2});
        let published = answer(edge.request(Method::PUT, PATH).json(&new)).await;
        assert_eq!(published["version"], 3);
        assert!(edge.stub.last_asked().contains("expected_version: Some(2)"));

        let back = edge.request(Method::POST, &format!("{PATH}/revert"));
        let back = answer(back.json(&json!({"version": 0, "note": "better"}))).await;
        assert_eq!(back["kind"], "receipt");
        assert!(
            edge.stub
                .last_asked()
                .contains("version: 0, note: \"better\"")
        );
    })
    .await;
}

#[tokio::test]
async fn only_with_a_token_and_a_readable_body() {
    edge(async |edge| {
        let preview = format!("{PATH}/preview");
        let revert = format!("{PATH}/revert");
        for (method, path) in [
            (Method::GET, "/api/v1/admin/templates"),
            (Method::GET, PATH),
            (Method::PUT, PATH),
            (Method::POST, preview.as_str()),
            (Method::POST, revert.as_str()),
        ] {
            let request = edge.request(method.clone(), path).json(&json!({}));
            let unauthenticated = (401, "UNAUTHENTICATED".to_owned(), None);
            assert_eq!(refusal(request).await, unauthenticated, "{method} {path}");
        }
        let odd = edge.request(Method::PUT, PATH).bearer_auth("good");
        let odd = refusal(odd.json(&json!({"source": "x", "note": "y", "html": "z"}))).await;
        assert_eq!((odd.0, odd.1.as_str()), (422, "INVALID_REQUEST"));
        edge.stub.fail(|| {
            let sentence = "Another version is in force. Read it before you change it.";
            Failure::refused(Code::Aborted, ErrorReason::VersionMismatch, sentence).into()
        });
        let stale = edge.request(Method::PUT, PATH).bearer_auth("good");
        let stale = refusal(stale.json(&json!({"source": "x", "note": "y"}))).await;
        assert_eq!(stale, (412, "VERSION_MISMATCH".to_owned(), None));
    })
    .await;
}
