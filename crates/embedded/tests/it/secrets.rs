use crate::Folder;
use embedded::{Secrets, random_secret};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_secret_is_made_once_and_closed_to_others() {
    let folder = Folder::new();
    let dir = folder.path().join("secrets");
    let secrets = Secrets::open(&dir).unwrap();
    assert_eq!(secrets.get("mesh").unwrap(), None);
    let made = secrets.get_or_create("mesh", random_secret).unwrap();
    assert_eq!(made.len(), 43);
    let again = Secrets::open(&dir)
        .unwrap()
        .get_or_create("mesh", random_secret)
        .unwrap();
    assert_eq!(again, made);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("mesh"))), (0o700, 0o600));
}

#[test]
fn an_empty_secret_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("mesh"), "\n").unwrap();
    let secrets = Secrets::open(folder.path()).unwrap();
    assert!(
        secrets
            .get_or_create("mesh", random_secret)
            .unwrap_err()
            .to_string()
            .contains("is empty")
    );
}
