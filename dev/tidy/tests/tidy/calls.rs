//! Who calls whom: the generated clients a crate imports, against the drawing of
//! docs/ARCHITECTURE.md and the access options of the contracts.

use std::collections::BTreeSet;

use proto::{POLICIES, Peer, Policy};
use tidy::{File, Finding, Project, demand};

use crate::PROJECT;

/// The arrows of the drawing, from the caller to the called.
const CALLS: [(&str, &str); 8] = [
    ("gateway", "user-svc"),
    ("gateway", "ticket-svc"),
    ("gateway", "payment-svc"),
    ("gateway", "notify-svc"),
    ("payment-svc", "ticket-svc"),
    ("payment-svc", "notify-svc"),
    ("user-svc", "notify-svc"),
    ("notify-svc", "ticket-svc"),
];

/// Clients in shared crates. Every verifier watches the keys, which is like health and no edge;
/// the outbox reaches its receiver for whichever service owns it.
const SHARED: [(&str, &str); 4] = [
    // Answered by every service for its own part.
    ("gateway", "AuditService"),
    ("gateway", "StatusService"),
    ("crates/auth", "KeyService"),
    ("crates/events", "AcceptService"),
];

/// The contract that is open to all, and those that all answer.
const NO_EDGE: [&str; 3] = ["KeyService", "AuditService", "StatusService"];

/// What a row of the access table says about a service.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Door {
    /// `HoldService`
    service: String,
    /// `ticket-svc`
    owner: String,
    /// `gateway`
    caller: &'static str,
}

fn doors(policies: &[Policy]) -> BTreeSet<Door> {
    let of_row = |policy: &Policy| {
        let full = policy
            .path
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        let mut words = full.split('.');
        let owner = format!("{}-svc", words.nth(1).unwrap_or_default());
        let service = words.next_back().unwrap_or_default().to_owned();
        let callers = policy
            .callers
            .iter()
            .filter(|peer| **peer != Peer::Operator);
        callers
            .map(|peer| Door {
                service: service.clone(),
                owner: owner.clone(),
                caller: peer.name(),
            })
            .collect::<Vec<_>>()
    };
    policies.iter().flat_map(of_row).collect()
}

/// `hold_service_client` → `HoldService`, for every client named on the line.
fn clients(line: &str) -> Vec<String> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.split(|letter: char| !is_word(letter))
        .filter_map(|word| word.strip_suffix("_client"))
        .filter(|word| word.ends_with("_service"))
        .map(|word| word.split('_').map(capitalised).collect())
        .collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default()
        + letters.as_str()
}

/// A generated client in the code of a crate.
struct Import<'a> {
    caller: &'a str,
    service: String,
    file: &'a str,
    line: usize,
}

impl Import<'_> {
    fn finding(&self, what: String) -> Finding {
        Finding::new(self.file, self.line, what)
    }
}

fn imports<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Import<'a>> {
    let mut imports = Vec::new();
    for file in files {
        let caller = file.path.split("/src/").next().unwrap_or_default();
        for line in file.lines().iter().filter(|line| !line.is_test) {
            imports.extend(clients(line.text).into_iter().map(|service| Import {
                caller,
                service,
                file: &file.path,
                line: line.number,
            }));
        }
    }
    imports
}

fn forbidden_calls(imports: &[Import], doors: &BTreeSet<Door>) -> Vec<Finding> {
    let faults = imports.iter().filter_map(|import| {
        fault(import.caller, &import.service, doors).map(|fault| import.finding(fault))
    });
    faults.collect()
}

/// Calls that the caller's README keeps to itself.
fn unlisted_calls(imports: &[Import], project: &Project, doors: &BTreeSet<Door>) -> Vec<Finding> {
    let is_listed = |import: &&Import| {
        let readme = project.text(&format!("{}/README.md", import.caller));
        let list = readme.split_once("**Calls**").map_or("", |(_, rest)| rest);
        let list = list.split("**Emits**").next().unwrap_or_default();
        let mut owners = doors.iter().filter(|door| door.service == import.service);
        owners.next().is_some_and(|door| list.contains(&door.owner))
    };
    imports
        .iter()
        .filter(|import| !SHARED.contains(&(import.caller, import.service.as_str())))
        .filter(|import| !is_listed(import))
        .map(|import| import.finding(format!("the README does not list {}", import.service)))
        .collect()
}

fn fault(caller: &str, service: &str, doors: &BTreeSet<Door>) -> Option<String> {
    if SHARED.contains(&(caller, service)) {
        return None;
    }
    let mut owners = doors
        .iter()
        .filter(|door| door.service == service)
        .map(|door| &door.owner);
    let Some(owner) = owners.next() else {
        return Some(format!("{service} is in no contract"));
    };
    let is_drawn = CALLS.contains(&(caller, owner.as_str()));
    let is_open = doors
        .iter()
        .any(|door| door.service == service && door.caller == caller);
    match (is_drawn, is_open) {
        (true, true) => None,
        (false, _) => Some(format!(
            "no arrow is drawn from {caller} to {owner} ({service})"
        )),
        (true, false) => Some(format!("no method of {service} lists {caller} as a caller")),
    }
}

