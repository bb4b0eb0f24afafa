//! Pictures of concerts, from the upload to the shop.

use std::{io::Cursor, path::PathBuf};

use image::{DynamicImage, ImageFormat, RgbImage};
use kit::{Code, ErrorReason, Failure};
use proto::ticket;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::{
    facts::{self, EVENT},
    harness::{Edge, edge, edge_with, header, refusal},
};

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(testkit::keys::idempotency_key()))
    }

    /// The names of its files.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn with_images(test: impl AsyncFnOnce(&Edge, &Folder)) {
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap().parse().unwrap();
    edge_with(
        |config| config.images_store = Some(place),
        async |edge| test(edge, &folder).await,
    )
    .await;
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let image = DynamicImage::ImageRgb8(RgbImage::from_pixel(
        width,
        height,
        image::Rgb([120, 30, 60]),
    ));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn put(edge: &Edge, kind: &str, body: Vec<u8>) -> RequestBuilder {
    let path = format!("/api/v1/admin/events/{EVENT}/image?alt=The%20stage");
    let request = edge.request(Method::PUT, &path).bearer_auth("good");
    request.header("content-type", kind).body(body)
}

async fn is_kept_for_ever(edge: &Edge, url: &str) {
    let sent = edge.get(url).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(header(&sent, name), value, "{name}");
    }
    let tag = header(&sent, "etag");
    let bytes = sent.bytes().await.unwrap();
    assert!(image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).is_ok());
    let again = edge.get(url).header("if-none-match", &tag);
    let again = again.send().await.unwrap();
    assert_eq!(
        (again.status().as_u16(), header(&again, "etag")),
        (304, tag)
    );
}

