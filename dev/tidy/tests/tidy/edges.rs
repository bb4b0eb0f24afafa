//! Which crate may need which: the drawing in docs/ARCHITECTURE.md, read as it stands there.

use std::collections::BTreeSet;

use tidy::{Crate, Finding, Kind, crates, demand};

use crate::PROJECT;

const DRAWING: &str = "docs/ARCHITECTURE.md";

/// What order alone does not say: who may not have what, neither directly nor through a crate of
/// the workspace.
const APART: [(&str, &[&str], &str); 7] = [
    (
        "gateway",
        &["crates/db", "crates/events", "sqlx"],
        "the edge owns no data",
    ),
    (
        "crates/base",
        &["sqlx", "tonic", "axum", "tokio", "reqwest"],
        "vocabulary does no I/O",
    ),
    ("crates/kit", &["sqlx"], "SQL is db's"),
    (
        "dev/testkit",
        &["*-svc", "gateway", "boxoffice"],
        "it serves the tests of every service",
    ),
    (
        "*-svc",
        &["dev/*", "crates/embedded"],
        "a service is given its servers",
    ),
    (
        "gateway",
        &["dev/*", "crates/embedded"],
        "a service is given its servers",
    ),
    ("boxoffice", &["dev/*"], "what is in dev/ never ships"),
];

/// The crates from the lowest to the highest, and those that stand alone.
#[derive(Debug, Default)]
struct Drawing {
    layers: Vec<Vec<String>>,
    alone: Vec<String>,
}

impl Drawing {
    fn read(text: &str) -> Self {
        let line = text
            .lines()
            .find(|line| line.starts_with("crates ") && line.contains('→'));
        let layers = line
            .map_or("", |line| line.trim_start_matches("crates"))
            .split('→')
            .map(|layer| layer.trim().trim_matches(['{', '}']).split(','))
            .map(|layer| layer.map(|name| name.trim().to_owned()).collect())
            .collect();
        let alone = text.lines().find(|line| line.contains("stands alone"));
        let alone = alone.or_else(|| text.lines().find(|line| line.contains("stand alone")));
        let sentence = alone
            .and_then(|line| line.split("stand").next())
            .unwrap_or_default();
        let alone = sentence
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        Self { layers, alone }
    }

    fn layer(&self, folder: &str) -> Option<usize> {
        self.layers
            .iter()
            .position(|layer| layer.iter().any(|name| is(folder, name)))
    }

    fn is_alone(&self, folder: &str) -> bool {
        self.alone.iter().any(|name| is(folder, name))
    }
}

/// `crates/base` is `base`, `user-svc` is `*-svc`, `dev/e2e` is `dev/*`.
fn is(folder: &str, name: &str) -> bool {
    let last = folder.rsplit('/').next().unwrap_or(folder);
    match (name.strip_prefix('*'), name.strip_suffix('*')) {
        (Some(end), _) => folder.ends_with(end),
        (_, Some(start)) => folder.starts_with(start),
        _ => folder == name || last == name,
    }
}

/// Below everything, for tests only; their order is not drawn.
fn is_test_tool(folder: &str) -> bool {
    folder.starts_with("dev/")
}

fn forbidden_arrows(crates: &[Crate], drawing: &Drawing) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in crates {
        let at = format!("{}/Cargo.toml", one.folder);
        let own_layer = drawing.layer(&one.folder);
        let is_alone = drawing.is_alone(&one.folder);
        if own_layer.is_none() && !is_alone && !is_test_tool(&one.folder) {
            findings.push(Finding::new(
                &at,
                0,
                format!("the crate is not drawn in {DRAWING}"),
            ));
        }
        for (kind, needed) in &one.dependencies {
            let is_ours = crates.iter().any(|other| other.folder == *needed);
            let is_tools = *kind == Kind::Test && needed == "dev/testkit";
            if !is_ours || is_tools || is_test_tool(&one.folder) || drawing.is_alone(needed) {
                continue;
            }
            let goes_down = match (own_layer, drawing.layer(needed)) {
                (Some(own), Some(other)) => other < own,
                _ => false,
            };
            if is_alone || !goes_down {
                findings.push(Finding::new(&at, 0, format!("an arrow to {needed}")));
            }
        }
    }
    findings
}

