//! The dashboard's files: those that were built, or the page that says how.

use reqwest::Response;

use crate::harness::{Edge, edge, header};

async fn open(edge: &Edge, path: &str) -> Response {
    let request = edge.get(path).header("accept", "text/html");
    request.send().await.unwrap()
}

/// What the page loads first; none where the dashboard was not built.
fn script(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(r#"src="/admin/"#)?;
    Some(rest.split('"').next().unwrap_or_default())
}

#[tokio::test]
async fn every_path_of_it_is_its_one_page() {
    edge(async |edge| {
        let page = edge.page("/admin").await;
        for path in ["/admin/orders", "/admin/events/new", "/admin/index.html"] {
            let response = open(edge, path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(header(&response, "cache-control"), "no-store", "{path}");
            let policy = header(&response, "content-security-policy");
            assert!(
                policy.contains("script-src 'self';") && !policy.contains("unsafe"),
                "{policy}"
            );
            assert_eq!(response.text().await.unwrap(), page, "{path}");
        }
        let with_slash = open(edge, "/admin/").await;
        assert_eq!(with_slash.status(), 308);
        assert_eq!(header(&with_slash, "location"), "/admin");
        let inline = page.split("<script").skip(1);
        assert!(inline.into_iter().all(|tag| tag.contains("src=")), "{page}");
        assert!(!page.contains("<style"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn its_files_are_kept_for_ever_and_never_another_page() {
    edge(async |edge| {
        let page = edge.page("/admin").await;
        let response = open(edge, "/admin/assets/of-another-version.js").await;
        assert_eq!(response.status(), 404);
        assert_eq!(header(&response, "cache-control"), "no-store");
        let Some(script) = script(&page) else {
            assert!(page.contains("just web"), "{page}");
            return;
        };
        let request = edge
            .get(&format!("/admin/{script}"))
            .header("accept-encoding", "gzip");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            header(&response, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(
            header(&response, "content-type"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(header(&response, "content-encoding"), "gzip");
    })
    .await;
}