#[tokio::test]
async fn an_upload_becomes_sizes_that_are_kept_for_ever() {
    with_images(async |edge, folder| {
        let answer = put(edge, "image/png", png(1000, 500)).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "etag")),
            (200, "\"4\"".into())
        );
        let event: Value = answer.json().await.unwrap();
        let image = &event["image"];
        assert_eq!(
            (&image["width"], &image["height"], &image["alt"]),
            (&1000.into(), &500.into(), &"The stage".into())
        );
        let widths = image["sizes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|size| size["width"].as_u64().unwrap());
        assert_eq!(widths.collect::<Vec<_>>(), [480, 960, 1000]);
        assert_eq!(folder.names().len(), 4);
        assert!(
            edge.stub.last_asked().contains("only_check: false"),
            "{}",
            edge.stub.last_asked()
        );
        assert_eq!(
            edge.stub.times_asked(),
            2,
            "whether it may be, and then that it is"
        );

        for url in [
            &image["sizes"][0]["url"],
            &image["url"],
            &image["share_url"],
        ] {
            is_kept_for_ever(edge, url.as_str().unwrap()).await;
        }
        // The same file is the same picture.
        put(edge, "image/png", png(1000, 500)).send().await.unwrap();
        assert_eq!(folder.names().len(), 4);
        put(edge, "image/png", png(1000, 501)).send().await.unwrap();
        assert_eq!(
            folder.names().len(),
            8,
            "whoever has loaded the first one keeps it"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_not_kept() {
    with_images(async |edge, folder| {
        let of = |reason: &str, status: u64| (status, reason.to_owned());
        for (kind, body, expected) in [
            (
                "image/svg+xml",
                b"<svg/>".to_vec(),
                of("UNSUPPORTED_MEDIA_TYPE", 415),
            ),
            (
                "text/html",
                png(300, 300),
                of("UNSUPPORTED_MEDIA_TYPE", 415),
            ),
            (
                "application/json",
                b"{}".to_vec(),
                of("UNSUPPORTED_MEDIA_TYPE", 415),
            ),
            ("image/jpeg", png(300, 300), of("INVALID_REQUEST", 422)),
            (
                "image/png",
                png(300, 300)[..200].to_vec(),
                of("INVALID_REQUEST", 422),
            ),
            ("image/png", b"GIF89a".to_vec(), of("INVALID_REQUEST", 422)),
            ("image/png", Vec::new(), of("INVALID_REQUEST", 422)),
            ("image/png", png(100, 300), of("INVALID_REQUEST", 422)),
            (
                "image/png",
                vec![0; 10 * 1024 * 1024 + 1],
                of("BODY_TOO_LARGE", 413),
            ),
        ] {
            let (status, reason, field) = refusal(put(edge, kind, body)).await;
            assert_eq!((status, reason), expected, "{kind}");
            assert_eq!(
                field.as_deref() == Some("image"),
                status == 422,
                "{field:?}"
            );
        }
        assert_eq!(folder.names(), [""; 0]);
        assert!(edge.stub.last_asked().contains("only_check: true"));
    })
    .await;
}

#[tokio::test]
async fn who_may_not_change_the_concert_leaves_no_file() {
    with_images(async |edge, folder| {
        let bare = edge
            .request(Method::PUT, &format!("/api/v1/admin/events/{EVENT}/image"))
            .header("content-type", "image/png")
            .body(png(300, 300));
        assert_eq!(refusal(bare).await.0, 401);
        edge.stub.fail(|| {
            Failure::refused(Code::PermissionDenied, ErrorReason::PermissionDenied, "No.")
                .into_status()
        });
        assert_eq!(refusal(put(edge, "image/png", png(300, 300))).await.0, 403);
        assert_eq!(folder.names(), [""; 0]);
        edge.stub.work_again();
        let removed = edge
            .request(
                Method::DELETE,
                &format!("/api/v1/admin/events/{EVENT}/image"),
            )
            .bearer_auth("good")
            .header("if-match", "\"3\"")
            .send()
            .await
            .unwrap();
        assert_eq!(removed.status(), 200);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("image: None") && asked.contains("expected_version: 3"),
            "{asked}"
        );
    })
    .await;
}

#[tokio::test]
async fn only_pictures_are_sent() {
    with_images(async |edge, folder| {
        put(edge, "image/png", png(300, 300)).send().await.unwrap();
        std::fs::write(folder.0.join("secret.txt"), "x").unwrap();
        std::fs::write(folder.0.join("secret.jpg"), "x").unwrap();
        let key = "0".repeat(64);
        for path in [
            "/images/secret.txt",
            "/images/secret.jpg",
            "/images/..%2f..%2fetc%2fpasswd",
            "/images/%2e%2e/secret.txt",
            "/images/",
            &format!("/images/{key}-480.jpg"),
            &format!("/images/{key}-480.jpg%00"),
            &format!("/images/{}", folder.names()[0].replace(".jpg", ".JPG")),
        ] {
            let refused = edge.get(path).send().await.unwrap();
            assert_eq!(refused.status(), 404, "{path}");
            assert_eq!(header(&refused, "cache-control"), "no-store", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_place_none_is_taken() {
    edge(async |edge| {
        let (status, reason, field) = refusal(put(edge, "image/png", png(300, 300))).await;
        assert_eq!(
            (status, reason.as_str(), field.as_deref()),
            (422, "INVALID_REQUEST", Some("image"))
        );
    })
    .await;
}

#[tokio::test]
async fn guests_see_it_where_it_will_not_move_the_page() {
    edge(async |edge| {
        let key = "ab".repeat(32);
        let image = ticket::EventImage {
            key: key.clone(),
            width: 1600,
            height: 900,
            alt: "The \"stage\"".to_owned(),
        };
        edge.stub.event.lock().unwrap().image = Some(image.clone());
        edge.stub.programme.lock().unwrap()[0].image = Some(image);
        let page = edge.page("/events/moonlight-sessions").await;
        for part in [
            format!("srcset=\"/images/{key}-480.jpg 480w, /images/{key}-960.jpg 960w, /images/{key}-1600.jpg 1600w\""),
            "width=\"1600\" height=\"900\"".to_owned(),
            format!("property=\"og:image\" content=\"{}/images/{key}-share.jpg\"", edge.url),
        ] {
            let plain = page.replace("&#x2f;", "/");
            assert!(plain.contains(&part), "{part}\n{plain}");
        }
        assert!(!page.contains("alt=\"The \"stage"), "what an admin wrote stays text");
        let programme = edge.page("/").await.replace("&#x2f;", "/");
        assert!(programme.contains(&format!("{key}-480.jpg 480w")), "{programme}");
        let one: Value = edge.get(&format!("/api/v1/events/{EVENT}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(one["image"]["share_url"], format!("/images/{key}-share.jpg"));
    })
    .await;
}

#[tokio::test]
async fn an_admin_sees_the_page_before_guests_do() {
    edge(async |edge| {
        let path = format!("/admin/events/{EVENT}/preview");
        let stranger = edge
            .get(&path)
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        assert_eq!(stranger.status(), 401);
        assert_eq!(edge.stub.times_asked(), 0);
        assert!(stranger.text().await.unwrap().contains("Please sign in"));

        *edge.stub.own.lock().unwrap() = ticket::Event {
            status: ticket::EventStatus::Inactive.into(),
            ..facts::event()
        };
        let shown = edge.get(&path).bearer_auth("good").send().await.unwrap();
        assert_eq!(shown.status(), 200);
        assert_eq!(header(&shown, "cache-control"), "no-store");
        assert_eq!(header(&shown, "x-robots-tag"), "noindex, nofollow");
        let page = shown.text().await.unwrap();
        assert!(
            page.contains("guests do not see this concert yet")
                && page.contains("Moonlight Sessions")
        );
        assert!(
            page.contains("Standing") && page.contains("<select"),
            "as if it were on sale"
        );
        for absent in [
            "method=\"post\"",
            "data-live",
            "live.js",
            "name=\"key\" value=\"a",
        ] {
            assert!(!page.contains(absent), "{absent}");
        }
        assert!(page.contains("class=\"main\" disabled"));
        edge.stub.fail(|| Failure::not_found("event").into_status());
        let foreign = edge.get(&path).bearer_auth("good").send().await.unwrap();
        assert_eq!(foreign.status(), 404);
    })
    .await;
}
