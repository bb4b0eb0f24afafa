//! The change feed: a reader with a cursor misses nothing.

use kit::ErrorReason;
use proto::{
    Peer,
    ticket::{self as api, change_service_client::ChangeServiceClient},
};

use crate::shop::{Shop, event_request, refused, refused_field};

const NEW_DATE: time::OffsetDateTime = time::macros::datetime!(2031-07-01 18:00 UTC);

async fn after(shop: &Shop, after_seq: i64, limit: u32) -> Vec<api::EventChange> {
    let request = api::ListEventChangesRequest { after_seq, limit };
    let answer = shop.changes.clone().list_event_changes(request).await;
    answer.unwrap().into_inner().changes
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_what_changed_and_why_an_event_was_cancelled() {
    let shop = Shop::open().await;
    let (event, _) = shop.on_sale(5).await;
    shop.update_event(api::UpdateEventRequest {
        event_id: event.to_string(),
        title: Some("After".to_owned()),
        ..Default::default()
    })
    .await;
    let mut admin = shop.admin.clone();
    let postponed = admin
        .postpone_event(shop.own(api::PostponeEventRequest {
            event_id: event.to_string(),
            expected_version: 0,
            date_time: Some(proto::timestamp(NEW_DATE)),
            reason: "The hall is flooded.\nWe are sorry.".to_owned(),
        }))
        .await
        .unwrap();
    let postponed = postponed.into_inner().event.unwrap();
    shop.cancel_event(event, "The cello is ill.").await;
    let all = after(&shop, 0, 0).await;
    let told: Vec<_> = all
        .iter()
        .map(|change| {
            (
                change.seq,
                change.change.as_str(),
                change.cancel_reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "event.created", ""),
            (2, "ticket_type.created", ""),
            (3, "event.updated", ""),
            (4, "event.postponed", ""),
            (5, "event.cancelled", "The cello is ill."),
        ]
    );
    for (change, has_facts) in all.iter().zip([false, false, true, true, false]) {
        assert_eq!(change.event.is_some(), has_facts, "{}", change.change);
    }
    let facts = all[3].event.as_ref().unwrap();
    assert_eq!(
        (facts.title.as_str(), facts.date_time),
        ("After", postponed.date_time)
    );
    // The facts are those of now, whichever change told of them.
    assert!(facts.version > postponed.version, "{}", facts.version);
    assert_eq!(all[2].event, all[3].event);
    assert_eq!(
        all[3].postpone_reason,
        "The hall is flooded.\nWe are sorry."
    );
    for change in &all {
        assert_eq!(change.event_id, event.to_string());
        assert!(change.changed_at.is_some());
    }
    assert_eq!(after(&shop, 2, 1).await, all[2..3]);
    assert!(after(&shop, 5, 1_000).await.is_empty());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_in_the_middle_of_writers_misses_nothing() {
    let shop = Shop::open().await;
    let writers: Vec<_> = (0..32)
        .map(|n| {
            let (request, mut admin) = (
                shop.own(event_request(&format!("Event {n}"))),
                shop.admin.clone(),
            );
            tokio::spawn(async move { admin.create_event(request).await.map(|_| ()) })
        })
        .collect();
    let (mut seen, mut written) = (Vec::new(), false);
    loop {
        // Read once more after the last writer is done.
        let last_round = written;
        written = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let cursor = seen.last().copied().unwrap_or(0);
        let page = after(&shop, cursor, 5).await;
        let read_all = page.is_empty() && last_round;
        seen.extend(page.into_iter().map(|change| change.seq));
        if read_all {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(seen, (1..=32).collect::<Vec<_>>());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_cursors_and_strangers_are_refused() {
    let shop = Shop::open().await;
    let mut changes = shop.changes.clone();
    let behind = api::ListEventChangesRequest {
        after_seq: -1,
        limit: 1,
    };
    refused_field(changes.list_event_changes(behind).await, "after_seq");
    let greedy = api::ListEventChangesRequest {
        after_seq: 0,
        limit: 1_001,
    };
    refused_field(changes.list_event_changes(greedy).await, "limit");
    for (peer, allowed) in [
        (Peer::User, false),
        (Peer::Notify, false),
        (Peer::Gateway, true),
        (Peer::Payment, true),
        (Peer::Operator, true),
    ] {
        let channel = shop.channel(peer);
        let answer = ChangeServiceClient::new(channel)
            .list_event_changes(api::ListEventChangesRequest::default())
            .await;
        if allowed {
            answer.unwrap();
        } else {
            refused(answer, ErrorReason::CallerNotAllowed);
        }
    }
    shop.close().await;
}
