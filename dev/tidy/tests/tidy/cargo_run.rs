//! `cargo run` without a word more starts the whole box office. Cargo takes the one package that has a
//! `default-run`; with a second one it refuses to choose.

use tidy::{File, Finding, demand};

use crate::PROJECT;

const STARTED: &str = "boxoffice/Cargo.toml";
const KEY: &str = "default-run";

fn misleading<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_there = false;
    for file in files.filter(|file| file.path.ends_with("Cargo.toml")) {
        let is_set = |line: &str| line.split('=').next().map(str::trim) == Some(KEY);
        let place = file.text.lines().position(is_set);
        match place {
            Some(_) if file.path == STARTED => is_there = true,
            Some(index) => {
                let what = "makes `cargo run` ambiguous; name the program with --bin";
                findings.push(Finding::new(&file.path, index + 1, what));
            }
            None => {}
        }
    }
    if !is_there {
        let what = "has no default-run, so `cargo run` starts nothing";
        findings.push(Finding::new(STARTED, 0, what));
    }
    findings
}

#[test]
fn cargo_run_starts_the_box_office() {
    demand(
        "one package has a default-run, and it is boxoffice",
        &misleading(PROJECT.files.iter()),
    );
}

#[test]
fn a_second_one_is_caught_and_so_is_none() {
    let with = "[package]\ndefault-run=\"load\"\n";
    let both = [
        File::new(STARTED, with),
        File::new("dev/load/Cargo.toml", with),
    ];
    let found = misleading(both.iter());
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].file.as_str(), found[0].line),
        ("dev/load/Cargo.toml", 2)
    );
    let none = [File::new(STARTED, "[package]\n")];
    assert_eq!(misleading(none.iter()).len(), 1);
}
