//! Several replicas of one member.

use std::sync::atomic::Ordering;

use kit::{MeshKey, client::channel};
use proto::{
    Peer,
    user::{ListKeysRequest, key_service_client::KeyServiceClient},
};

use crate::member::{self, Options, Running};

const CALLS: u32 = 300;

async fn running(count: usize) -> (Vec<Running>, KeyServiceClient<kit::client::MeshChannel>) {
    let mesh: MeshKey = testkit::keys::mesh_key().parse().unwrap();
    let mut members = Vec::new();
    for _ in 0..count {
        let mesh = Some(mesh.clone());
        let options = Options {
            mesh,
            ..Options::default()
        };
        members.push(member::start_with(options).await);
    }
    let urls: Vec<&str> = members.iter().map(|member| member.url.as_str()).collect();
    let link = channel(&urls.join(", "), mesh.identity(Peer::Ticket)).unwrap();
    (members, KeyServiceClient::new(link))
}

fn calls(members: &[Running]) -> Vec<u32> {
    let calls = members
        .iter()
        .map(|member| member.seen.keys_started.load(Ordering::SeqCst));
    calls.collect()
}

async fn call(keys: &KeyServiceClient<kit::client::MeshChannel>, times: u32) {
    for number in 0..times {
        // As services do it: a clone for each call.
        let answer = keys.clone().list_keys(ListKeysRequest {}).await;
        answer.unwrap_or_else(|status| panic!("call {number}: {status}"));
    }
}

#[tokio::test]
async fn all_have_the_same_share_however_often_a_client_is_cloned() {
    for count in [2, 3] {
        for clones in 0..3 {
            let (members, keys) = running(count).await;
            for _ in 0..CALLS {
                let unused: Vec<_> = (0..clones).map(|_| keys.clone()).collect();
                call(&keys, 1).await;
                drop(unused);
            }
            let mean = CALLS / u32::try_from(count).unwrap();
            let (least, most) = (mean * 4 / 5, mean * 6 / 5);
            for share in calls(&members) {
                let shares = calls(&members);
                assert!((least..=most).contains(&share), "{clones}: {shares:?}");
            }
            for member in members {
                member.stop().await;
            }
        }
    }
}

#[tokio::test]
async fn no_call_fails_while_one_after_the_other_ends() {
    let (mut members, keys) = running(3).await;
    call(&keys, 30).await;
    members.remove(0).stop().await;
    call(&keys, CALLS).await;
    members.remove(1).stop().await;
    call(&keys, CALLS).await;
    assert_eq!(calls(&members).len(), 1);
    // What is not there is looked for, but seldom.
    assert!(calls(&members)[0] > CALLS * 5 / 4, "{:?}", calls(&members));
    for member in members {
        member.stop().await;
    }
}
