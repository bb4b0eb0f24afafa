//! Words that have no place in the code, and attributes that owe a reason.

use tidy::{File, Finding, demand};

use crate::PROJECT;

/// Places and words of one machine or one way of working. Put together here, so that this list
/// does not find itself.
const FOREIGN: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/t", "mp/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("fa", "rm"),
    concat!("sub", "agent"),
    concat!("this ", "session"),
    concat!("hel", "per-"),
];

const UNFINISHED: [&str; 3] = [
    concat!("to", "do!("),
    concat!("un", "implemented!("),
    concat!("db", "g!("),
];

/// Columns are named, so that a migration under load changes no answer.
const ALL_COLUMNS: [&str; 2] = [concat!("SELECT", " *"), concat!("RETURNING", " *")];

/// A comment with this word right above a sleep says what it is for.
const SLEEP_REASON: &str = "// Sleeps: ";

fn containing<'a>(files: impl Iterator<Item = &'a File>, words: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            let lower = line.to_lowercase();
            let found = words
                .iter()
                .filter(|word| line.contains(**word) || lower.contains(**word));
            for word in found {
                findings.push(Finding::new(&file.path, index + 1, format!("`{word}`")));
            }
        }
    }
    findings
}

/// Attributes without their reason, and any attribute that switches a lint off for good.
fn bare_attributes<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let text = line.trim_start();
            let starts = |name: &str| {
                text.starts_with(&format!("#[{name}")) || text.starts_with(&format!("#![{name}"))
            };
            let rest = lines[index..].iter();
            let end = rest
                .clone()
                .position(|line| line.trim_end().ends_with(']'))
                .unwrap_or(0);
            let attribute: String = lines[index..=index + end].concat();
            let fault = if starts("allow(") {
                "`allow`: use `expect` with a reason"
            } else if starts("expect(") && !attribute.contains("reason = \"") {
                "`expect` without a reason"
            } else if starts("ignore") && !attribute.contains("ignore = \"") {
                "`ignore` without a reason"
            } else {
                continue;
            };
            findings.push(Finding::new(&file.path, index + 1, fault));
        }
    }
    findings
}

fn sleeping_tests<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let mut before = "";
        for line in file.lines() {
            let text = line.text.trim_start();
            let sleeps = text.contains("sleep(") && !text.starts_with("//");
            if line.is_test && sleeps && !before.starts_with(SLEEP_REASON) {
                let what = format!("sleeps without a line \"{SLEEP_REASON}…\" above");
                findings.push(Finding::new(&file.path, line.number, what));
            }
            before = text;
        }
    }
    findings
}

/// Code that could hold a bad sample as text is this crate's own.
fn hand_written() -> impl Iterator<Item = &'static File> {
    PROJECT
        .files
        .iter()
        .filter(|file| !file.path.starts_with("dev/tidy/tests/"))
}

fn rust() -> impl Iterator<Item = &'static File> {
    hand_written().filter(|file| file.path.ends_with(".rs"))
}

fn places(findings: &[Finding]) -> Vec<(usize, &str)> {
    findings
        .iter()
        .map(|finding| (finding.line, finding.what.as_str()))
        .collect()
}

#[test]
fn nothing_foreign_is_said() {
    let rule = "no file names a place or a word of the machine it was written on";
    demand(rule, &containing(PROJECT.files.iter(), &FOREIGN));
}

#[test]
fn a_foreign_word_is_caught() {
    let text = format!("# Fine\n\nSee {}notes, by a {}.\n", FOREIGN[1], FOREIGN[6]);
    let found = containing([&File::new("README.md", text)].into_iter(), &FOREIGN);
    assert_eq!(
        found.iter().map(|finding| finding.line).collect::<Vec<_>>(),
        [3, 3]
    );
}

#[test]
fn nothing_is_left_unfinished() {
    demand(
        "no unfinished or debugging code",
        &containing(rust(), &UNFINISHED),
    );
}

#[test]
fn unfinished_code_is_caught() {
    let text = format!("fn a() {{\n    {}\"later\")\n}}\n", UNFINISHED[0]);
    let found = containing([&File::new("a/src/lib.rs", text)].into_iter(), &UNFINISHED);
    assert_eq!(found.len(), 1);
}

#[test]
fn columns_are_named() {
    let sql = hand_written().filter(|file| file.path.ends_with(".sql"));
    let shipped = rust().chain(sql).filter(|file| !file.is_test());
    demand(
        "statements name their columns",
        &containing(shipped, &ALL_COLUMNS),
    );
}

#[test]
fn unnamed_columns_are_caught() {
    let text = format!("-- count(*) is fine\n{} FROM holds;\n", ALL_COLUMNS[0]);
    let found = containing([&File::new("a/b.sql", text)].into_iter(), &ALL_COLUMNS);
    assert_eq!(found.len(), 1);
}

#[test]
fn attributes_have_reasons() {
    let rule = "`expect` and `ignore` give a reason, and `allow` is not used";
    demand(rule, &bare_attributes(rust()));
}

#[test]
fn bare_attributes_are_caught() {
    let text = "\
#![allow(dead_code)]
#[expect(clippy::all)]
#[expect(
    clippy::all,
    reason = \"because\"
)]
#[ignore]
#[ignore = \"because\"]
fn a() {}
";
    let found = bare_attributes([&File::new("a/src/lib.rs", text)].into_iter());
    assert_eq!(
        places(&found),
        [
            (1, "`allow`: use `expect` with a reason"),
            (2, "`expect` without a reason"),
            (7, "`ignore` without a reason"),
        ]
    );
}

#[test]
fn tests_wait_for_a_state() {
    // `eventually` is the one that sleeps for all the others; it is no test itself.
    let rule = "a test waits with testkit::eventually; a sleep that is itself the subject says so";
    demand(rule, &sleeping_tests(rust()));
}

#[test]
fn a_sleeping_test_is_caught() {
    let sleep = "    tokio::time::sleep(pause).await;\n";
    let text = format!("fn a() {{\n{sleep}    {SLEEP_REASON}a slow upstream.\n{sleep}}}\n");
    let test = File::new("a/tests/it/main.rs", text.clone());
    let production = File::new("a/src/lib.rs", text);
    let found = sleeping_tests([&test, &production].into_iter());
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].file.as_str(), found[0].line),
        ("a/tests/it/main.rs", 2)
    );
}
