//! Each connection has its time and no more, and there are only so many.

use std::time::{Duration, Instant};

use listen::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{
    GET, GET_GATED, GET_LARGE, LARGE_BYTES, PATIENCE, closed, drain, read_until, start,
};

const HALF_A_HEADER: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ";

#[tokio::test]
async fn silent_and_slow_senders_are_gone_within_six_seconds() {
    let running = start(Limits::edge()).await;
    // A machine that others use as well may be late once, and is not late each time.
    let mut times = Vec::new();
    while times
        .last()
        .is_none_or(|took| *took >= Duration::from_secs(6))
    {
        assert!(times.len() < 6, "{times:?}");
        let begun = Instant::now();
        let mut silent = running.send(b"").await;
        let mut half = running.send(HALF_A_HEADER).await;
        let mut dribbling = running.send(b"GET / HTTP/1.1\r\nx-a: ").await;
        let dribble = async {
            while dribbling.write_all(b"a").await.is_ok() {
                // Sleeps: a sender that dribbles.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::join!(closed(&mut silent), closed(&mut half), dribble);
        let took = begun.elapsed();
        assert!(took > Duration::from_secs(4), "{took:?}");
        times.push(took);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_handshake_of_http2_that_stalls_is_cut() {
    let limits = Limits {
        header_timeout: Duration::from_millis(200),
        ..Limits::internal()
    };
    let running = start(limits).await;
    let mut half = running.send(b"PRI * HTTP/2.0\r\n").await;
    closed(&mut half).await;
    running.stop().await;
}

#[tokio::test]
async fn an_idle_connection_lives_longer_than_a_slow_header() {
    let header_timeout = Duration::from_millis(200);
    let idle_timeout = Duration::from_secs(3);
    let running = start(Limits {
        header_timeout,
        idle_timeout,
        ..Limits::edge()
    })
    .await;
    let mut stream = running.send(GET).await;
    read_until(&mut stream, "done").await;
    // Sleeps: idle for longer than a header may take.
    tokio::time::sleep(header_timeout * 2).await;
    stream.write_all(GET).await.unwrap();
    read_until(&mut stream, "done").await;
    // The second request of a connection is watched as the first is.
    let begun = Instant::now();
    stream.write_all(HALF_A_HEADER).await.unwrap();
    closed(&mut stream).await;
    assert!(begun.elapsed() < idle_timeout, "{:?}", begun.elapsed());
    let begun = Instant::now();
    let mut idle = running.send(GET).await;
    closed(&mut idle).await;
    assert!(begun.elapsed() >= idle_timeout, "{:?}", begun.elapsed());
    running.stop().await;
}

#[tokio::test]
async fn a_slow_body_fails_and_an_answer_may_take_long() {
    let short = Duration::from_millis(200);
    let (first_byte_timeout, header_timeout, body_timeout) = (short, short, short);
    let limits = Limits {
        first_byte_timeout,
        header_timeout,
        body_timeout,
        ..Limits::edge()
    };
    let running = start(limits).await;
    let mut slow = running
        .send(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    let answer = read_until(&mut slow, "in time").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");

    let mut gated = running.send(GET_GATED).await;
    // Sleeps: an answer that takes longer than a header may.
    tokio::time::sleep(short * 2).await;
    running.gate.add_permits(1);
    read_until(&mut gated, "done").await;
    running.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_when_to_come_back() {
    let running = start(Limits {
        connections_max: 2,
        ..Limits::edge()
    })
    .await;
    let mut first = running.send(GET).await;
    let mut second = running.send(GET).await;
    read_until(&mut first, "done").await;
    read_until(&mut second, "done").await;
    let mut third = running.send(GET).await;
    let answer = read_until(&mut third, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    // The two go on, and their place is free when they go.
    first.write_all(GET).await.unwrap();
    read_until(&mut first, "done").await;
    drop(first);
    let begun = Instant::now();
    loop {
        let mut next = running.send(GET).await;
        if read_until(&mut next, "\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 200")
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the place is never free");
    }
    running.stop().await;
}

#[tokio::test]
async fn one_address_has_its_share_and_no_more() {
    let running = start(Limits {
        connections_per_address_max: 2,
        ..Limits::edge()
    })
    .await;
    let mut first = running.send(GET).await;
    let mut second = running.send(GET).await;
    read_until(&mut first, "done").await;
    read_until(&mut second, "done").await;
    let mut third = running.send(GET).await;
    let answer = read_until(&mut third, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    // Another address has its own.
    let elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut elsewhere = elsewhere.connect(running.addr).await.unwrap();
    elsewhere.write_all(GET).await.unwrap();
    read_until(&mut elsewhere, "done").await;
    running.stop().await;
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_cut() {
    let running = start(Limits {
        write_timeout: Duration::from_secs(2),
        ..Limits::edge()
    })
    .await;
    let mut deaf = running.send(GET_LARGE).await;
    let begun = Instant::now();
    // Reads: what the sockets hold; then the end, because nobody read in time.
    read_until(&mut deaf, "HTTP/1.1 200").await;
    // Sleeps: a reader that takes nothing.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let read = drain(&mut deaf).await;
    assert!(read < LARGE_BYTES, "{read}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());

    // Who reads slowly and goes on reading gets everything.
    let mut slow = running.send(GET_LARGE).await;
    let mut read = 0;
    let mut bytes = vec![0; 4 * 1024 * 1024];
    while read < LARGE_BYTES {
        // Sleeps: a slow reader.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let n = slow.read(&mut bytes).await.unwrap();
        assert!(n > 0, "cut after {read}");
        read += n;
    }
    running.stop().await;
}
