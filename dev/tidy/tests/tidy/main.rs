//! Taste as a test. One file per subject; beside each rule, a bad sample shows that it can fail.

use std::sync::LazyLock;

use tidy::Project;

mod access;
mod budgets;
mod calls;
mod cargo_run;
mod edges;
mod error_pages;
mod interfaces;
mod migrations;
mod panics;
mod passwords;
mod readmes;
mod words;

static PROJECT: LazyLock<Project> = LazyLock::new(Project::read);

/// Those that serve: in `docs/ARCHITECTURE.md` they are `{gateway, *-svc}`.
const SERVICES: [&str; 5] = [
    "gateway",
    "user-svc",
    "ticket-svc",
    "payment-svc",
    "notify-svc",
];

#[test]
fn the_project_is_read() {
    for path in ["README.md", "gateway/src/main.rs", "crates/base/README.md"] {
        assert!(PROJECT.file(path).is_some(), "{path} was not read");
    }
    assert!(PROJECT.production().count() > 100);
}
