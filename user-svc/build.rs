//! `sqlx::migrate!` reads the folder at compile time; without this a new file would go unnoticed.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
