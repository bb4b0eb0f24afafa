//! What a server does with too many calls, with a handler that panics, and without what it needs.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kit::{
    CallContext, Certainty, Code, ErrorReason, Failure, Limits, TraceId, UNREADY_HEADER,
    client::channel, with_context,
};
use proto::{
    Peer,
    user::{
        ListKeysRequest, LoginRequest, key_service_client::KeyServiceClient,
        session_service_client::SessionServiceClient,
    },
};
use testkit::eventually;
use tokio::net::TcpStream;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::member::{self, Options, PANICKING, PATIENCE, Running};

type Sessions = SessionServiceClient<kit::client::MeshChannel>;

fn sessions(member: &Running) -> Sessions {
    SessionServiceClient::new(channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap())
}

/// The health of the whole server, and the reasons against it.
async fn health(member: &Running) -> (ServingStatus, String) {
    let link = channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap();
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let answer = HealthClient::new(link).check(request).await.unwrap();
    let reasons = answer.metadata().get(UNREADY_HEADER);
    let reasons = reasons
        .map_or("", |reasons| reasons.to_str().unwrap())
        .to_owned();
    (answer.get_ref().status(), reasons)
}

#[tokio::test]
async fn a_panic_is_internal_with_an_id_and_the_server_lives_on() {
    let member = member::start().await;
    let trace = TraceId::new([9; 16]);
    let context = CallContext {
        trace: Some(trace.clone()),
        ..CallContext::default()
    };
    let request = LoginRequest {
        email: PANICKING.to_owned(),
        ..LoginRequest::default()
    };
    let mut client = sessions(&member);
    let status = with_context(context, client.login(request.clone()))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!format!("{status:?}").contains("private"), "{status:?}");
    let failure = Failure::from_status(&status);
    assert_eq!(failure.reason, ErrorReason::Internal);
    assert_eq!(failure.certainty, Certainty::Unknown);
    assert_eq!(failure.facts, [("incident".to_owned(), trace.to_string())]);
    // Without a trace there is an id all the same.
    let failure = Failure::from_status(&client.login(request).await.unwrap_err());
    assert_eq!(failure.facts[0].1.len(), 32, "{:?}", failure.facts);

    member.gate.add_permits(1);
    client.login(LoginRequest::default()).await.unwrap();
    member.stop().await;
}

#[tokio::test]
async fn too_many_calls_are_refused_soon_and_health_still_answers() {
    let member = member::start_with(Options {
        calls_max: 2,
        ..Options::default()
    })
    .await;
    let busy: Vec<_> = (0..2)
        .map(|_| {
            let mut client = sessions(&member);
            tokio::spawn(async move { client.login(LoginRequest::default()).await })
        })
        .collect();
    eventually("both places to be taken", PATIENCE, async || {
        (member.seen.started.load(Ordering::SeqCst) == 2).then_some(())
    })
    .await;

    let mut client = sessions(&member);
    let begun = Instant::now();
    let status = client.login(LoginRequest::default()).await.unwrap_err();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(status.code(), Code::Unavailable);
    let failure = Failure::from_status(&status);
    assert_eq!(failure.reason, ErrorReason::Overloaded);
    assert_eq!(failure.certainty, Certainty::NotDone);
    assert!(failure.retry_after.is_some());
    assert_eq!(health(&member).await.0, ServingStatus::Serving);

    member.gate.add_permits(3);
    for call in busy {
        call.await.unwrap().unwrap();
    }
    client.login(LoginRequest::default()).await.unwrap();
    assert_eq!(
        member.seen.started.load(Ordering::SeqCst),
        3,
        "the refused call never began"
    );
    member.stop().await;
}

#[tokio::test]
async fn a_call_ends_with_its_deadline_even_if_the_caller_waits_on() {
    let options = Options {
        list_keys_takes: Duration::from_secs(60),
        ..Options::default()
    };
    let member = member::start_with(options).await;
    // Clients of our own give up by themselves, so this one is bare.
    let addr = member.url.trim_start_matches("http://");
    let socket = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), socket)
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::post(format!(
        "{}/boxoffice.user.v1.KeyService/ListKeys",
        member.url
    ))
    .header("content-type", "application/grpc")
    .header("te", "trailers")
    .header("grpc-timeout", "300m")
    .header("x-boxoffice-peer", Peer::Gateway.name())
    .header(
        "x-boxoffice-credential",
        member.mesh.identity(Peer::Gateway).credential(),
    )
    .body(Full::<Bytes>::from(&[0_u8; 5][..]))
    .unwrap();
    let answer = tokio::time::timeout(PATIENCE, client.send_request(request)).await;
    let answer = answer.expect("the server ends it").unwrap();
    let status = tonic::Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(Failure::from_status(&status).certainty, Certainty::Unknown);
    drop(client);
    connection.await.unwrap().unwrap();
    member.stop().await;
}

#[tokio::test]
async fn readiness_says_why_not() {
    let member = member::start().await;
    let until = async |wanted: (ServingStatus, &str)| {
        eventually("the health to change", PATIENCE, async || {
            let (status, reasons) = health(&member).await;
            ((status, reasons.as_str()) == wanted).then_some(())
        })
        .await;
    };
    until((ServingStatus::Serving, "")).await;
    member.database.store(false, Ordering::SeqCst);
    until((ServingStatus::NotServing, "database")).await;
    member.database.store(true, Ordering::SeqCst);
    until((ServingStatus::Serving, "")).await;
    member.stop().await;
}

#[tokio::test]
async fn connections_that_grow_old_fail_no_call() {
    let limits = Limits {
        connection_age: Some(Duration::from_millis(50)),
        ..Limits::internal()
    };
    let member = member::start_with(Options {
        limits,
        ..Options::default()
    })
    .await;
    let link = channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap();
    let mut keys = KeyServiceClient::new(link);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        keys.list_keys(ListKeysRequest {}).await.unwrap();
    }
    member.stop().await;
}

#[tokio::test]
async fn a_call_to_nobody_is_certainly_not_done() {
    let member = member::start().await;
    let mut client = sessions(&member);
    member.stop().await;
    let status = client.login(LoginRequest::default()).await.unwrap_err();
    let failure = Failure::from_status(&status);
    assert_eq!(failure.certainty, Certainty::NotDone, "{status:?}");
    assert_eq!(failure.reason, ErrorReason::Unavailable);
}

#[test]
fn the_library_below_has_the_repaired_reset_counters() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let mut lines = lock.lines();
    let mut found = 0;
    while lines.any(|line| line == r#"name = "h2""#) {
        let version = lines.next().unwrap();
        let version = version
            .trim_start_matches(r#"version = ""#)
            .trim_end_matches('"');
        let parts: Vec<u32> = version
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect();
        // RUSTSEC-2026-0258, and the first release without its side effect on honest bursts.
        assert!(parts >= vec![0, 4, 20], "h2 {version}");
        found += 1;
    }
    assert!(found > 0, "h2 is not in the tree");
}
