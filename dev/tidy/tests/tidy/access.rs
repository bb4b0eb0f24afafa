//! docs/access.md says of every RPC and every route who may use it.

use proto::POLICIES;
use tidy::{Finding, access, demand};

use crate::PROJECT;

fn faults(page: &str) -> Vec<Finding> {
    let there = page
        .split_once(access::BEGIN)
        .and_then(|(_, rest)| rest.split_once(access::END));
    let there = there.map_or("", |(made, _)| made).trim();
    let made = access::contracts();
    let mut findings = Vec::new();
    for line in made.lines().filter(|line| !there.contains(*line)) {
        findings.push(Finding::new(access::PAGE, 0, format!("lacks: {line}")));
    }
    for line in there.lines().filter(|line| !made.contains(*line)) {
        let what = format!("tells of what is not so: {line}");
        findings.push(Finding::new(access::PAGE, 0, what));
    }
    findings
}

fn undecided(page: &str) -> Vec<Finding> {
    let routes = access::routes(
        PROJECT
            .production()
            .filter(|file| file.is_in("gateway/src")),
    );
    let rows = access::route_rows(page);
    let mut findings = Vec::new();
    for route in &routes {
        match rows.iter().filter(|(row, _)| row == route).count() {
            1 => {}
            rows => {
                let what = format!("has {rows} rows for {route}");
                findings.push(Finding::new(access::PAGE, 0, what));
            }
        }
    }
    for (route, cells) in &rows {
        if !routes.contains(route) {
            findings.push(Finding::new(
                access::PAGE,
                0,
                format!("there is no {route}"),
            ));
        }
        let words = ["yes", "none", "401", "403", "404"];
        let decided = cells.iter().all(|cell| words.contains(&cell.as_str()));
        if cells.len() != access::ROUTE_CELLS || !decided {
            let what = format!("{route}: nobody has decided who may use it");
            findings.push(Finding::new(access::PAGE, 0, what));
        }
    }
    findings
}

const RULE: &str = "docs/access.md has every RPC and every route; `just access` adds what is new";

#[test]
fn every_rpc_says_who_may_call_it() {
    demand(RULE, &faults(PROJECT.text(access::PAGE)));
}

#[test]
fn every_route_says_who_may_use_it() {
    demand(RULE, &undecided(PROJECT.text(access::PAGE)));
}

#[test]
fn a_new_rpc_and_a_new_route_are_caught() {
    let page = PROJECT.text(access::PAGE);
    let first = POLICIES[0].path.rsplit('/').next().unwrap();
    let without = page.replacen(&format!("| `{first}` |"), "| `Other` |", 1);
    assert_eq!(faults(&without).len(), faults(page).len() + 2);
    let without = page.replacen("| `POST /api/v1/holds` |", "| `POST /api/v2/holds` |", 1);
    // Beside what is wrong with the page as it is.
    let before = undecided(page).len();
    assert_eq!(undecided(&without).len(), before + 2);
    let open = page.replacen("| `GET /healthz` | yes", "| `GET /healthz` | ?", 1);
    assert_eq!(undecided(&open).len(), before + 1);
}
