//! The OpenAPI document against the list of routes and against the router.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{KEY, edge, header, problem};

/// What this release serves, as docs/api.md lists it.
const OPERATIONS: &[&str] = &[
    "GET /.well-known/jwks.json",
    "GET /api/v1/admin/events",
    "GET /api/v1/admin/events/{id}",
    "GET /api/v1/admin/events/{id}/ticket-types",
    "GET /api/v1/admin/events/{id}/accounts",
    "GET /api/v1/admin/events/{id}/pools",
    "GET /api/v1/admin/events/{id}/refund",
    "GET /api/v1/admin/events/{id}/ticket-keys",
    "GET /api/v1/admin/halted-pools",
    "GET /api/v1/admin/orders",
    "GET /api/v1/admin/orders.csv",
    "GET /api/v1/admin/orders/{id}",
    "GET /api/v1/admin/refunds",
    "GET /api/v1/auth/me",
    "GET /api/v1/events",
    "GET /api/v1/events/{id}",
    "GET /api/v1/events/{id}/availability",
    "GET /api/v1/events/{id}/availability/stream",
    "GET /api/v1/events/{id}/door-list",
    "GET /api/v1/holds/{id}",
    "GET /api/v1/orders/{id}",
    "GET /api/v1/orders/{id}/calendar.ics",
    "GET /api/v1/orders/{id}/receipt",
    "GET /api/v1/orders/{id}/receipt.pdf",
    "GET /api/v1/orders/{id}/tickets.pdf",
    "GET /api/v1/terms",
    "POST /api/v1/orders/lookup",
    "POST /api/v1/orders/lookup/confirm",
    "GET /api/v1/orders/{id}/stream",
    "GET /api/v1/orders/{id}/mark",
    "GET /api/v1/orders/{id}/all.zip",
    "POST /api/v1/orders/{id}/receipt",
    "PATCH /api/v1/orders/{id}/preferences",
    "POST /api/v1/orders/{id}/unsubscribe",
    "POST /api/v1/orders/{id}/correct-address",
    "POST /api/v1/orders/{id}/tickets/{ticket_id}/transfer",
    "GET /api/v1/transferred-tickets/{id}",
    "GET /api/v1/transferred-tickets/{id}/ticket.pdf",
    "GET /api/v1/transferred-tickets/{id}/calendar.ics",
    "POST /api/v1/admin/orders/{id}/erase-guest",
    "GET /healthz",
    "GET /readyz",
    "DELETE /api/v1/admin/events/{id}",
    "DELETE /api/v1/admin/ticket-types/{id}",
    "DELETE /api/v1/holds/{id}",
    "PATCH /api/v1/admin/events/{id}",
    "PATCH /api/v1/admin/pools/{id}",
    "PATCH /api/v1/admin/ticket-types/{id}",
    "POST /api/v1/admin/events",
    "POST /api/v1/admin/events/{id}/ticket-types",
    "POST /api/v1/admin/events/{id}/archive",
    "POST /api/v1/admin/events/{id}/cancel",
    "POST /api/v1/admin/events/{id}/clone",
    "POST /api/v1/admin/events/{id}/pools",
    "POST /api/v1/admin/events/{id}/postpone",
    "POST /api/v1/admin/events/{id}/ticket-keys/rotate",
    "POST /api/v1/admin/events/{id}/verify-ticket",
    "POST /api/v1/admin/orders/{id}/confirm-payment",
    "POST /api/v1/admin/orders/{id}/refunds",
    "POST /api/v1/admin/orders/{id}/reject-payment",
    "POST /api/v1/admin/orders/{id}/resolve-mismatch",
    "POST /api/v1/admin/orders/{id}/verify-payment",
    "POST /api/v1/admin/orders/{id}/receipt",
    "POST /api/v1/admin/orders/{id}/address",
    "POST /api/v1/admin/pools/{id}/resume",
    "POST /api/v1/admin/refunds/{id}/retry",
    "POST /api/v1/admin/refunds/{id}/settle",
    "POST /api/v1/admin/setup",
    "POST /api/v1/auth/login",
    "POST /api/v1/holds",
    "POST /api/v1/orders",
    "POST /api/v1/orders/{id}/cancel",
    "POST /api/v1/orders/{id}/payments",
    "POST /api/v1/webhooks/{provider}",
    "GET /api/v1/admin/notifications",
    "GET /api/v1/admin/notifications/{id}",
    "GET /api/v1/admin/notifications/{id}/mail",
    "GET /api/v1/admin/services",
    "GET /api/v1/admin/poison-messages",
    "GET /api/v1/orders/{id}/delivery",
    "POST /api/v1/admin/bounces",
    "POST /api/v1/admin/notifications/{id}/dismiss",
    "POST /api/v1/admin/notifications/{id}/resend",
    "POST /api/v1/admin/notifications/{id}/retry",
    "POST /api/v1/admin/poison-messages/{id}/dismiss",
    "GET /api/v1/admin/templates",
    "GET /api/v1/admin/templates/{kind}/{language}",
    "POST /api/v1/admin/templates/{kind}/{language}/preview",
    "POST /api/v1/admin/templates/{kind}/{language}/revert",
    "PUT /api/v1/admin/templates/{kind}/{language}",
    "DELETE /api/v1/auth/session",
    "GET /api/v1/auth/session",
    "POST /api/v1/auth/session",
    "POST /api/v1/auth/session/refresh",
    "GET /.well-known/security.txt",
    "GET /api/v1/admin/audit",
    "GET /api/v1/admin/events/{id}/grants",
    "PUT /api/v1/admin/events/{id}/grants/{user_id}",
    "DELETE /api/v1/admin/events/{id}/image",
    "GET /api/v1/admin/insights",
    "PUT /api/v1/admin/events/{id}/image",
    "DELETE /api/v1/admin/events/{id}/grants/{user_id}",
    "GET /openapi.json",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "GET /api/v1/auth/sessions",
    "DELETE /api/v1/auth/sessions/{id}",
    "POST /api/v1/auth/password",
    "POST /api/v1/auth/register",
    "POST /api/v1/admin/signing-keys/rotate",
    "GET /api/v1/auth/api-keys",
    "POST /api/v1/auth/api-keys",
    "DELETE /api/v1/auth/api-keys/{id}",
    "POST /api/v1/auth/token",
    "POST /api/v1/auth/second-factor",
    "POST /api/v1/auth/second-factor/confirm",
    "POST /api/v1/auth/second-factor/remove",
    "POST /api/v1/admin/users/{id}/reset-second-factor",
    "POST /api/v1/auth/account-requests",
    "POST /api/v1/auth/password-resets",
    "POST /api/v1/auth/password-resets/redeem",
    "GET /api/v1/admin/users",
    "POST /api/v1/admin/users",
    "PATCH /api/v1/admin/users/{id}",
    "GET /api/v1/admin/invitations",
    "POST /api/v1/admin/invitations",
    "DELETE /api/v1/admin/invitations/{id}",
    "POST /api/v1/admin/account-requests/{id}/decide",
];

