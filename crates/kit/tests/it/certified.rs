//! Members who know each other by certificates: who gets in, as whom, and what happens when the files
//! change.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use kit::{
    Bind, Certainty, ErrorReason, Failure, Member, MeshSettings, ServerBuilder, Tasks,
    certified_name, client::channel,
};
use proto::{
    Peer,
    user::{
        ListKeysRequest, LoginRequest, key_service_client::KeyServiceClient,
        session_service_client::SessionServiceClient,
    },
};
use testkit::{Authority, Validity, eventually};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::member::{self, Options, PATIENCE, Running};

/// A folder with a certificate of the member.
fn folder(authority: &Authority, peer: Peer) -> PathBuf {
    let folder = Authority::folder();
    authority.write(&folder, &[&certified_name(peer)], Validity::Now);
    folder
}

fn open(folder: PathBuf, peer: Peer) -> anyhow::Result<Member> {
    let settings = MeshSettings {
        key: None,
        certs_dir: Some(folder),
    };
    settings.open(peer)
}

/// As the gateway is given it, but with these names in the certificate.
fn with_names(authority: &Authority, names: &[&str], validity: Validity) -> Member {
    let folder = Authority::folder();
    let gateway = certified_name(Peer::Gateway);
    let names: Vec<&str> = names.iter().copied().chain([gateway.as_str()]).collect();
    authority.write(&folder, &names, validity);
    open(folder, Peer::Gateway).unwrap()
}

async fn user_svc(authority: &Authority) -> Running {
    let certs_dir = Some(folder(authority, Peer::User));
    let options = Options::default();
    member::start_with(Options {
        certs_dir,
        ..options
    })
    .await
}

/// The keys are open to every service, so this asks only whether it is one.
async fn list_keys(member: &Member, url: &str) -> Result<(), Failure> {
    let mut keys = KeyServiceClient::new(member.channel(url, Peer::User).unwrap());
    let answer = keys.list_keys(ListKeysRequest {}).await;
    answer
        .map(drop)
        .map_err(|status| Failure::from_status(&status))
}

#[tokio::test]
async fn a_certificate_says_who_calls_and_the_contract_what_they_may() {
    let authority = Authority::new();
    let user = user_svc(&authority).await;
    for peer in [Peer::Gateway, Peer::Ticket] {
        let member = open(folder(&authority, peer), peer).unwrap();
        list_keys(&member, &user.url).await.unwrap();
    }
    let login = async |peer| {
        let member = open(folder(&authority, peer), peer).unwrap();
        let mut sessions =
            SessionServiceClient::new(member.channel(&user.url, Peer::User).unwrap());
        user.gate.add_permits(1);
        sessions.login(LoginRequest::default()).await
    };
    let named = proto::policy("/boxoffice.user.v1.SessionService/Login");
    for peer in named.unwrap().callers {
        login(*peer).await.unwrap();
    }
    for peer in [Peer::Ticket, Peer::Payment, Peer::Notify] {
        let refused = Failure::from_status(&login(peer).await.unwrap_err());
        assert_eq!(refused.reason, ErrorReason::CallerNotAllowed, "{peer:?}");
    }
    user.stop().await;
}

#[tokio::test]
async fn what_a_call_says_of_its_caller_does_not_count() {
    let authority = Authority::new();
    let user = user_svc(&authority).await;
    let notify = open(folder(&authority, Peer::Notify), Peer::Notify).unwrap();
    let mut sessions = SessionServiceClient::new(notify.channel(&user.url, Peer::User).unwrap());
    let mut request = tonic::Request::new(LoginRequest::default());
    let gateway = user.mesh.identity(Peer::Gateway);
    let metadata = request.metadata_mut();
    metadata.insert("x-boxoffice-peer", "gateway".parse().unwrap());
    let credential = gateway.credential().parse().unwrap();
    metadata.insert("x-boxoffice-credential", credential);
    let refused = Failure::from_status(&sessions.login(request).await.unwrap_err());
    assert_eq!(refused.reason, ErrorReason::CallerNotAllowed);
    user.stop().await;
}

#[tokio::test]
async fn strangers_do_not_get_as_far_as_a_call() {
    let (authority, other) = (Authority::new(), Authority::new());
    let user = user_svc(&authority).await;
    let gateway = open(folder(&authority, Peer::Gateway), Peer::Gateway).unwrap();
    list_keys(&gateway, &user.url).await.unwrap();

    let both_ways = Authority::folder();
    other.write(&both_ways, &[&certified_name(Peer::Gateway)], Validity::Now);
    // It trusts the server, but the server does not know who signed its own.
    fs::write(both_ways.join("ca.crt"), &authority.pem).unwrap();
    let another = certified_name(Peer::Payment);
    let strangers = [
        ("another authority", open(both_ways, Peer::Gateway).unwrap()),
        ("expired", with_names(&authority, &[], Validity::Expired)),
        ("not yet", with_names(&authority, &[], Validity::NotYet)),
        (
            "two members",
            with_names(&authority, &[&another], Validity::Now),
        ),
        (
            "any member",
            with_names(&authority, &["*.boxoffice.internal"], Validity::Now),
        ),
    ];
    for (who, stranger) in strangers {
        let answer = list_keys(&stranger, &user.url).await;
        assert!(answer.is_err(), "{who}");
    }

    // Without a certificate, and without TLS.
    let plain = user.url.replace("https", "http");
    let bare = channel(&plain, user.mesh.identity(Peer::Gateway)).unwrap();
    let answer = KeyServiceClient::new(bare)
        .list_keys(ListKeysRequest {})
        .await;
    assert!(answer.is_err());
    let addr: SocketAddr = plain.strip_prefix("http://").unwrap().parse().unwrap();
    let mut raw = TcpStream::connect(addr).await.unwrap();
    raw.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    drop(raw.read_to_end(&mut said).await);
    // A record of TLS that says why, and nothing of HTTP/2.
    assert!(said.first().is_none_or(|kind| *kind == 21), "{said:?}");
    assert_eq!(
        user.seen
            .keys_started
            .load(std::sync::atomic::Ordering::SeqCst),
        1
    );
    user.stop().await;
}

