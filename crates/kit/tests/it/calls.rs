//! Deadlines, traces, guests who leave, and the end.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use kit::{CallContext, TraceId, client::channel, with_context};
use proto::{
    Peer,
    user::{
        ListKeysRequest, LoginRequest, key_service_client::KeyServiceClient,
        session_service_client::SessionServiceClient,
    },
};
use testkit::eventually;

use crate::member::{self, PATIENCE};

#[tokio::test]
async fn deadline_and_trace_reach_the_callee_and_its_tasks() {
    let member = member::start().await;
    let channel = channel(&member.url, member.mesh.identity(Peer::Ticket)).unwrap();
    let context = CallContext {
        deadline: Some(Instant::now() + Duration::from_secs(2)),
        trace: Some(TraceId::new([7; 16])),
        client: Some([192, 0, 2, 9].into()),
    };
    let mut keys = KeyServiceClient::new(channel);
    with_context(context, keys.list_keys(ListKeysRequest {}))
        .await
        .unwrap();
    let left = member.seen.budget.lock().unwrap().unwrap();
    assert!(
        left <= Duration::from_millis(1950),
        "the hop keeps its margin: {left:?}"
    );
    assert!(left > Duration::from_millis(500), "{left:?}");
    let trace = member.seen.trace.lock().unwrap().clone();
    assert_eq!(trace, Some(TraceId::new([7; 16]).to_string()));
}

#[tokio::test]
async fn work_goes_on_when_its_caller_hangs_up_and_the_end_waits_for_it() {
    let member = member::start().await;
    let channel = channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap();
    let mut sessions = SessionServiceClient::new(channel);
    let call = tokio::spawn(async move { sessions.login(LoginRequest::default()).await });
    eventually("the work to start", PATIENCE, async || {
        (member.seen.started.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());

    member.shutdown.begin();
    assert_eq!(member.tasks.in_flight(), 1);
    assert!(!member.serving.is_finished());
    member.gate.add_permits(1);
    member.serving.await.unwrap().unwrap();
    assert_eq!(member.seen.finished.load(Ordering::SeqCst), 1);
    assert_eq!(member.tasks.in_flight(), 0);
}

#[tokio::test]
async fn a_change_is_not_cancelled_at_its_callee_when_the_caller_leaves() {
    let member = member::start().await;
    let link = channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap();
    let mut sessions = SessionServiceClient::new(link.clone());
    let call = tokio::spawn(async move { sessions.login(LoginRequest::default()).await });
    eventually("the work to start", PATIENCE, async || {
        (member.seen.started.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // One call on each connection: what was sent before them has arrived by then.
    let mut keys = KeyServiceClient::new(link);
    for _ in 0..2 {
        keys.list_keys(ListKeysRequest {}).await.unwrap();
    }
    member.gate.add_permits(1);
    eventually("the handler to come to its end", PATIENCE, async || {
        (member.seen.answered.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    member.stop().await;
}