async fn document(edge: &crate::harness::Edge) -> Value {
    edge.get("/openapi.json")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_page_for_people_has_every_operation_and_shape_and_nothing_from_elsewhere() {
    edge(async |edge| {
        let document: Value = edge
            .get("/openapi.json")
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        // As it is escaped.
        let page = edge.page("/docs").await.replace("&#x2f;", "/");
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                let named = format!("<code>{} {path}</code>", method.to_uppercase());
                assert!(page.contains(&named), "{named}");
            }
        }
        for (name, shape) in document["components"]["schemas"].as_object().unwrap() {
            let (_, section) = page
                .split_once(&format!("<section id=\"{name}\">"))
                .unwrap();
            let (section, _) = section.split_once("</section>").unwrap();
            let parts = shape["allOf"]
                .as_array()
                .into_iter()
                .flatten()
                .chain([shape]);
            for part in parts {
                let fields = part["properties"].as_object().into_iter().flatten();
                for (field, _) in fields {
                    let named = format!("<code>{field}</code>");
                    assert!(section.contains(&named), "{name}: {field}");
                }
            }
        }
        for link in page.split("href=\"#").skip(1) {
            let (to, _) = link.split_once('"').unwrap();
            assert!(page.contains(&format!("id=\"{to}\"")), "{to} leads nowhere");
        }
        for from_elsewhere in ["src=\"http", "href=\"http", "<style"] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        assert!(page.contains("list of <a href=\"#"), "shapes are named");
    })
    .await;
}

#[tokio::test]
async fn who_has_the_document_gets_it_once() {
    edge(async |edge| {
        let first = edge.get("/openapi.json").send().await.unwrap();
        assert_eq!(first.status(), 200);
        let tag = header(&first, "etag");
        assert_eq!(header(&first, "content-type"), "application/json");
        let again = async |tag: &str| {
            let request = edge.get("/openapi.json").header("if-none-match", tag);
            request.send().await.unwrap()
        };
        let same = again(&tag).await;
        assert_eq!(same.status(), 304);
        assert_eq!(header(&same, "etag"), tag);
        assert_eq!(header(&same, "cache-control"), "public, max-age=60");
        assert!(same.text().await.unwrap().is_empty());
        assert_eq!(again("\"another\"").await.status(), 200);
    })
    .await;
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods
                .iter()
                .map(move |(method, about)| (format!("{} {path}", method.to_uppercase()), about))
        })
        .collect()
}

#[tokio::test]
async fn the_document_lists_every_operation() {
    edge(async |edge| {
        let document = document(edge).await;
        assert_eq!(document["openapi"], "3.1.0");
        let listed: BTreeSet<String> = operations(&document)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let expected = OPERATIONS
            .iter()
            .filter(|name| **name != "GET /openapi.json");
        assert_eq!(listed, expected.map(|name| (*name).to_owned()).collect());
    })
    .await;
}