#[tokio::test]
async fn a_caller_wants_to_meet_who_it_means() {
    let authority = Authority::new();
    let user = user_svc(&authority).await;
    let gateway = open(folder(&authority, Peer::Gateway), Peer::Gateway).unwrap();
    let channel = gateway.channel(&user.url, Peer::Ticket).unwrap();
    let answer = KeyServiceClient::new(channel)
        .list_keys(ListKeysRequest {})
        .await;
    let failure = Failure::from_status(&answer.unwrap_err());
    assert_eq!(failure.reason, ErrorReason::Unavailable);
    assert_eq!(failure.certainty, Certainty::NotDone);
    // One who is signed by somebody else is no member either, whatever its name.
    let stranger = user_svc(&Authority::new()).await;
    assert!(list_keys(&gateway, &stranger.url).await.is_err());
    user.stop().await;
    stranger.stop().await;
}

#[tokio::test]
async fn new_files_are_used_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let certs_dir = folder(&old, Peer::User);
    let options = Options::default();
    let user = member::start_with(Options {
        certs_dir: Some(certs_dir.clone()),
        ..options
    })
    .await;
    let before = open(folder(&old, Peer::Gateway), Peer::Gateway).unwrap();
    let after_dir = folder(&new, Peer::Gateway);
    let after = open(after_dir.clone(), Peer::Gateway).unwrap();
    let mut open_before = KeyServiceClient::new(before.channel(&user.url, Peer::User).unwrap());
    for _ in 0..2 {
        open_before.list_keys(ListKeysRequest {}).await.unwrap();
    }
    assert!(list_keys(&after, &user.url).await.is_err());

    // Half of a change: what was there goes on.
    fs::write(certs_dir.join("tls.key"), "nonsense").unwrap();
    // Sleeps: longer than the pause between two looks at the files.
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let again = open(folder(&old, Peer::Gateway), Peer::Gateway).unwrap();
    list_keys(&again, &user.url).await.unwrap();

    new.write(&certs_dir, &[&certified_name(Peer::User)], Validity::Now);
    eventually(
        "the server to use its new certificate",
        PATIENCE,
        async || {
            let fresh = open(after_dir.clone(), Peer::Gateway).unwrap();
            list_keys(&fresh, &user.url).await.ok()
        },
    )
    .await;
    // Nobody signed by the old authority gets in any more; whoever is in stays.
    let late = open(folder(&old, Peer::Gateway), Peer::Gateway).unwrap();
    assert!(list_keys(&late, &user.url).await.is_err());
    open_before.list_keys(ListKeysRequest {}).await.unwrap();
    user.stop().await;
}

#[tokio::test]
async fn a_key_is_for_one_machine_and_a_certificate_for_its_member() {
    let mesh: kit::MeshKey = testkit::keys::mesh_key().parse().unwrap();
    let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let builder = |trust: kit::Trust| {
        ServerBuilder::new(Peer::User, Bind::Addr(everywhere), trust, Tasks::new())
    };
    let refused = builder(mesh.clone().into()).await.err().unwrap();
    assert!(refused.to_string().contains("MESH_CERTS_DIR"), "{refused}");
    let authority = Authority::new();
    let certified = open(folder(&authority, Peer::User), Peer::User).unwrap();
    assert!(builder(certified.clone().into()).await.is_ok());

    let settings = MeshSettings {
        key: Some(mesh),
        certs_dir: None,
    };
    let keyed = settings.open(Peer::Gateway).unwrap();
    for url in [
        "http://10.0.0.1:50051",
        "http://user-svc:50051",
        "https://127.0.0.1:50051",
    ] {
        assert!(keyed.channel(url, Peer::User).is_err(), "{url}");
    }
    assert!(keyed.channel("http://127.0.0.1:50051", Peer::User).is_ok());
    assert!(
        certified
            .channel("http://127.0.0.1:50051", Peer::User)
            .is_err()
    );

    let refused = open(folder(&authority, Peer::User), Peer::Ticket).unwrap_err();
    let refused = format!("{refused:#}");
    assert!(
        refused.contains("ticket-svc.boxoffice.internal"),
        "{refused}"
    );
    let empty = open(Authority::folder(), Peer::User).unwrap_err();
    assert!(format!("{empty:#}").contains("ca.crt"), "{empty:#}");
}

#[tokio::test]
async fn one_address_cannot_take_all_handshakes() {
    let authority = Authority::new();
    let user = user_svc(&authority).await;
    let addr: SocketAddr = user.url.strip_prefix("https://").unwrap().parse().unwrap();
    let mut strangers = Vec::new();
    for _ in 0..64 {
        strangers.push(TcpStream::connect(addr).await.unwrap());
    }
    // The one too many is closed at once, and not when its time for the handshake is over.
    let mut one_more = TcpStream::connect(addr).await.unwrap();
    let mut bytes = [0; 64];
    let closed = one_more.read(&mut bytes);
    let closed = tokio::time::timeout(Duration::from_secs(3), closed).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    // A member with another address is served meanwhile.
    let elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
    elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut elsewhere = elsewhere.connect(addr).await.unwrap();
    let open = elsewhere.read(&mut bytes);
    let open = tokio::time::timeout(Duration::from_millis(300), open).await;
    assert!(open.is_err(), "{open:?}");
    drop((strangers, elsewhere));
    user.stop().await;
}
