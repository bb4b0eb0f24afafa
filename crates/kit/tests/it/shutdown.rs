//! The end comes, whoever hangs on.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use kit::{Limits, Shutdown, client::channel};
use proto::{
    Peer,
    user::{LoginRequest, session_service_client::SessionServiceClient},
};
use testkit::eventually;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::member::{self, Options, PATIENCE};

#[tokio::test]
async fn silent_and_half_open_peers_do_not_hold_up_the_end() {
    let member = member::start().await;
    let addr = member.url.trim_start_matches("http://");
    let silent = TcpStream::connect(addr).await.unwrap();
    let mut half = TcpStream::connect(addr).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    // An honest client that is connected and idle.
    let link = channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap();
    let mut idle = SessionServiceClient::new(link);
    member.gate.add_permits(1);
    idle.login(LoginRequest::default()).await.unwrap();
    let begun = Instant::now();
    member.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    drop((silent, half, idle));
}

#[tokio::test]
async fn a_call_that_never_ends_is_closed_with_the_drain() {
    let limits = Limits {
        drain_timeout: Duration::from_millis(300),
        ..Limits::internal()
    };
    let get_me_takes = Duration::from_secs(60);
    let options = Options {
        limits,
        list_keys_takes: get_me_takes,
        ..Options::default()
    };
    let member = member::start_with(options).await;
    let link = channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap();
    let mut keys = proto::user::key_service_client::KeyServiceClient::new(link);
    let call = tokio::spawn(async move { keys.list_keys(proto::user::ListKeysRequest {}).await });
    eventually("the call to be under way", PATIENCE, async || {
        (member
            .seen
            .keys_started
            .load(std::sync::atomic::Ordering::SeqCst)
            == 1)
            .then_some(())
    })
    .await;
    let begun = Instant::now();
    member.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    call.await.unwrap().unwrap_err();
}

/// A process that gets its signal and never ends by itself: see the test below.
#[tokio::test]
#[ignore = "a part of another test"]
async fn hanging_process() {
    let shutdown = Shutdown::on_signals_within(Duration::from_millis(300)).unwrap();
    println!("waiting");
    shutdown.begun().await;
    // Sleeps: the process that hangs.
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn the_process_ends_even_if_its_runtime_hangs() {
    use std::io::{BufRead as _, BufReader};
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "shutdown::hanging_process",
            "--ignored",
            "--nocapture",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("waiting")));
    let kill = Command::new("kill")
        .args(["-TERM", &process.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            process.kill().unwrap();
            panic!("it hangs");
        }
        // Sleeps: between two looks at a process, with no runtime around.
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(kit::config::EXIT_FAILURE));
}
