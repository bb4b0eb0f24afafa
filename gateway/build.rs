//! Embeds the pages of docs/errors/ as a table `(reason word, page)`, sorted by word.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders in the environment"
)]

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
        .join("../docs/errors")
        .canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    let mut table = String::from("pub static PAGES: &[(&str, &str)] = &[\n");
    for page in pages {
        let word = page
            .file_stem()
            .and_then(|stem| stem.to_str())
            .ok_or("a page's name is not UTF-8")?;
        writeln!(table, "    ({word:?}, include_str!({page:?})),")?;
    }
    table.push_str("];\n");
    fs::write(
        PathBuf::from(env::var("OUT_DIR")?).join("error_pages.rs"),
        table,
    )?;
    Ok(())
}
