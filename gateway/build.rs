//! Embeds the pages of docs/errors/ as a table `(reason word, page)`, and the dashboard as it was built
//! into web/dist/admin/ as a table `(path, bytes)`, both sorted. Where it was not built the table is empty.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folders in the environment"
)]

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let crate_folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let pages = error_pages(&crate_folder.join("../docs/errors").canonicalize()?)?;
    fs::write(out.join("error_pages.rs"), pages)?;
    let files = dashboard(&crate_folder.join("../web/dist"))?;
    fs::write(out.join("dashboard.rs"), files)?;
    Ok(())
}

fn error_pages(folder: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages: Vec<PathBuf> = fs::read_dir(folder)?
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
    Ok(table)
}

fn dashboard(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    // An image is built without web/. A folder that cargo cannot watch would rebuild this crate each time.
    if let Ok(folder) = folder.canonicalize() {
        println!("cargo::rerun-if-changed={}", folder.display());
        let built = folder.join("admin");
        if built.is_dir() {
            collect(&built, "", &mut files)?;
        }
    }
    files.sort();
    let mut table = String::from("static FILES: &[(&str, &[u8])] = &[\n");
    for (path, file) in files {
        writeln!(table, "    ({path:?}, include_bytes!({file:?})),")?;
    }
    table.push_str("];\n");
    Ok(table)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What the build keeps for itself.
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push((path, entry.path()));
        }
    }
    Ok(())
}
