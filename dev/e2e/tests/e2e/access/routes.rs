//! REST and pages, over HTTP.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use testkit::keys::idempotency_key;

use crate::harness::ADMIN_PASSWORD;

use super::{
    Row, demand,
    people::{ADMINS, House, address},
    routes, samples,
};

/// The columns.
const PEOPLE: [&str; 9] = [
    "nobody",
    "another guest",
    "guest with the link",
    "no grant",
    "door",
    "viewer",
    "editor",
    "owner",
    "superadmin",
];
/// A stream goes on; its beginning says enough.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of somebody who has none.
const NO_SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The secret that a guest has for what the route names, or for somebody else's.
fn secret(house: &House, route: &str, is_own: bool) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (hold, order) = if is_own {
        (&house.hold, &house.order)
    } else {
        (&house.other_hold, &house.other_order)
    };
    let path = route.split_once(' ').unwrap().1;
    if path.contains("/holds/") || path.contains("/checkout/") || path.starts_with("/h/") {
        return text(&hold["secret"]);
    }
    if path.contains("/transferred-tickets/")
        || path.starts_with("/t/")
        || path.starts_with("/tickets/")
    {
        return if is_own {
            house.handed_on.1.clone()
        } else {
            text(&order["secret"])
        };
    }
    if path.starts_with("/u/") || path.ends_with("/unsubscribe") {
        return if is_own {
            house.unsubscribe.clone()
        } else {
            text(&order["secret"])
        };
    }
    text(&order["secret"])
}

async fn request(house: &House, route: &str, who: &str) -> RequestBuilder {
    let client = &house.office.client;
    let guest = match who {
        "another guest" => Some(secret(house, route, false)),
        "guest with the link" => Some(secret(house, route, true)),
        _ => None,
    };
    let secret = guest.clone().unwrap_or_else(|| NO_SECRET.to_owned());
    let path = samples::path(house, route.split_once(' ').unwrap().1, &secret);
    let method = samples::method(route);
    let url = house.office.url(&path);
    let mut request = client
        .request(method.clone(), url)
        .timeout(PATIENCE)
        .header("idempotency-key", idempotency_key())
        .header("origin", &house.office.http)
        .header("sec-fetch-site", "same-origin");
    let is_page = samples::is_page(route);
    if method != "GET" && method != "DELETE" && !route.ends_with("/settle")
        || !is_page && route.ends_with("/settle")
    {
        request = if route.ends_with("/image") {
            let request = request.header("content-type", "image/png");
            request.body("no picture")
        } else if is_page {
            request.form(&[("key", idempotency_key())])
        } else {
            request.json(&samples::body(house, route, &secret))
        };
    } else if is_page && method == "POST" {
        request = request.form(&[("outcome", "failed")]);
    }
    match guest {
        Some(secret) if is_page => request.header("cookie", cookies(house, &path, &secret)),
        Some(secret) => request.bearer_auth(secret),
        None if !ADMINS.contains(&who) => request,
        None if is_of_the_dashboard(route) => {
            let (cookies, csrf_token) = dashboard(house, who).await;
            request
                .header("cookie", cookies)
                .header("x-csrf-token", csrf_token)
        }
        None => request.bearer_auth(house.token(who).await),
    }
}

/// What is about the session that the browser has, by its cookies.
fn is_of_the_dashboard(route: &str) -> bool {
    route.ends_with("/auth/session") || route.ends_with("/auth/session/refresh")
}

/// What a browser has of the dashboard's session, and what its page has.
async fn dashboard(house: &House, who: &str) -> (String, String) {
    let login = json!({"email": address(who), "password": ADMIN_PASSWORD});
    let path = house.office.url("/api/v1/auth/session");
    let request = house.office.client.post(path).json(&login);
    let answer = request
        .header("origin", &house.office.http)
        .send()
        .await
        .unwrap();
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    let page: Value = answer.json().await.unwrap();
    let csrf_token = page["csrf_token"].as_str();
    let csrf_token = csrf_token.unwrap_or_else(|| panic!("{who}: {page}"));
    (cookies, csrf_token.to_owned())
}

/// As a browser has them that opened the link.
fn cookies(house: &House, path: &str, secret: &str) -> String {
    let id = path.split('/').nth(2).unwrap_or_default();
    let proof = house.order["purchase_proof"].as_str().unwrap_or_default();
    let kinds = ["hold", "order", "ticket"].map(|kind| format!("{kind}_{id}={secret}"));
    format!("{}; purchase_{id}={proof}", kinds.join("; "))
}

/// What happened, in the words of the page.
async fn word(request: RequestBuilder, expected: &str) -> Result<(String, StatusCode), String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let word = match status {
        StatusCode::UNAUTHORIZED => {
            let text = answer.text().await.unwrap_or_default();
            // What was typed in is another matter than who asks.
            if text.contains("INVALID_CREDENTIALS") {
                "yes"
            } else {
                "401"
            }
        }
        StatusCode::FORBIDDEN => "403",
        StatusCode::NOT_FOUND if !answer.url().path().contains(samples::ABSENT) => "404",
        status if status.is_server_error() || status == StatusCode::METHOD_NOT_ALLOWED => {
            return Err(format!(
                "{status}: {}",
                answer.text().await.unwrap_or_default()
            ));
        }
        StatusCode::OK
            if expected == "none" && is_empty(&answer.text().await.unwrap_or_default()) =>
        {
            "none"
        }
        _ => "yes",
    };
    Ok((word.to_owned(), status))
}

/// A list without a thing in it, or a table with nothing but its heads.
fn is_empty(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(list) => list.as_object().is_some_and(|list| {
            list.values()
                .any(|value| value.as_array().is_some_and(Vec::is_empty))
        }),
        Err(_) => text.trim_end().lines().count() <= 1,
    }
}

#[tokio::test]
async fn a_route_does_for_people_what_its_row_says() {
    let house = House::build().await;
    let mut differences = Vec::new();
    let mut rows: Vec<Row> = routes();
    assert!(rows.len() > 100, "{} rows", rows.len());
    // What ends something comes after what needs it: reading first, sessions last.
    rows.sort_by_key(|row| {
        let has = |part: &str| row.name.contains(part);
        let moves = (has("/admin/orders/{id}/address"), has("correct-address"));
        let last = (has("/auth/"), has("erase"), moves);
        let ends = has("/cancel") || row.name.starts_with("DELETE");
        // Admins give back what guests still hand on.
        let refunds = has("/refunds");
        (last, ends, !row.name.starts_with("GET "), refunds)
    });
    for is_open in [false, true] {
        for row in &rows {
            for (who, expected) in PEOPLE.iter().zip(&row.cells) {
                // Where the door is open to all, one of those without a proof is enough.
                if (expected == "yes") != is_open {
                    continue;
                }
                let request = request(&house, &row.name, who).await;
                match word(request, expected).await {
                    Ok((word, _)) if word == *expected => {}
                    outcome => {
                        differences.push(format!(
                            "{} by {who}: {expected}, got {outcome:?}",
                            row.name
                        ));
                    }
                }
            }
        }
    }
    demand("routes", &differences);
}
