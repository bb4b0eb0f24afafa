use std::process::Command;

use serde_json::Value;

use crate::project::root;

/// A crate of the workspace.
#[derive(Clone, Debug)]
pub struct Crate {
    /// The folder from the project's root; names the crate in messages.
    pub folder: String,
    /// What its Cargo.toml lists.
    pub dependencies: Vec<(Kind, String)>,
}

/// What a dependency is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To build what ships.
    Build,
    /// For tests only.
    Test,
}

impl Crate {
    /// Names of dependencies of the kind: folders for crates of the workspace, else package names.
    pub fn needs(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.dependencies
            .iter()
            .filter(move |(of, _)| *of == kind)
            .map(|(_, name)| name.as_str())
    }
}

/// The crates as `cargo metadata` tells them, sorted by folder.
///
/// # Panics
/// If cargo cannot be run or does not answer as documented.
pub fn crates() -> Vec<Crate> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata failed: {said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo answers in JSON");
    let root = text(&metadata, "workspace_root");
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut crates: Vec<Crate> = list(&metadata, "packages")
        .iter()
        .map(|package| Crate {
            folder: folder(root, text(package, "manifest_path")),
            dependencies: list(package, "dependencies")
                .iter()
                .map(|dependency| (kind(dependency), name(root, dependency)))
                .collect(),
        })
        .collect();
    crates.sort_by(|a, b| a.folder.cmp(&b.folder));
    crates
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn folder(root: &str, manifest: &str) -> String {
    let folder = manifest.strip_suffix("Cargo.toml").unwrap_or(manifest);
    folder
        .strip_prefix(root)
        .unwrap_or(folder)
        .trim_matches('/')
        .to_owned()
}

fn kind(dependency: &Value) -> Kind {
    if text(dependency, "kind") == "dev" {
        Kind::Test
    } else {
        Kind::Build
    }
}

fn name(root: &str, dependency: &Value) -> String {
    match dependency["path"].as_str() {
        Some(path) => folder(root, path),
        None => text(dependency, "name").to_owned(),
    }
}