/// Everything the crate gets through crates of the workspace.
fn reach(folder: &str, crates: &[Crate], seen: &mut BTreeSet<String>) {
    let own = crates.iter().find(|one| one.folder == folder);
    for needed in own.into_iter().flat_map(|one| one.needs(Kind::Build)) {
        if seen.insert(needed.to_owned()) {
            reach(needed, crates, seen);
        }
    }
}

fn not_apart(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in crates {
        let mut reached = BTreeSet::new();
        reach(&one.folder, crates, &mut reached);
        for (_, banned, why) in APART.iter().filter(|(who, ..)| is(&one.folder, who)) {
            for name in &reached {
                if banned.iter().any(|ban| is(name, ban)) {
                    let at = format!("{}/Cargo.toml", one.folder);
                    findings.push(Finding::new(at, 0, format!("needs {name}; {why}")));
                }
            }
        }
    }
    findings
}

fn sample(folder: &str, needs: &[(Kind, &str)]) -> Crate {
    let dependencies = needs
        .iter()
        .map(|(kind, name)| (*kind, (*name).to_owned()))
        .collect();
    Crate {
        folder: folder.to_owned(),
        dependencies,
    }
}

#[test]
fn the_drawing_is_read() {
    let drawing = Drawing::read(PROJECT.text(DRAWING));
    assert_eq!(drawing.layer("crates/base"), Some(0));
    assert_eq!(drawing.layer("crates/auth"), drawing.layer("crates/db"));
    assert_eq!(drawing.layer("gateway"), drawing.layer("user-svc"));
    assert!(drawing.layer("boxoffice") > drawing.layer("gateway"));
    assert!(drawing.is_alone("crates/embedded"));
}

#[test]
fn arrows_go_down() {
    let drawing = Drawing::read(PROJECT.text(DRAWING));
    let rule = format!("a crate needs only crates before it in {DRAWING}");
    demand(&rule, &forbidden_arrows(&crates(), &drawing));
}

#[test]
fn a_forbidden_arrow_is_caught() {
    let drawing = Drawing::read("crates   base → {db, auth} → *-svc\n`embedded` stands alone\n");
    let crates = [
        sample("crates/base", &[]),
        sample(
            "crates/auth",
            &[(Kind::Build, "crates/base"), (Kind::Build, "crates/db")],
        ),
        sample(
            "crates/db",
            &[(Kind::Test, "dev/testkit"), (Kind::Build, "crates/base")],
        ),
        sample("crates/embedded", &[(Kind::Build, "crates/base")]),
        sample("crates/new", &[]),
        sample("dev/testkit", &[(Kind::Build, "crates/embedded")]),
        sample(
            "a-svc",
            &[(Kind::Build, "crates/db"), (Kind::Test, "b-svc")],
        ),
        sample("b-svc", &[(Kind::Build, "serde")]),
    ];
    let found = forbidden_arrows(&crates, &drawing);
    let places: Vec<&str> = found.iter().map(|finding| finding.file.as_str()).collect();
    let expected = ["crates/auth", "crates/embedded", "crates/new", "a-svc"];
    assert_eq!(
        places,
        expected.map(|folder| format!("{folder}/Cargo.toml"))
    );
}

#[test]
fn what_is_apart_stays_apart() {
    demand(
        "some crates may not have some things",
        &not_apart(&crates()),
    );
}

#[test]
fn a_detour_is_caught() {
    let crates = [
        sample(
            "gateway",
            &[(Kind::Build, "crates/kit"), (Kind::Test, "dev/testkit")],
        ),
        sample("crates/kit", &[(Kind::Build, "crates/events")]),
        sample("crates/events", &[]),
        sample("dev/testkit", &[(Kind::Build, "user-svc")]),
        sample("user-svc", &[(Kind::Build, "sqlx")]),
    ];
    let found = not_apart(&crates);
    let whats: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "needs crates/events; the edge owns no data",
            "needs user-svc; it serves the tests of every service"
        ]
    );
}
