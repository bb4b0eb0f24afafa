#![expect(
    clippy::disallowed_methods,
    reason = "a test hands a folder to its own child"
)]
use crate::{Folder, assert_no_process, config, connect, processes_of, until};
use embedded::Stack;
use sqlx::Connection as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const HOLD: &str = "EMBEDDED_IT_HOLD";

pub fn kill_9(pid: u32) {
    assert!(
        Command::new("sh")
            .args(["-c", "kill -9 $0", &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

/// Not a test of its own: what `holder` runs in another process.
#[tokio::test]
#[ignore = "run by the tests below in a process of its own"]
async fn hold_a_stack() {
    let Some(folder) = std::env::var_os(HOLD) else {
        return;
    };
    let folder = Path::new(&folder);
    let stack = Stack::start(config(folder)).await.unwrap();
    let mut tickets = connect(&stack, "tickets").await;
    sqlx::raw_sql("CREATE TABLE kept (id int)")
        .execute(&mut tickets)
        .await
        .unwrap();
    tickets.close().await.unwrap();
    std::fs::write(folder.join("held"), "").unwrap();
    std::future::pending::<()>().await;
}

/// This program again, running `hold_a_stack` on the folder; returns once the servers run.
async fn holder(folder: &Path, path: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::hold_a_stack", "--ignored"]);
    command.env(HOLD, folder).stdout(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let mut child = command.spawn().unwrap();
    until("the other process holds the stack", || {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the other process ended"
        );
        folder.join("held").exists()
    })
    .await;
    child
}

async fn killed_holder_leaves_nothing(path: Option<&str>) {
    let folder = Folder::new();
    let mut child = holder(folder.path(), path).await;
    let servers = processes_of(folder.path());
    assert!(servers.len() >= 2, "{servers:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    until("no server is left", || {
        processes_of(folder.path()).is_empty()
    })
    .await;
}

#[tokio::test]
async fn kill_9_leaves_no_server() {
    killed_holder_leaves_nothing(None).await;
}

/// A folder with every program of the PATH but one.
fn path_without(program: &str) -> Folder {
    let folder = Folder::new();
    for dir in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_name() != program {
                // The first of a name counts, as on the PATH.
                let _ =
                    std::os::unix::fs::symlink(entry.path(), folder.path().join(entry.file_name()));
            }
        }
    }
    folder
}

#[tokio::test]
async fn kill_9_leaves_no_server_without_a_death_signal() {
    killed_holder_leaves_nothing(path_without("setpriv").path().to_str()).await;
}

/// As root, PostgreSQL then runs under another account.
#[tokio::test]
async fn kill_9_leaves_no_server_without_namespaces() {
    killed_holder_leaves_nothing(path_without("unshare").path().to_str()).await;
}

#[tokio::test]
async fn the_pid_of_a_stranger_does_not_stop_a_start() {
    let folder = Folder::new();
    Stack::start(config(folder.path()))
        .await
        .unwrap()
        .stop()
        .await;
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    let cluster = folder.path().join("postgres/data");
    std::fs::write(
        cluster.join("postmaster.pid"),
        format!("{}\n{}\n", stranger.id(), cluster.display()),
    )
    .unwrap();
    Stack::start(config(folder.path()))
        .await
        .unwrap()
        .stop()
        .await;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_second_start_is_refused_and_the_data_outlives_kill_9() {
    let folder = Folder::new();
    let mut child = holder(folder.path(), None).await;
    let refused = Stack::start(config(folder.path()))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(&format!("process {}", child.id())),
        "{refused}"
    );
    assert!(refused.contains("BOXOFFICE_DATA_DIR"), "{refused}");

    // At once, while the servers of the killed process may still be ending.
    child.kill().unwrap();
    child.wait().unwrap();
    let stack = Stack::start(config(folder.path())).await.unwrap();
    let kept: Vec<i32> = sqlx::query_scalar("SELECT id FROM kept")
        .fetch_all(&mut connect(&stack, "tickets").await)
        .await
        .unwrap();
    assert!(kept.is_empty());
    stack.stop().await;
    assert_no_process(folder.path());
}

#[tokio::test]
async fn a_postmaster_left_behind_is_ended_first() {
    let folder = Folder::new();
    let stack = Stack::start(config(folder.path())).await.unwrap();
    let pid = stack.pids()[0];
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words: Vec<String> = String::from_utf8(line)
        .unwrap()
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    stack.stop().await;

    // As root it needs a namespace, as the stack itself does.
    let is_root = Path::new("/proc/self")
        .metadata()
        .is_ok_and(|meta| meta.uid() == 0);
    let namespace: &[&str] = &["unshare", "--user", "--map-user=1000", "--map-group=1000"];
    let prefix = if is_root { namespace } else { &["env"] };
    let mut orphan = Command::new(prefix[0])
        .args(&prefix[1..])
        .args(&words)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid_file = folder.path().join("postgres/data/postmaster.pid");
    until("the orphan runs", || {
        std::fs::read_to_string(&pid_file).is_ok_and(|text| text.contains("ready"))
    })
    .await;
    let stack = Stack::start(config(folder.path())).await.unwrap();
    assert!(
        orphan.try_wait().unwrap().is_some(),
        "the orphan still runs"
    );
    stack.stop().await;
}
