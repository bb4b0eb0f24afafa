use std::{fs, path::Path};

use crate::rust::{Line, lines};

/// Folders that hold nothing a person wrote.
const NOT_OURS: [&str; 7] = [
    "target",
    ".git",
    ".tools",
    ".boxoffice",
    ".sqlx",
    "node_modules",
    "dist",
];

/// The text files of the project.
#[derive(Debug)]
pub struct Project {
    /// Sorted by path.
    pub files: Vec<File>,
}

/// A text file.
#[derive(Clone, Debug)]
pub struct File {
    /// From the project's root, with slashes.
    pub path: String,
    pub text: String,
}

impl Project {
    /// Reads the project that this crate is a part of.
    pub fn read() -> Self {
        let mut files = Vec::new();
        collect(&root(), "", &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// Where a file of the project is on this machine.
    pub fn path(file: &str) -> std::path::PathBuf {
        root().join(file)
    }

    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The text of a file; empty if there is none.
    pub fn text(&self, path: &str) -> &str {
        self.file(path).map_or("", |file| &file.text)
    }

    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// Rust files that hold more than tests.
    pub fn production(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| !file.is_test())
    }
}

impl File {
    pub fn new(path: &str, text: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            text: text.into(),
        }
    }

    /// Nothing but tests, whatever their attributes say.
    pub fn is_test(&self) -> bool {
        let path = &self.path;
        path.contains("/tests/") || path.starts_with("tests/") || path.ends_with("/tests.rs")
    }

    /// The lines of a Rust file; in a test file all of them count as test.
    pub fn lines(&self) -> Vec<Line<'_>> {
        let mut lines = lines(&self.text);
        if self.is_test() {
            lines.iter_mut().for_each(|line| line.is_test = true);
        }
        lines
    }

    /// Lies in the folder or below it.
    pub fn is_in(&self, folder: &str) -> bool {
        self.path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

pub(crate) fn root() -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap_or(root)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !NOT_OURS.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{path}/"), files);
        } else if !is_folder
            && name != "Cargo.lock"
            && name != "package-lock.json"
            // Fonts and pictures are not text.
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push(File { path, text });
        }
    }
}
