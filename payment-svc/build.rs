fn main() {
    // `sqlx::migrate!` reads the folder at compile time; without this a new file goes unnoticed.
    println!("cargo::rerun-if-changed=migrations");
}
