//! Members that know each other by certificates, as they do on machines of their own.

use std::path::Path;

use base::Sources;
use boxoffice::{CertsArguments, certs};
use kit::{Failure, MeshSettings};
use proto::{
    Peer,
    ticket::{CommitOrderRequest, inventory_service_client::InventoryServiceClient},
};
use reqwest::{Method, StatusCode};
use testkit::{Authority, NatsServer, keys::idempotency_key};

use crate::harness::{BoxOffice, PATIENCE};

fn make_certificates(folder: &Path) {
    let arguments = CertsArguments {
        out: folder.to_owned(),
        days: 1,
        host: Vec::new(),
    };
    certs(&arguments, &Sources::system()).unwrap();
}

/// What another member hears when it wants to say that an order is paid.
async fn commit_as(office: &BoxOffice, folder: &Path, peer: Peer) -> Failure {
    let settings = MeshSettings {
        key: None,
        certs_dir: Some(folder.join(peer.name())),
    };
    let url = format!("https://{}", office.mesh.lock().await.addr(Peer::Ticket));
    let channel = settings.open(peer).unwrap().channel(&url, Peer::Ticket);
    let mut inventory = InventoryServiceClient::new(channel.unwrap());
    let answer = inventory.commit_order(CommitOrderRequest::default()).await;
    Failure::from_status(&answer.unwrap_err())
}

#[tokio::test]
async fn a_purchase_over_mutual_tls_before_and_after_a_renewal() {
    let folder = Authority::folder();
    make_certificates(&folder);
    let any_port = "127.0.0.1:0".parse().unwrap();
    let nats = NatsServer::start_private().await;
    let office = BoxOffice::open_known_by(any_port, nats, &[], Some(folder.clone())).await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 1, "ada@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;

    // Stock is moved by payment-svc alone, whoever else is a member.
    for peer in [Peer::Gateway, Peer::Notify, Peer::User, Peer::Operator] {
        let refused = commit_as(&office, &folder, peer).await;
        assert_eq!(
            refused.reason,
            kit::ErrorReason::CallerNotAllowed,
            "{peer:?}"
        );
    }
    // And nothing of it is there for who comes from outside.
    let inside = "/boxoffice.ticket.v1.InventoryService/CommitOrder";
    for method in [Method::POST, Method::GET] {
        let (status, _) = guest.call(method, inside).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let addr = office.mesh.lock().await.addr(Peer::Ticket);
    let answer = office
        .client
        .post(format!("http://{addr}{inside}"))
        .send()
        .await;
    assert!(answer.is_err(), "{answer:?}");

    // Renewed, and one member comes again: the others meet it with what is in their folders now.
    let before = std::fs::read(folder.join("ticket-svc/tls.crt")).unwrap();
    make_certificates(&folder);
    assert_ne!(
        before,
        std::fs::read(folder.join("ticket-svc/tls.crt")).unwrap()
    );
    let mut mesh = office.mesh.lock().await;
    mesh.stop_member(Peer::Ticket).await.unwrap();
    mesh.start_member(Peer::Ticket).await.unwrap();
    drop(mesh);
    let held = testkit::eventually("a hold", PATIENCE, async || {
        let (status, hold) = guest.hold_with(&on_sale, 1, &idempotency_key()).await;
        (status == StatusCode::CREATED).then_some(hold)
    })
    .await;
    let (status, order) = guest.order(&held, "grace@example.org").await;
    assert_eq!(status, StatusCode::CREATED, "{order}");
    guest.pay(&order, crate::guest::CARD_OK).await;
    guest.wait_for(&order, "fulfilled").await;
    office.close().await;
}

#[test]
fn certificates_are_made_for_their_members_alone() {
    let folder = Authority::folder();
    make_certificates(&folder);
    let authority = std::fs::read(folder.join("ca.crt")).unwrap();
    make_certificates(&folder);
    assert_eq!(authority, std::fs::read(folder.join("ca.crt")).unwrap());
    for peer in Peer::ALL {
        let own = folder.join(peer.name());
        assert_eq!(authority, std::fs::read(own.join("ca.crt")).unwrap());
        assert!(!own.join("ca.key").exists());
        for other in Peer::ALL {
            let settings = MeshSettings {
                key: None,
                certs_dir: Some(own.clone()),
            };
            assert_eq!(
                settings.open(other).is_ok(),
                peer == other,
                "{peer:?} as {other:?}"
            );
        }
        let key = std::fs::metadata(own.join("tls.key")).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(key.permissions().mode() & 0o077, 0);
    }
    // What was left under the name of a draft is not written through, and no draft stays.
    let elsewhere = folder.join("elsewhere");
    std::fs::write(&elsewhere, "mine").unwrap();
    let drafts = ["gateway/tls.key.draft", "gateway/tls.crt.draft"].map(|name| folder.join(name));
    for draft in &drafts {
        std::os::unix::fs::symlink(&elsewhere, draft).unwrap();
    }
    make_certificates(&folder);
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "mine");
    assert!(drafts.iter().all(|draft| !draft.exists()));
    // An authority whose key is gone signs nothing, and is not replaced in silence.
    std::fs::remove_file(folder.join("ca.key")).unwrap();
    let arguments = CertsArguments {
        out: folder,
        days: 1,
        host: Vec::new(),
    };
    certs(&arguments, &Sources::system()).unwrap_err();
}
