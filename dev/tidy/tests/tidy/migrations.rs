//! Migrations go forward only, in one unbroken row of numbers.

use std::collections::BTreeMap;

use tidy::{File, Finding, demand};

use crate::PROJECT;

fn misnumbered<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Finding> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in files {
        if let Some((folder, name)) = file.path.rsplit_once('/')
            && folder.ends_with("/migrations")
        {
            folders.entry(folder).or_default().push(name);
        }
    }
    let mut findings = Vec::new();
    for (folder, mut names) in folders {
        names.sort_unstable();
        for (index, name) in names.iter().enumerate() {
            let start = format!("{:04}_", index + 1);
            let title = name
                .strip_prefix(&start)
                .and_then(|rest| rest.strip_suffix(".sql"));
            let is_plain = |title: &str| {
                title
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            };
            if !title.is_some_and(is_plain) {
                let what = format!("should be named {start}<what_it_does>.sql");
                findings.push(Finding::new(format!("{folder}/{name}"), 0, what));
            }
        }
    }
    findings
}

#[test]
fn migrations_are_numbered() {
    demand(
        "migrations are 0001_…, 0002_… without a gap",
        &misnumbered(PROJECT.files.iter()),
    );
}

#[test]
fn a_gap_is_caught() {
    let names = ["0001_a.sql", "0002_b_2.sql", "0004_d.sql"];
    let files = names.map(|name| File::new(&format!("a/migrations/{name}"), ""));
    let found = misnumbered(files.iter());
    let places: Vec<&str> = found.iter().map(|finding| finding.file.as_str()).collect();
    assert_eq!(places, ["a/migrations/0004_d.sql"]);
}
