use crate::{Folder, assert_no_process, config};
use embedded::Stack;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn an_old_nats_server_is_refused() {
    let folder = Folder::new();
    let fake = folder.path().join("nats-server");
    std::fs::write(&fake, "#!/bin/sh\necho 'nats-server: v2.9.10'\n").unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    let mut config = config(&data);
    config.tools.nats_server_bin = Some(fake);
    let refused = Stack::start(config).await.unwrap_err().to_string();
    assert!(
        refused.contains("v2.9.10") && refused.contains("2.11 or newer"),
        "{refused}"
    );
    assert_no_process(&data);
}

#[tokio::test]
async fn a_folder_without_postgres_is_refused() {
    let folder = Folder::new();
    let mut config = config(folder.path());
    config.tools.postgres_bin_dir = Some(folder.path().to_owned());
    let refused = Stack::start(config).await.unwrap_err().to_string();
    assert!(refused.contains("POSTGRES_BIN_DIR"), "{refused}");
}

#[tokio::test]
async fn lost_secrets_are_named() {
    let folder = Folder::new();
    Stack::start(config(folder.path()))
        .await
        .unwrap()
        .stop()
        .await;
    std::fs::remove_file(folder.path().join("secrets/postgres.superuser")).unwrap();
    let refused = format!(
        "{:#}",
        Stack::start(config(folder.path())).await.unwrap_err()
    );
    assert!(refused.contains("secrets/postgres.superuser"), "{refused}");
}
