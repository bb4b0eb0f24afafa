//! Tickets, calendar and receipt.

use crate::{
    facts::{ORDER, ORDER_SECRET},
    harness::{edge, header, refusal},
};

#[tokio::test]
async fn each_document_is_rendered_from_the_stored_facts() {
    edge(async |edge| {
        for (name, kind, disposition) in [
            (
                "tickets.pdf",
                "application/pdf",
                "attachment; filename=\"tickets.pdf\"",
            ),
            (
                "calendar.ics",
                "text/calendar; charset=utf-8",
                "attachment; filename=\"concert.ics\"",
            ),
            (
                "receipt",
                "text/html; charset=utf-8",
                "inline; filename=\"receipt.html\"",
            ),
            (
                "receipt.pdf",
                "application/pdf",
                "attachment; filename=\"receipt.pdf\"",
            ),
        ] {
            let request = edge.get(&format!("/api/v1/orders/{ORDER}/{name}"));
            let response = request.bearer_auth(ORDER_SECRET).send().await.unwrap();
            assert_eq!(response.status(), 200, "{name}");
            assert_eq!(header(&response, "content-type"), kind);
            assert_eq!(header(&response, "content-disposition"), disposition);
            assert_eq!(header(&response, "cache-control"), "no-store");
            assert_eq!(response.text().await.unwrap(), "rendered BX-7K3M9Q");
        }
    })
    .await;
}

#[tokio::test]
async fn only_receipts_are_made_of_money_alone() {
    edge(async |edge| {
        for (name, money_only, times) in [
            ("tickets.pdf", false, 1),
            ("calendar.ics", false, 2),
            ("all.zip", false, 3),
            ("receipt", true, 1),
            ("receipt.pdf", true, 2),
        ] {
            let request = edge.get(&format!("/api/v1/orders/{ORDER}/{name}"));
            let response = request.bearer_auth(ORDER_SECRET).send().await.unwrap();
            assert_eq!(response.status(), 200, "{name}");
            let asked = format!("money_only: {money_only}");
            assert_eq!(edge.stub.times_asked_for(&asked), times, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_receipt_may_style_itself_and_load_nothing() {
    edge(async |edge| {
        let request = edge.get(&format!("/api/v1/orders/{ORDER}/receipt"));
        let response = request.bearer_auth(ORDER_SECRET).send().await.unwrap();
        let policy = header(&response, "content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"),
            "{policy}"
        );
        assert!(!policy.contains("script"), "{policy}");
    })
    .await;
}

#[tokio::test]
async fn documents_are_for_the_holder_of_the_secret() {
    edge(async |edge| {
        for name in ["tickets.pdf", "calendar.ics", "receipt", "receipt.pdf"] {
            let path = format!("/api/v1/orders/{ORDER}/{name}");
            assert_eq!(
                refusal(edge.get(&path)).await,
                (401, "UNAUTHENTICATED".into(), None)
            );
            let foreign = edge.get(&path).bearer_auth("foreign");
            assert_eq!(refusal(foreign).await, (404, "NOT_FOUND".into(), None));
        }
    })
    .await;
}
