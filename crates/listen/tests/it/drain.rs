//! The end: what is under way is finished, and nobody can hold it up.

use std::time::{Duration, Instant};

use listen::Limits;
use tokio::{net::TcpStream, time::timeout};

use crate::harness::{GET, GET_GATED, PATIENCE, Running, closed, read_until, start};

/// The preface of HTTP/2 and empty SETTINGS, as a client sends that then falls silent.
const HTTP2_HANDSHAKE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

async fn gated(running: &Running) -> TcpStream {
    let stream = running.send(GET_GATED).await;
    timeout(PATIENCE, running.entered.acquire())
        .await
        .unwrap()
        .unwrap()
        .forget();
    stream
}

#[tokio::test]
async fn requests_under_way_are_finished_and_the_port_closes_at_once() {
    let running = start(Limits::edge()).await;
    let mut under_way = gated(&running).await;
    let mut idle = running.send(GET).await;
    read_until(&mut idle, "done").await;
    let mut silent = running.send(b"").await;
    running.drain.cancel();
    closed(&mut idle).await;
    closed(&mut silent).await;
    assert!(
        TcpStream::connect(running.addr).await.is_err(),
        "the port still listens"
    );
    running.gate.add_permits(1);
    let answer = read_until(&mut under_way, "done").await;
    assert!(answer.contains("connection: close"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn what_does_not_end_is_closed_when_the_time_is_over() {
    let drain_timeout = Duration::from_millis(300);
    let running = start(Limits {
        drain_timeout,
        ..Limits::edge()
    })
    .await;
    let mut stuck = gated(&running).await;
    let begun = Instant::now();
    running.stop().await;
    assert!(begun.elapsed() >= drain_timeout, "{:?}", begun.elapsed());
    closed(&mut stuck).await;
}

#[tokio::test]
async fn silent_and_half_open_peers_of_http2_do_not_hold_up_the_end() {
    let running = start(Limits::internal()).await;
    let silent = running.send(b"").await;
    let half = running.send(b"PRI * HTTP/2.0\r\n").await;
    // It never answers the ping that a graceful end begins with.
    let mut mute = running.send(HTTP2_HANDSHAKE).await;
    mute.readable().await.unwrap();
    let begun = Instant::now();
    running.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    closed(&mut mute).await;
    drop((silent, half));
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end() {
    let connection_age = Some(Duration::from_millis(300));
    let running = start(Limits {
        connection_age,
        ..Limits::edge()
    })
    .await;
    let mut under_way = gated(&running).await;
    let mut idle = running.send(GET).await;
    read_until(&mut idle, "done").await;
    closed(&mut idle).await;
    // A request under way is not cut by the age.
    running.gate.add_permits(1);
    let answer = read_until(&mut under_way, "done").await;
    assert!(answer.contains("connection: close"), "{answer}");
    running.stop().await;
}
