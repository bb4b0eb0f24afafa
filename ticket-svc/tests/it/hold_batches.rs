//! What the gateway collects goes in one call, and each guest still hears of their own request alone.

use kit::{Certainty, ErrorReason, Failure};
use proto::{
    Peer,
    ticket::{
        self as api, hold_batch_service_client::HoldBatchServiceClient,
        hold_tickets_batch_answer::Outcome,
    },
};
use testkit::keys;
use tonic::Status;

use crate::shop::{Shop, refused};

type Answers = Result<Vec<Result<api::HoldTicketsResponse, Failure>>, Status>;

async fn call(shop: &Shop, peer: Peer, requests: Vec<api::HoldTicketsRequest>) -> Answers {
    call_within(shop, peer, requests, 0).await
}

async fn call_within(
    shop: &Shop,
    peer: Peer,
    requests: Vec<api::HoldTicketsRequest>,
    timeout_ms: u32,
) -> Answers {
    let channel = shop.channel(peer);
    let items = requests
        .into_iter()
        .map(|request| api::HoldTicketsBatchItem {
            request: Some(request),
            traceparent: String::new(),
            timeout_ms,
        });
    let request = api::HoldTicketsBatchRequest {
        items: items.collect(),
    };
    let answers = HoldBatchServiceClient::new(channel)
        .hold_tickets_batch(request)
        .await?
        .into_inner()
        .answers;
    let outcomes = answers
        .into_iter()
        .map(|answer| match answer.outcome.unwrap() {
            Outcome::Held(held) => Ok(held),
            Outcome::Refused(failure) => Err(Failure::from_message(failure)),
        });
    Ok(outcomes.collect())
}

fn wish(
    event: base::EventId,
    ticket_type: base::TicketTypeId,
    quantity: u32,
    key: &str,
) -> api::HoldTicketsRequest {
    api::HoldTicketsRequest {
        event_id: event.to_string(),
        lines: vec![api::HoldTicketsLine {
            ticket_type_id: ticket_type.to_string(),
            quantity,
        }],
        idempotency_key: key.to_owned(),
    }
}

fn id(answer: &Result<api::HoldTicketsResponse, Failure>) -> String {
    answer.as_ref().unwrap().hold.as_ref().unwrap().id.clone()
}

#[tokio::test]
async fn each_request_of_a_call_is_held_or_refused_for_itself() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    let (mine, short) = (keys::idempotency_key(), "too-short".to_owned());
    let other_key = keys::idempotency_key;
    let requests = vec![
        wish(event, ticket_type, 2, &mine),
        wish(event, ticket_type, 2, &other_key()),
        wish(event, ticket_type, 1, &short),
        wish(event, ticket_type, 0, &other_key()),
        wish(event, ticket_type, 1, &other_key()),
        wish(event, ticket_type, 2, &mine),
        wish(event, ticket_type, 1, &mine),
    ];
    let answers = call(&shop, Peer::Gateway, requests).await.unwrap();
    let reasons: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().err().map(|failure| failure.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            None,
            Some(ErrorReason::HeldByOthers),
            Some(ErrorReason::IdempotencyKeyInvalid),
            Some(ErrorReason::InvalidRequest),
            None,
            None,
            Some(ErrorReason::IdempotencyKeyReused),
        ]
    );
    assert_eq!(
        id(&answers[0]),
        id(&answers[5]),
        "the same key is the same hold"
    );
    let invalid = answers[3].as_ref().unwrap_err();
    assert_eq!(invalid.certainty, Certainty::NotDone);
    assert_eq!(invalid.fields[0].field, "lines[0].quantity");

    let again = call(
        &shop,
        Peer::Gateway,
        vec![wish(event, ticket_type, 2, &mine)],
    )
    .await;
    assert_eq!(id(&again.unwrap()[0]), id(&answers[0]));
    shop.close().await;
}

#[tokio::test]
async fn a_call_has_1_to_512_requests_and_comes_from_the_gateway() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1_000).await;
    let many = |count: usize| -> Vec<_> {
        (0..count)
            .map(|_| wish(event, ticket_type, 1, &keys::idempotency_key()))
            .collect()
    };
    for count in [0, 513] {
        let failure =
            Failure::from_status(&call(&shop, Peer::Gateway, many(count)).await.unwrap_err());
        assert_eq!(failure.reason, ErrorReason::InvalidRequest);
        assert_eq!(failure.fields[0].field, "items");
    }
    let answers = call(&shop, Peer::Gateway, many(512)).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 512);
    for stranger in [Peer::Payment, Peer::Operator] {
        let status = call(&shop, stranger, many(1)).await.unwrap_err();
        refused(Err::<(), _>(status), ErrorReason::CallerNotAllowed);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_waits_no_longer_takes_their_wish_back() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let one = || vec![wish(event, ticket_type, 1, &keys::idempotency_key())];
    let mut jam = shop.db.begin().await.unwrap();
    let locked = sqlx::query("SELECT id FROM pools WHERE event_id = $1 FOR UPDATE");
    locked
        .bind(event.uuid())
        .fetch_all(&mut *jam)
        .await
        .unwrap();
    let (patient, impatient) = tokio::join!(call(&shop, Peer::Gateway, one()), async {
        // It is behind the first one, whose turn has come.
        shop.waiting(1).await;
        let answers = call_within(&shop, Peer::Gateway, one(), 200).await.unwrap();
        jam.rollback().await.unwrap();
        answers
    });
    assert!(patient.unwrap()[0].is_ok());
    let unknown = impatient[0].as_ref().unwrap_err();
    assert_eq!(unknown.reason, ErrorReason::OutcomeUnknown);
    assert_eq!(unknown.certainty, Certainty::Unknown);
    assert_eq!(shop.counters(ticket_type).await, (1, 0));
    shop.close().await;
}
