//! Every route and every RPC stands in docs/api.md, and nothing else does.

use std::collections::BTreeSet;

use proto::{POLICIES, Policy};
use tidy::{File, Finding, access::routes, demand};

use crate::PROJECT;

const PAGE: &str = "docs/api.md";

/// `boxoffice.ticket.v1.HoldService/HoldTickets | guest | gateway | writes`.
fn rpc(policy: &Policy) -> String {
    let callers: Vec<&str> = policy.callers.iter().map(|peer| peer.name()).collect();
    let audience = format!("{:?}", policy.audience).to_lowercase();
    let effect = if policy.mutates { "writes" } else { "reads" };
    let path = policy.path.trim_start_matches('/');
    format!("{path} | {audience} | {} | {effect}", callers.join(", "))
}

/// The same two kinds of row, as the page has them: a table of routes, and for each service a
/// heading with its name and a table of its methods.
fn documented(page: &str) -> BTreeSet<String> {
    let mut service = "";
    let mut rows = BTreeSet::new();
    for line in page.lines() {
        if line.starts_with('#') {
            service = line.split('`').nth(1).unwrap_or_default();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).skip(1).collect();
        let Some(name) = cells.first().and_then(|cell| cell.strip_prefix('`')) else {
            continue;
        };
        let name = name.trim_end_matches('`');
        if service.is_empty() {
            rows.insert(name.to_owned());
        } else {
            let columns = cells.get(1..4).unwrap_or_default().join(" | ");
            rows.insert(format!("{service}/{name} | {columns}"));
        }
    }
    rows
}

fn differences(there: &BTreeSet<String>, documented: &BTreeSet<String>) -> Vec<Finding> {
    let missing = there
        .difference(documented)
        .map(|row| format!("lacks a row: {row}"));
    let wrong = documented
        .difference(there)
        .map(|row| format!("tells of what is not so: {row}"));
    missing
        .chain(wrong)
        .map(|what| Finding::new(PAGE, 0, what))
        .collect()
}

#[test]
fn every_route_and_rpc_is_documented() {
    let routes = routes(
        PROJECT
            .production()
            .filter(|file| file.is_in("gateway/src")),
    );
    assert!(
        routes.contains("POST /api/v1/holds") && routes.contains("GET /"),
        "{routes:?}"
    );
    let there = routes.into_iter().chain(POLICIES.iter().map(rpc)).collect();
    let rule = format!("{PAGE} has a row for every route and every RPC");
    demand(&rule, &differences(&there, &documented(PROJECT.text(PAGE))));
}

#[test]
fn an_undocumented_route_is_caught() {
    let source = "\
#[utoipa::path(get, path = \"/a/{id}\", tag = \"open\")]
pub fn a() {
    Router::new()
        .route(\"/\", get(widget(home)))
        .route(
            \"/b/{id}\",
            get(b).post(c),
        )
}
";
    let there = routes([&File::new("gateway/src/a.rs", source)].into_iter());
    assert_eq!(
        there,
        ["GET /", "GET /a/{id}", "GET /b/{id}", "POST /b/{id}"]
            .map(str::to_owned)
            .into()
    );
    let page =
        "| `GET /` | x |\n| `GET /a/{id}` | x |\n| `GET /b/{id}` | x |\n| `GET /old` | x |\n";
    let whats: Vec<String> = differences(&there, &documented(page))
        .into_iter()
        .map(|finding| finding.what)
        .collect();
    assert_eq!(
        whats,
        [
            "lacks a row: POST /b/{id}",
            "tells of what is not so: GET /old"
        ]
    );
}

#[test]
fn a_wrong_caller_is_caught() {
    let hold = POLICIES
        .iter()
        .find(|policy| policy.path.ends_with("/HoldTickets"))
        .unwrap();
    let there = BTreeSet::from([rpc(hold)]);
    let page = |callers: &str| {
        let heading = "### `boxoffice.ticket.v1.HoldService`\n";
        documented(&format!(
            "{heading}| `HoldTickets` | guest | {callers} | writes | Holds. |\n"
        ))
    };
    let callers: Vec<&str> = hold.callers.iter().map(|peer| peer.name()).collect();
    assert_eq!(differences(&there, &page(&callers.join(", "))), []);
    assert_eq!(differences(&there, &page("nobody")).len(), 2);
}
