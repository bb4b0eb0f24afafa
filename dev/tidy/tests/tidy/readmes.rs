//! A README for every crate, with what its kind owes the reader.

use tidy::{Crate, Finding, Project, crates, demand};

use crate::{PROJECT, SERVICES};

const LISTS: [&str; 5] = [
    "**Owns**",
    "**Serves**",
    "**Calls**",
    "**Emits**",
    "**Invariants**",
];
const LIMIT: &str = "may not enter";

fn missing(project: &Project, crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in crates.iter().map(|one| one.folder.as_str()) {
        let path = format!("{folder}/README.md");
        let text = project.text(&path);
        let mut lacks = |what: &str| findings.push(Finding::new(&path, 0, format!("lacks {what}")));
        if text.trim().is_empty() {
            lacks("everything");
        } else if SERVICES.contains(&folder) {
            LISTS
                .iter()
                .filter(|list| !text.contains(**list))
                .for_each(|list| lacks(list));
        } else if folder.starts_with("crates/") && !text.to_lowercase().contains(LIMIT) {
            lacks("\"What may not enter\"");
        }
    }
    findings
}

#[test]
fn every_crate_introduces_itself() {
    let rule = "every crate has a README; a service's has five lists, a shared crate's says what \
                may not enter";
    demand(rule, &missing(&PROJECT, &crates()));
}

#[test]
fn a_poor_readme_is_caught() {
    let folders = ["gateway", "crates/a", "crates/b", "dev/c"];
    let crates = folders.map(|folder| Crate {
        folder: folder.to_owned(),
        dependencies: vec![],
    });
    let files = [
        (
            "gateway/README.md",
            "**Owns** **Serves** **Calls** **Invariants**",
        ),
        ("crates/a/README.md", "What may not enter: water."),
        ("crates/b/README.md", "A crate."),
    ];
    let files = files.map(|(path, text)| tidy::File::new(path, text)).into();
    let found: Vec<String> = missing(&Project { files }, &crates)
        .iter()
        .map(Finding::to_string)
        .collect();
    let expected = [
        "gateway/README.md: lacks **Emits**",
        "crates/b/README.md: lacks \"What may not enter\"",
        "dev/c/README.md: lacks everything",
    ];
    assert_eq!(found, expected);
}
