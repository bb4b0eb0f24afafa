//! Who may do what: the tables of docs/access.md. Those of gRPC are made from the contracts; those of REST
//! have a row per route of the router, and what stands in its cells is driven for real by dev/e2e.

use std::{collections::BTreeSet, fmt::Write as _};

use proto::{Audience, Grant, POLICIES, Peer, Policy};

use crate::File;

pub const PAGE: &str = "docs/access.md";
/// Around what is made from the contracts.
pub const BEGIN: &str = "<!-- made from the contracts by `just access` -->";
pub const END: &str = "<!-- until here -->";
/// What a cell is until somebody has decided.
pub const UNDECIDED: &str = "?";

const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "head"];
/// They answer with what the caller may see, so that nobody is refused.
const LISTS: [&str; 6] = [
    "ExportOrders",
    "ListAudit",
    "ListNotifications",
    "ListOrders",
    "ListOwnEvents",
    "ListRefunds",
];
const HEAD: &str = "\
| method | members | no token | no grant | door | viewer | editor | owner | superadmin |
|---|---|---|---|---|---|---|---|---|
";
/// Of the tables of REST.
pub const ROUTE_CELLS: usize = 9;

/// A table per service.
pub fn contracts() -> String {
    let mut text = String::new();
    let mut last = "";
    for policy in POLICIES {
        let (service, method) = parts(policy);
        if service != last {
            let _ = write!(text, "\n### `{service}`\n\n{HEAD}");
            last = service;
        }
        let cells = cells(policy, method).join(" | ");
        let _ = writeln!(
            text,
            "| `{method}` | {} | {cells} |",
            members(policy.callers)
        );
    }
    text.push('\n');
    text
}

fn parts(policy: &Policy) -> (&str, &str) {
    let path = policy.path.trim_start_matches('/');
    path.split_once('/').unwrap_or((path, ""))
}

fn members(callers: &[Peer]) -> String {
    let names: Vec<&str> = callers.iter().map(|peer| peer.name()).collect();
    names.join(", ")
}

/// Without a token, then each kind of admin.
fn cells(policy: &Policy, method: &str) -> Vec<&'static str> {
    let grants = [Grant::Door, Grant::Viewer, Grant::Editor, Grant::Owner];
    match policy.audience {
        Audience::Guest | Audience::Internal => vec!["yes"; 7],
        Audience::Superadmin => {
            let mut cells = vec!["401"];
            cells.extend(["403"; 5]);
            cells.push("yes");
            cells
        }
        Audience::Admin if policy.grants.is_empty() => {
            let mut cells = vec!["401"];
            cells.extend(["yes"; 6]);
            cells
        }
        Audience::Admin => {
            let is_list = LISTS.contains(&method);
            let mut cells = vec!["401", if is_list { "none" } else { "404" }];
            cells.extend(grants.iter().map(|grant| {
                match (policy.grants.contains(grant), is_list) {
                    (true, _) => "yes",
                    (false, true) => "none",
                    (false, false) => "403",
                }
            }));
            cells.push("yes");
            cells
        }
    }
}

/// `GET /healthz`, from the annotation of each REST operation and from `.route(…)` of the pages.
pub fn routes<'a>(files: impl Iterator<Item = &'a File>) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for file in files {
        let lines = file.lines();
        let kept = lines.iter().filter(|line| !line.is_test);
        let text: String = kept.map(|line| format!("{}\n", line.text.trim())).collect();
        for operation in text.split("#[utoipa::path(").skip(1) {
            let method = METHODS
                .iter()
                .find(|name| operation.trim_start().starts_with(**name));
            let path = operation
                .split_once("path = ")
                .map_or("", |(_, rest)| quoted(rest));
            routes.insert(row(method.unwrap_or(&"?"), path));
        }
        for route in text.split(".route(").skip(1) {
            let (_, handlers) = route.split_once("\",").unwrap_or_default();
            let handlers = handlers.split(['}', ';']).next().unwrap_or_default();
            let methods = METHODS.iter().filter(|name| has_call(handlers, name));
            routes.extend(methods.map(|method| row(method, quoted(route))));
        }
    }
    routes
}

fn row(method: &str, path: &str) -> String {
    format!("{} {path}", method.to_uppercase())
}

fn quoted(text: &str) -> &str {
    text.split('"').nth(1).unwrap_or_default()
}

/// `get(`, but not `widget(`.
fn has_call(text: &str, name: &str) -> bool {
    let call = format!("{name}(");
    text.match_indices(&call)
        .any(|(at, _)| !text[..at].ends_with(char::is_alphanumeric))
}

/// The routes of the page with their cells.
pub fn route_rows(page: &str) -> Vec<(String, Vec<String>)> {
    let (_, rest) = page.split_once(END).unwrap_or_default();
    let rows = rest.lines().filter_map(|line| {
        let route = route_of(line)?.to_owned();
        let cells = line.trim_matches('|').split('|').skip(1);
        Some((route, cells.map(|cell| cell.trim().to_owned()).collect()))
    });
    rows.collect()
}

/// The page with the tables of the contracts as they are now, and a row for every route.
pub fn rewritten(page: &str, routes: &BTreeSet<String>) -> String {
    let (start, rest) = page.split_once(BEGIN).unwrap_or((page, ""));
    let (_, end) = rest.split_once(END).unwrap_or_default();
    let rows = route_rows(page);
    let mut lines: Vec<String> = end
        .lines()
        .filter(|line| route_of(line).is_none_or(|route| routes.contains(route)))
        .map(str::to_owned)
        .collect();
    for route in routes {
        if rows.iter().all(|(row, _)| row != route) {
            let cells = [UNDECIDED; ROUTE_CELLS].join(" | ");
            lines.insert(place_of(route, &lines), format!("| `{route}` | {cells} |"));
        }
    }
    format!("{start}{BEGIN}\n{}{END}{}\n", contracts(), lines.join("\n"))
}

fn route_of(line: &str) -> Option<&str> {
    let cell = line.trim_start_matches('|').split('|').next()?;
    cell.trim().strip_prefix('`')?.strip_suffix('`')
}

/// After the row whose path has most in common with it.
fn place_of(route: &str, lines: &[String]) -> usize {
    let path = |route: &str| route.split(' ').nth(1).unwrap_or_default().to_owned();
    let wanted = path(route);
    let common = |line: &String| {
        let there = path(route_of(line)?);
        Some(
            there
                .bytes()
                .zip(wanted.bytes())
                .take_while(|(a, b)| a == b)
                .count(),
        )
    };
    let places = lines.iter().enumerate();
    let best = places.max_by_key(|(_, line)| common(line));
    best.map_or(lines.len(), |(index, _)| index + 1)
}
