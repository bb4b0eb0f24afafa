//! A panic's message may hold whatever was at hand, so each program says where it panicked and no more.

use tidy::{File, Finding, demand};

use crate::PROJECT;

const CALL: &str = "log_panics()";

fn outspoken<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Finding> {
    let programs = files.filter(|file| file.path.ends_with("/src/main.rs") && !file.is_in("dev"));
    programs
        .filter(|file| !file.text.contains(CALL))
        .map(|file| Finding::new(&file.path, 1, "prints the messages of its panics"))
        .collect()
}

#[test]
fn no_program_prints_what_it_had_at_hand_when_it_panicked() {
    demand(
        "each program calls kit::telemetry::log_panics()",
        &outspoken(PROJECT.production()),
    );
}

#[test]
fn samples() {
    let quiet = File::new("gateway/src/main.rs", "fn main() { log_panics(); }");
    let loud = File::new("gateway/src/main.rs", "fn main() { serve(); }");
    assert_eq!(outspoken([quiet].iter()).len(), 0);
    assert_eq!(outspoken([loud].iter()).len(), 1);
}
