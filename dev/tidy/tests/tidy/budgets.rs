//! How long things may be. A budget that hurts is a question about the shape.

use tidy::{Crate, File, Finding, Kind, code_lines, crates, demand, functions};

use crate::PROJECT;

const FILE_LINES: usize = 400;
const MEDIAN_FILE_LINES: usize = 120;
const MAIN_LINES: usize = 40;
const FUNCTION_LINES: usize = 70;
const PARAMETERS: usize = 5;
/// Methods of traits that others wrote: `ShouldSample` of OpenTelemetry.
const SIGNATURES_OF_OTHERS: [&str; 1] = ["should_sample"];
const SHARED_CRATE_LINES: usize = 1_500;
const CHAIN: usize = 8;

/// Lines of the file that are no tests; blank lines and comments count, for they are read too.
fn length(file: &File) -> usize {
    file.lines().iter().filter(|line| !line.is_test).count()
}

fn long_files<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Finding> {
    let budget = |file: &File| match file.path.ends_with("src/main.rs") {
        true => MAIN_LINES,
        false => FILE_LINES,
    };
    files
        .map(|file| (file, length(file), budget(file)))
        .filter(|(_, length, budget)| length > budget)
        .map(|(file, length, budget)| {
            Finding::new(
                &file.path,
                0,
                format!("{length} lines, the budget is {budget}"),
            )
        })
        .collect()
}

fn median(mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(0)
}

fn long_functions<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for function in functions(&file.text) {
            let name = &function.name;
            if function.lines > FUNCTION_LINES {
                let what = format!("`{name}` has {} lines", function.lines);
                findings.push(Finding::new(&file.path, function.line, what));
            }
            let is_ours = !SIGNATURES_OF_OTHERS.contains(&name.as_str());
            if function.parameters > PARAMETERS && is_ours {
                let what = format!("`{name}` has {} parameters", function.parameters);
                findings.push(Finding::new(&file.path, function.line, what));
            }
        }
    }
    findings
}

/// Code lines of what the folder's crate ships.
fn crate_length<'a>(folder: &str, files: impl Iterator<Item = &'a File>) -> usize {
    let source = format!("{folder}/src");
    files
        .filter(|file| file.is_in(&source))
        .map(|file| code_lines(&file.lines()))
        .sum()
}

/// The most crates on one path, from this one down.
fn chain(from: &str, crates: &[Crate]) -> Vec<String> {
    let needed = crates.iter().find(|one| one.folder == from);
    let below = needed.into_iter().flat_map(|one| one.needs(Kind::Build));
    let in_workspace = below.filter(|name| crates.iter().any(|one| one.folder == *name));
    let longest = in_workspace
        .map(|name| chain(name, crates))
        .max_by_key(Vec::len);
    let mut chain = vec![from.to_owned()];
    chain.extend(longest.unwrap_or_default());
    chain
}

fn long_chains(crates: &[Crate]) -> Vec<Finding> {
    crates
        .iter()
        .map(|one| chain(&one.folder, crates))
        .filter(|chain| chain.len() > CHAIN)
        .map(|chain| {
            let what = format!("a chain of {} crates: {}", chain.len(), chain.join(" → "));
            Finding::new(format!("{}/Cargo.toml", chain[0]), 0, what)
        })
        .collect()
}

fn numbered(count: usize) -> String {
    (0..count)
        .map(|number| format!("const N{number}: u8 = 0;\n"))
        .collect()
}

#[test]
fn files_are_short() {
    let rule = format!("the production part of a file has at most {FILE_LINES} lines");
    demand(
        &format!("{rule}, main.rs {MAIN_LINES}"),
        &long_files(PROJECT.production()),
    );
}

#[test]
fn a_long_file_is_caught() {
    let tests = "#[cfg(test)]\nmod tests {\n    // one\n}\n".repeat(200);
    let fits = File::new("a/src/b.rs", numbered(FILE_LINES) + &tests);
    let long = File::new("a/src/c.rs", numbered(FILE_LINES + 1));
    let main = File::new("a/src/main.rs", numbered(MAIN_LINES + 1));
    let found = long_files([&fits, &long, &main].into_iter());
    let places: Vec<&str> = found.iter().map(|finding| finding.file.as_str()).collect();
    assert_eq!(places, ["a/src/c.rs", "a/src/main.rs"]);
}

#[test]
fn most_files_are_very_short() {
    let median = median(PROJECT.production().map(length).collect());
    assert!(
        median <= MEDIAN_FILE_LINES,
        "half of all files have {median} lines or more"
    );
}

#[test]
fn the_median_is_the_middle() {
    assert_eq!(median(vec![1, 900, 130]), 130);
}

#[test]
fn functions_are_short() {
    let rule = format!("a function has at most {FUNCTION_LINES} lines and {PARAMETERS} parameters");
    demand(&rule, &long_functions(PROJECT.rust()));
}

#[test]
fn a_long_function_is_caught() {
    let body = "    step();\n".repeat(FUNCTION_LINES - 2);
    let fits = format!("fn fits(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {{\n{body}}}\n");
    let bad =
        format!("fn bad(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {{\n{body}    step();\n}}\n");
    let file = File::new("a/src/b.rs", fits + &bad);
    let found = long_functions([&file].into_iter());
    let whats: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(whats, ["`bad` has 71 lines", "`bad` has 6 parameters"]);
}

#[test]
fn shared_crates_are_small() {
    let findings: Vec<Finding> = crates()
        .into_iter()
        .filter(|one| one.folder.starts_with("crates/"))
        .map(|one| (crate_length(&one.folder, PROJECT.production()), one.folder))
        .filter(|(length, _)| *length > SHARED_CRATE_LINES)
        .map(|(length, folder)| Finding::new(folder, 0, format!("{length} lines of code")))
        .collect();
    let rule = format!("a shared crate has at most {SHARED_CRATE_LINES} lines of code");
    demand(&rule, &findings);
}

#[test]
fn the_code_of_a_crate_is_counted() {
    let text = "//! Doc.\n\nfn one() {}\n\n#[cfg(test)]\nmod tests {\n    fn two() {}\n}\n";
    let own = File::new("crates/a/src/lib.rs", text);
    let foreign = File::new("crates/ab/src/lib.rs", text);
    assert_eq!(crate_length("crates/a", [&own, &foreign].into_iter()), 1);
}

#[test]
fn chains_of_crates_are_short() {
    demand(
        &format!("a chain has at most {CHAIN} crates"),
        &long_chains(&crates()),
    );
}

#[test]
fn a_long_chain_is_caught() {
    let member = |number: usize| Crate {
        folder: number.to_string(),
        dependencies: vec![(Kind::Build, (number + 1).to_string())],
    };
    let crates: Vec<Crate> = (0..=CHAIN).map(member).collect();
    assert_eq!(long_chains(&crates).len(), 1);
    assert_eq!(long_chains(&crates[1..]), []);
}