fn undrawn_doors(doors: &BTreeSet<Door>) -> Vec<Finding> {
    doors
        .iter()
        .filter(|door| !NO_EDGE.contains(&door.service.as_str()))
        .filter(|door| !CALLS.contains(&(door.caller, door.owner.as_str())))
        .map(|door| {
            let what = format!(
                "{} is open to {}, no arrow is drawn",
                door.service, door.caller
            );
            Finding::new("proto/", 0, what)
        })
        .collect()
}

/// The members on a path that comes back to its start.
fn circle(calls: &[(&str, &str)]) -> Option<String> {
    let mut left = calls.to_vec();
    loop {
        let before = left.len();
        let callers: BTreeSet<&str> = left.iter().map(|(caller, _)| *caller).collect();
        left.retain(|(_, called)| callers.contains(called));
        if left.len() == before {
            return left.first().map(|(caller, _)| (*caller).to_owned());
        }
    }
}

/// What is in dev/ calls everybody.
fn shipped() -> impl Iterator<Item = &'static File> {
    PROJECT
        .production()
        .filter(|file| !file.path.starts_with("dev/"))
}

fn sample_door(service: &str, owner: &str, caller: &'static str) -> Door {
    Door {
        service: service.to_owned(),
        owner: owner.to_owned(),
        caller,
    }
}

#[test]
fn calls_are_drawn_and_allowed() {
    let doors = doors(POLICIES);
    assert!(doors.contains(&sample_door("HoldService", "ticket-svc", "gateway")));
    let rule = "a crate imports only clients that the drawing and the contract allow";
    demand(rule, &forbidden_calls(&imports(shipped()), &doors));
}

#[test]
fn a_forbidden_call_is_caught() {
    let line = "use proto::a::{hold_service_client::HoldServiceClient, X};\n";
    let test = format!("#[cfg(test)]\nmod tests {{\n    {line}}}\n");
    let files = [
        File::new("gateway/src/app.rs", line),
        File::new("payment-svc/src/app.rs", line),
        File::new("user-svc/src/app.rs", format!("\n{line}{test}")),
        File::new(
            "crates/auth/src/lib.rs",
            "use proto::user::key_service_client::K;\n",
        ),
    ];
    let doors = BTreeSet::from([sample_door("HoldService", "ticket-svc", "gateway")]);
    let found: Vec<String> = forbidden_calls(&imports(files.iter()), &doors)
        .iter()
        .map(Finding::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "payment-svc/src/app.rs:1: no method of HoldService lists payment-svc as a caller",
            "user-svc/src/app.rs:2: no arrow is drawn from user-svc to ticket-svc (HoldService)",
        ]
    );
}

#[test]
fn calls_are_listed() {
    let rule = "a service's README lists whom it calls";
    demand(
        rule,
        &unlisted_calls(&imports(shipped()), &PROJECT, &doors(POLICIES)),
    );
}

#[test]
fn an_unlisted_call_is_caught() {
    let line = "use proto::ticket::hold_service_client::HoldServiceClient;\n";
    let files = vec![
        File::new(
            "gateway/README.md",
            "**Calls** ticket-svc\n\n**Emits** nothing\n",
        ),
        File::new("gateway/src/app.rs", line),
        File::new(
            "payment-svc/README.md",
            "**Calls** nobody\n\n**Emits** to ticket-svc\n",
        ),
        File::new("payment-svc/src/app.rs", line),
    ];
    let project = Project { files };
    let doors = BTreeSet::from([sample_door("HoldService", "ticket-svc", "gateway")]);
    let found = unlisted_calls(&imports(project.production()), &project, &doors);
    let places: Vec<&str> = found.iter().map(|finding| finding.file.as_str()).collect();
    assert_eq!(places, ["payment-svc/src/app.rs"]);
}

#[test]
fn doors_open_on_arrows() {
    demand(
        "a contract lists only callers that are drawn",
        &undrawn_doors(&doors(POLICIES)),
    );
}

#[test]
fn an_undrawn_door_is_caught() {
    let doors = BTreeSet::from([
        sample_door("HoldService", "ticket-svc", "user-svc"),
        sample_door("HoldService", "ticket-svc", "gateway"),
    ]);
    assert_eq!(undrawn_doors(&doors).len(), 1);
}

#[test]
fn calls_make_no_circle() {
    assert_eq!(circle(&CALLS), None);
    assert!(circle(&[("a", "b"), ("b", "c"), ("c", "b")]).is_some());
}
