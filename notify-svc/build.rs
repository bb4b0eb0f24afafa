fn main() {
    // `migrate!` reads the folder while compiling; a new file must compile it again.
    println!("cargo::rerun-if-changed=migrations");
}
