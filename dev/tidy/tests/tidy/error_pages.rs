//! The closed list of error reasons: each has a page, a sentence for the guest and a test.

use proto::common::ErrorReason;
use tidy::{File, Finding, Project, demand};

use crate::PROJECT;

const FOLDER: &str = "docs/errors";
/// What the shop's pages say to a guest who meets the reason.
const GUEST: &str = "- **A guest sees:** ";
const PROGRAM: &str = "- **A program:** ";

/// The word in contracts and pages, and the name in Rust: `SOLD_OUT`, `SoldOut`.
fn reasons() -> Vec<(String, String)> {
    ErrorReason::all()
        .map(|reason| (reason.word().to_owned(), format!("{reason:?}")))
        .collect()
}

fn page_faults(project: &Project, words: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for word in words {
        let path = format!("{FOLDER}/{word}.md");
        let text = project.text(&path);
        if text.is_empty() {
            findings.push(Finding::new(path, 0, "there is no page for this reason"));
            continue;
        }
        let says = |start: &str| {
            text.lines()
                .any(|line| line.strip_prefix(start).is_some_and(|rest| rest.len() > 5))
        };
        let named = format!("`{word}` · HTTP ");
        let parts = [
            (named.as_str(), text.contains(&named)),
            (GUEST, says(GUEST)),
        ];
        for (part, is_there) in [parts[0], parts[1], (PROGRAM, says(PROGRAM))] {
            if !is_there {
                findings.push(Finding::new(&path, 0, format!("lacks \"{part}\"")));
            }
        }
    }
    for file in project.files.iter().filter(|file| file.is_in(FOLDER)) {
        let word = file
            .path
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".md"));
        if !word.is_some_and(|word| words.contains(&word)) {
            findings.push(Finding::new(&file.path, 0, "there is no such reason"));
        }
    }
    findings
}

fn untested<'a>(
    files: impl Iterator<Item = &'a File>,
    reasons: &[(String, String)],
) -> Vec<Finding> {
    let mut left = reasons.to_vec();
    for file in files {
        for line in file.lines().iter().filter(|line| line.is_test) {
            left.retain(|(word, variant)| !names(line.text, word, variant));
        }
    }
    left.iter()
        .map(|(word, _)| Finding::new(format!("{FOLDER}/{word}.md"), 0, "no test names it"))
        .collect()
}

/// `ErrorReason::NotFound`, `R::NotFound` or the word; not `StatusCode::NOT_FOUND`.
fn names(line: &str, word: &str, variant: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let stands_alone = |name: &str, before: &[&str]| {
        line.match_indices(name).any(|(at, _)| {
            let (start, end) = (&line[..at], &line[at + name.len()..]);
            !end.starts_with(is_word)
                && (before.is_empty() && !start.ends_with(is_word) && !start.ends_with("::")
                    || before.iter().any(|path| start.ends_with(path)))
        })
    };
    stands_alone(word, &[]) || stands_alone(variant, &["Reason::", " R::", "(R::"])
}

#[test]
fn every_reason_has_a_page() {
    let reasons = reasons();
    assert!(reasons.len() > 30);
    let words: Vec<&str> = reasons.iter().map(|(word, _)| word.as_str()).collect();
    let rule = "every reason has one page that tells programs what to do and what a guest sees";
    demand(rule, &page_faults(&PROJECT, &words));
}

#[test]
fn a_poor_page_is_caught() {
    let good = format!("# A\n\n`A` · HTTP 409\n\n{PROGRAM}Try again.\n{GUEST}A sentence.\n");
    let files = vec![
        File::new("docs/errors/A.md", good.clone()),
        File::new(
            "docs/errors/B.md",
            good.replace("`A`", "`B`").replace("A sentence.", ""),
        ),
        File::new("docs/errors/OLD.md", good),
    ];
    let found: Vec<String> = page_faults(&Project { files }, &["A", "B", "C"])
        .iter()
        .map(Finding::to_string)
        .collect();
    let expected = [
        "docs/errors/B.md: lacks \"- **A guest sees:** \"",
        "docs/errors/C.md: there is no page for this reason",
        "docs/errors/OLD.md: there is no such reason",
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_reason_has_a_test() {
    // This file would vouch for every word it uses as a sample.
    let files = PROJECT
        .rust()
        .filter(|file| !file.path.starts_with("dev/tidy/"));
    demand(
        "every reason is met by a test",
        &untested(files, &reasons()),
    );
}

#[test]
fn an_untested_reason_is_caught() {
    let sample = "assert_eq!(reason, ErrorReason::SoldOut);\nStatusCode::NOT_FOUND;\n\"X_GONE\"\n";
    let files = [
        File::new("a/tests/it/main.rs", sample),
        File::new("a/src/lib.rs", "let r = ErrorReason::Gone;\n"),
    ];
    let pairs = [
        ("SOLD_OUT", "SoldOut"),
        ("NOT_FOUND", "NotFound"),
        ("GONE", "Gone"),
    ];
    let reasons = pairs.map(|(word, variant)| (word.to_owned(), variant.to_owned()));
    let found = untested(files.iter(), &reasons);
    let places: Vec<&str> = found.iter().map(|finding| finding.file.as_str()).collect();
    assert_eq!(places, ["docs/errors/NOT_FOUND.md", "docs/errors/GONE.md"]);
}
