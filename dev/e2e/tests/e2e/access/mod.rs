//! docs/access.md against a whole box office: every RPC and every route, by everybody.
//!
//! The page is read as it stands there. What it says of a cell is tried, and what happens is compared. Doors
//! that must be closed are tried before those that are open, which may change what they open.

mod calls;
mod people;
mod routes;
mod samples;

use std::path::Path;

/// Around the tables of gRPC.
const BEGIN: &str = "<!-- made from the contracts";
const END: &str = "<!-- until here -->";

/// A row: what it is about, and what each column says.
pub struct Row {
    pub name: String,
    pub cells: Vec<String>,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/access.md");
    std::fs::read_to_string(path).unwrap()
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.trim_matches('|').split('|').map(str::trim);
    let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    Some(Row {
        name: name.to_owned(),
        cells: cells.map(str::to_owned).collect(),
    })
}

/// The rows of gRPC, by path.
pub fn methods() -> Vec<Row> {
    let page = page();
    let (_, rest) = page.split_once(BEGIN).unwrap();
    let (tables, _) = rest.split_once(END).unwrap();
    let mut service = "";
    let mut rows = Vec::new();
    for line in tables.lines() {
        if line.starts_with('#') {
            service = line.split('`').nth(1).unwrap();
        } else if let Some(row) = row(line) {
            let name = format!("/{service}/{}", row.name);
            rows.push(Row { name, ..row });
        }
    }
    rows
}

/// The rows of REST and pages, such as `GET /healthz`.
pub fn routes() -> Vec<Row> {
    let page = page();
    let (_, tables) = page.split_once(END).unwrap();
    tables.lines().filter_map(row).collect()
}

/// What is not as it stands on the page.
pub fn demand(what: &str, differences: &[String]) {
    assert!(
        differences.is_empty(),
        "docs/access.md says of {what} what is not so:\n{}",
        differences.join("\n")
    );
}