#[tokio::test]
async fn every_operation_is_routed() {
    edge(async |edge| {
        for operation in OPERATIONS {
            let (method, path) = operation.split_once(' ').unwrap();
            let path = path
                .replace("{id}", "moonlight-sessions")
                .replace("{ticket_id}", "nonsense")
                .replace("{user_id}", "nonsense")
                .replace("{provider}", "sandbox");
            let method: Method = method.parse().unwrap();
            let status = edge.request(method, &path).send().await.unwrap().status();
            assert_ne!(status, 405, "{operation}");
            // Nobody is named whom to tell, so that page is not there.
            let absent = *operation == "GET /.well-known/security.txt";
            if !operation.contains('{') && !absent {
                assert_ne!(status, 404, "{operation}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_operation_says_what_it_does_and_how_it_refuses() {
    edge(async |edge| {
        let document = document(edge).await;
        assert!(document["components"]["schemas"]["Problem"].is_object());
        for (name, about) in operations(&document) {
            assert!(
                !about["summary"].as_str().unwrap_or_default().is_empty(),
                "{name}"
            );
            let responses = about["responses"].as_object().unwrap();
            for (status, response) in responses
                .iter()
                .filter(|(status, _)| status.as_str() >= "400")
            {
                let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
                let own_form = name == "GET /readyz";
                assert!(
                    own_form || problem == "#/components/schemas/Problem",
                    "{name} {status}"
                );
            }
            let open = ["GET /healthz", "GET /readyz"].contains(&name.as_str());
            assert!(open || responses.contains_key("503"), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_becomes_of_an_event_names_its_conflicts() {
    edge(async |edge| {
        let document = document(edge).await;
        let operations = operations(&document);
        for (name, reasons) in [
            (
                "PATCH /api/v1/admin/events/{id}",
                &["EVENT_NOT_ACTIVE", "EVENT_ARCHIVED"][..],
            ),
            ("POST /api/v1/admin/events/{id}/cancel", &["EVENT_ARCHIVED"]),
            (
                "POST /api/v1/admin/events/{id}/postpone",
                &["EVENT_NOT_ACTIVE", "EVENT_ARCHIVED"],
            ),
        ] {
            let found = operations.iter().find(|(one, _)| one == name);
            let conflict = &found.unwrap().1["responses"]["409"]["description"];
            let conflict = conflict.as_str().unwrap_or_default();
            let all_named = reasons.iter().all(|reason| conflict.contains(reason));
            assert!(all_named, "{name}: {conflict}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    edge(async |edge| {
        let document = document(edge).await;
        let text = document.to_string();
        let references: BTreeSet<&str> = text
            .split("\"#/components/schemas/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(references.len() > 20);
        for name in references {
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
        }
    })
    .await;
}

/// The properties of a JSON body that hold objects, with a list in the place of each.
fn lists_for_objects(document: &Value, operation: &Value) -> Vec<(String, Value)> {
    let of = |schema: &Value| -> Option<Value> {
        let reference = schema["$ref"]
            .as_str()?
            .strip_prefix("#/components/schemas/")?;
        Some(document["components"]["schemas"][reference].clone())
    };
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let any_of = |schema: &Value| match schema["oneOf"].as_array() {
        Some(options) => options.clone(),
        None => vec![schema.clone()],
    };
    let Some(body) = any_of(body).iter().find_map(of) else {
        return Vec::new();
    };
    let properties = body["properties"].as_object().unwrap();
    let hiding = |schema: &Value| {
        let is_object = |schema: &Value| of(schema).is_some_and(|found| found["type"] == "object");
        if is_object(&schema["items"]) {
            return Some(serde_json::json!([[1, 1]]));
        }
        any_of(schema)
            .iter()
            .any(is_object)
            .then(|| serde_json::json!([1, 1]))
    };
    properties
        .iter()
        .filter_map(|(name, schema)| Some((name.clone(), hiding(schema)?)))
        .collect()
}

#[tokio::test]
async fn no_list_passes_for_an_object() {
    edge(async |edge| {
        let document = document(edge).await;
        let mut tried = Vec::new();
        for (operation, about) in operations(&document) {
            let (method, path) = operation.split_once(' ').unwrap();
            let path = path.replace("{id}", crate::facts::EVENT);
            for (name, value) in lists_for_objects(&document, about) {
                let request = edge.request(method.parse().unwrap(), &path);
                let request = request.bearer_auth("good").header("idempotency-key", KEY);
                let body = serde_json::json!({ &name: value });
                let problem = problem(request.json(&body)).await;
                let said = problem["detail"].as_str().unwrap();
                assert!(
                    said.starts_with(&name) && said.ends_with(" must be an object"),
                    "{operation}: {said}"
                );
                tried.push(name);
            }
        }
        tried.sort();
        let objects = [
            "amount",
            "amount",
            "cancellation",
            "cancellation",
            "expected_refund",
            "expected_total",
            "fee",
            "fee",
            "lines",
            "lines",
            "price",
            "price",
            "seller",
            "seller",
        ];
        assert_eq!(tried, objects);
    })
    .await;
}
