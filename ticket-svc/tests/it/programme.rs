//! What members read that keep a copy of the programme, and the hint that they get.

use std::time::Duration;

use base::Secret;
use futures::StreamExt as _;
use proto::ticket::{self as api, ReadProgrammeRequest, ReadProgrammeResponse};
use testkit::NatsServer;

use crate::shop::{Shop, event_request, refused_field};

const PATIENCE: Duration = Duration::from_secs(60);

async fn read(shop: &Shop, request: ReadProgrammeRequest) -> ReadProgrammeResponse {
    let read = shop.catalog.clone().read_programme(request).await;
    read.unwrap().into_inner()
}

async fn get(shop: &Shop, id: &str) -> api::GetEventResponse {
    let request = api::GetEventRequest {
        id_or_slug: id.to_owned(),
    };
    let got = shop.catalog.clone().get_event(request).await;
    got.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_every_active_event_as_guests_see_it() {
    let shop = Shop::open().await;
    let mut ids = Vec::new();
    for stock in 1..=5 {
        ids.push(shop.on_sale(stock).await.0.to_string());
    }
    let paused = shop.event().await;
    shop.set_event_status(paused, "inactive").await;
    let mut seen = Vec::new();
    let mut after_id = String::new();
    loop {
        let page = read(
            &shop,
            ReadProgrammeRequest {
                after_id,
                page_size: 2,
                ..Default::default()
            },
        )
        .await;
        assert!(page.entries.len() <= 2);
        for entry in page.entries {
            let event = entry.event.unwrap();
            let got = get(&shop, &event.id).await;
            assert_eq!(Some(&event), got.event.as_ref());
            assert_eq!(entry.ticket_types, got.ticket_types);
            seen.push(event.id);
        }
        after_id = page.next_after_id;
        if after_id.is_empty() {
            break;
        }
    }
    ids.sort();
    assert_eq!(seen, ids);

    // Those that were asked for, without those that guests do not see.
    let asked = read(
        &shop,
        ReadProgrammeRequest {
            event_ids: vec![paused.to_string(), ids[3].clone()],
            ..Default::default()
        },
    )
    .await;
    let came: Vec<_> = asked
        .entries
        .iter()
        .map(|e| &e.event.as_ref().unwrap().id)
        .collect();
    assert_eq!(came, [&ids[3]]);
    // Its number is that of the list of changes: what comes later is not in it.
    let changes = api::ListEventChangesRequest {
        after_seq: asked.seq,
        limit: 0,
    };
    let later = shop
        .changes
        .clone()
        .list_event_changes(changes)
        .await
        .unwrap();
    assert_eq!(later.into_inner().changes, []);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_by_field() {
    let shop = Shop::open().await;
    let refuse = async |request: ReadProgrammeRequest, field| {
        refused_field(shop.catalog.clone().read_programme(request).await, field);
    };
    let page_size = ReadProgrammeRequest {
        page_size: 501,
        ..Default::default()
    };
    refuse(page_size, "page_size").await;
    let after_id = ReadProgrammeRequest {
        after_id: "x".to_owned(),
        ..Default::default()
    };
    refuse(after_id, "after_id").await;
    let event_ids = ReadProgrammeRequest {
        event_ids: vec!["x".to_owned()],
        ..Default::default()
    };
    refuse(event_ids, "event_ids").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_hinted_at_and_nobody_needs_nats() {
    let shop = Shop::open().await;
    let nats = NatsServer::start_private().await;
    let mut hints = nats
        .client()
        .await
        .subscribe(hints::subject::PROGRAMME_CHANGED)
        .await
        .unwrap();
    let url = Secret::new(nats.url());
    let replica = shop
        .replica_with(|config| config.nats_url = Some(url))
        .await;
    let change = async || {
        let request = shop.own(event_request("Night of the Oboe"));
        replica.admin.clone().create_event(request).await.unwrap();
    };
    // It may connect a moment after it serves.
    let first = async {
        loop {
            change().await;
            let hint = tokio::time::timeout(Duration::from_millis(200), hints.next());
            if hint.await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, first).await.unwrap();
    change().await;
    let hint = tokio::time::timeout(PATIENCE, hints.next()).await.unwrap();
    assert!(hint.unwrap().payload.is_empty());

    nats.stop().await;
    change().await;
    replica.close().await;
    shop.close().await;
}
