//! Callers who give up in masses harm nobody else on their connection.

use std::time::Duration;

use kit::client::{MeshChannel, channel};
use proto::{
    Peer,
    user::{
        GetMeRequest, ListKeysRequest, key_service_client::KeyServiceClient,
        session_service_client::SessionServiceClient,
    },
};
use tonic::Request;

use crate::member::{self, GOOD_TOKEN, Options};

const INNOCENT_CALLERS: usize = 40;
const CALLS_EACH: usize = 50;
const GIVEN_UP: u64 = 8000;
/// So many start at once, a few milliseconds apart.
const BURST: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cancelled_calls_fails_no_other() {
    let options = Options {
        // What is tested is the connection, not the bound on calls.
        calls_max: 100_000,
        list_keys_takes: Duration::from_millis(20),
        get_me_takes: Duration::from_millis(400),
        ..Options::default()
    };
    let member = member::start_with(options).await;
    let link = channel(&member.url, member.mesh.identity(Peer::Gateway)).unwrap();
    let innocent: Vec<_> = (0..INNOCENT_CALLERS)
        .map(|_| tokio::spawn(innocent(link.clone())))
        .collect();
    let mut storm = Vec::new();
    for number in 0..GIVEN_UP {
        let patience = Duration::from_micros(200 + number % 40 * 100);
        storm.push(tokio::spawn(give_up(link.clone(), patience)));
        if number % BURST == BURST - 1 {
            // Sleeps: the pause between two bursts of the storm.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    for call in storm {
        call.await.unwrap();
    }
    let mut failures = Vec::new();
    for caller in innocent {
        failures.extend(caller.await.unwrap());
    }
    let (number, first) = (failures.len(), failures.first());
    assert_eq!(
        number,
        0,
        "of {} calls failed; the first: {first:?}",
        INNOCENT_CALLERS * CALLS_EACH
    );
    member.stop().await;
}

/// Calls one after the other, and tells what failed.
async fn innocent(link: MeshChannel) -> Vec<tonic::Status> {
    let mut keys = KeyServiceClient::new(link);
    let mut failures = Vec::new();
    for _ in 0..CALLS_EACH {
        let mut answer = keys.list_keys(ListKeysRequest {}).await;
        // A machine that has no time for a call says nothing about its connection; one that hangs has none for any.
        for _ in 0..3 {
            if answer.as_ref().is_err_and(ran_out_of_time) {
                answer = keys.list_keys(ListKeysRequest {}).await;
            }
        }
        failures.extend(answer.err());
    }
    failures
}

fn ran_out_of_time(status: &tonic::Status) -> bool {
    status.code() == tonic::Code::DeadlineExceeded || status.message() == "Timeout expired"
}

async fn give_up(link: MeshChannel, patience: Duration) {
    let mut request = Request::new(GetMeRequest {});
    let token = format!("Bearer {GOOD_TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let mut sessions = SessionServiceClient::new(link);
    drop(tokio::time::timeout(patience, sessions.get_me(request)).await);
}
