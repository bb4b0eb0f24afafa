//! A guest finds their orders by a code that goes to their address; nobody else learns whether there are
//! any.

use std::time::{Duration, Instant};

use kit::ErrorReason;
use prost::Message as _;
use proto::{
    event::{Envelope, LookupCodeRequested, envelope::Payload},
    payment::{
        FoundOrder, RedeemLookupCodeRequest, RequestLookupCodeRequest, RequestLookupCodeResponse,
    },
};
use testkit::keys;
use tonic::Status;

use crate::world::{World, failure};

impl World {
    pub async fn look_up(
        &self,
        email: &str,
        key: &str,
    ) -> Result<RequestLookupCodeResponse, Status> {
        self.look_up_from(email, key, "192.0.2.1").await
    }

    async fn look_up_from(
        &self,
        email: &str,
        key: &str,
        network: &str,
    ) -> Result<RequestLookupCodeResponse, Status> {
        let request = RequestLookupCodeRequest {
            email: email.to_owned(),
            locale: "de".to_owned(),
            network: network.to_owned(),
            idempotency_key: key.to_owned(),
        };
        let answer = self.desk.clone().request_lookup_code(request).await?;
        Ok(answer.into_inner())
    }

    pub async fn redeem(&self, lookup: &str, code: &str) -> Result<Vec<FoundOrder>, Status> {
        let request = RedeemLookupCodeRequest {
            lookup_id: lookup.to_owned(),
            code: code.to_owned(),
            network: "192.0.2.1".to_owned(),
            ..RedeemLookupCodeRequest::default()
        };
        let answer = self.desk.clone().redeem_lookup_code(request).await?;
        Ok(answer.into_inner().orders)
    }

    /// With the address alone.
    async fn redeem_for(&self, email: &str, code: &str) -> Result<Vec<FoundOrder>, Status> {
        let request = RedeemLookupCodeRequest {
            email: email.to_owned(),
            code: code.to_owned(),
            network: "192.0.2.1".to_owned(),
            ..RedeemLookupCodeRequest::default()
        };
        let answer = self.desk.clone().redeem_lookup_code(request).await?;
        Ok(answer.into_inner().orders)
    }

    /// The mails with codes, oldest first.
    async fn codes(&self) -> Vec<LookupCodeRequested> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT envelope FROM outbox WHERE kind = 'lookup_code_requested' ORDER BY created_at",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let read = |row: Vec<u8>| match Envelope::decode(row.as_slice()).unwrap().payload {
            Some(Payload::LookupCodeRequested(code)) => code,
            other => panic!("{other:?}"),
        };
        rows.into_iter().map(read).collect()
    }

    pub async fn mailed_code(&self) -> String {
        let mails = self.codes().await;
        self.open("lookup-code", &mails.last().unwrap().sealed_code)
    }
}

fn not(code: &str) -> String {
    let head = if code.starts_with('1') { '2' } else { '1' };
    format!("{head}{}", &code[1..])
}

#[tokio::test]
async fn the_code_opens_every_order_of_the_address_once() {
    let world = World::start().await;
    let (first, second) = (world.sold().await, world.sold().await);
    let asked = world
        .look_up("ADA@Example.org", &keys::idempotency_key())
        .await
        .unwrap();
    let mails = world.codes().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].email.as_str(), mails[0].locale.as_str()),
        ("ADA@example.org", "de")
    );
    let code = world.mailed_code().await;
    assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()));
    let found = world.redeem(&asked.lookup_id, &code).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|order| order.id.as_str()).collect();
    assert_eq!(ids, [&second.order.id, &first.order.id]);
    assert_eq!(found[0].secret, second.secret);
    assert_eq!(found[1].event_title, "Late Show");
    // Once.
    let again = failure(world.redeem(&asked.lookup_id, &code).await);
    assert_eq!(again.reason, ErrorReason::CodeInvalid);
    world.end().await;
}

#[tokio::test]
async fn the_address_and_any_of_its_codes_open_its_orders_once() {
    let world = World::start().await;
    let placed = world.sold().await;
    let email = "ada@example.org";
    let mut codes = Vec::new();
    for _ in 0..2 {
        world
            .look_up(email, &keys::idempotency_key())
            .await
            .unwrap();
        codes.push(world.mailed_code().await);
    }
    let strange = failure(world.redeem_for("nobody@example.org", &codes[0]).await);
    assert_eq!(strange.reason, ErrorReason::CodeInvalid);
    for code in &codes {
        let found = world.redeem_for("ADA@Example.org", code).await.unwrap();
        assert_eq!(found[0].secret, placed.secret);
        let again = failure(world.redeem_for(email, code).await);
        assert_eq!(again.reason, ErrorReason::CodeInvalid);
    }
    world.end().await;
}

#[tokio::test]
async fn guessing_with_an_address_ends_that_way_and_not_the_owners_own() {
    let world = World::start().await;
    world.sold().await;
    let email = "ada@example.org";
    let asked = world.look_up(email, &keys::idempotency_key()).await;
    let code = world.mailed_code().await;
    let wrong = not(&code);
    let tries = (0..20).map(|_| world.redeem_for(email, &wrong));
    futures::future::join_all(tries).await;
    let tried = world.count("SELECT attempts_by_address::bigint FROM lookups");
    assert_eq!(tried.await, 5);
    let late = failure(world.redeem_for(email, &code).await);
    assert_eq!(late.reason, ErrorReason::CodeInvalid);
    // Whoever asked has the request as well.
    let lookup = asked.unwrap().lookup_id;
    assert_eq!(world.redeem(&lookup, &code).await.unwrap().len(), 1);
    for email in ["", "no address"] {
        let refused = failure(world.redeem_for(email, &code).await);
        assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    }
    world.end().await;
}

#[tokio::test]
async fn known_and_unknown_addresses_have_one_answer() {
    let world = World::start().await;
    world.sold().await;
    let mut times = Vec::new();
    for email in ["ada@example.org", "nobody@example.org"] {
        let began = Instant::now();
        let asked = world.look_up(email, &keys::idempotency_key()).await;
        let asked = asked.unwrap();
        times.push(began.elapsed());
        assert!(asked.expires_at.is_some() && asked.lookup_id.len() == 36);
        let wrong = failure(world.redeem(&asked.lookup_id, "no code").await);
        assert_eq!(wrong.reason, ErrorReason::CodeInvalid);
    }
    assert_eq!(world.codes().await.len(), 1);
    assert_eq!(world.count("SELECT count(*) FROM lookups").await, 2);
    assert!(times.iter().all(|took| *took >= Duration::from_millis(200)));
    // Too often is too often for both, from here.
    for email in ["ada@example.org", "nobody@example.org"] {
        for _ in 0..2 {
            world
                .look_up(email, &keys::idempotency_key())
                .await
                .unwrap();
        }
        let often = failure(world.look_up(email, &keys::idempotency_key()).await);
        assert_eq!(often.reason, ErrorReason::TooManyRequests);
        assert!(often.retry_after.is_some());
    }
    world.end().await;
}

#[tokio::test]
async fn guessing_a_code_gets_nothing_and_ends_it() {
    let world = World::start().await;
    world.sold().await;
    let asked = world
        .look_up("ada@example.org", &keys::idempotency_key())
        .await
        .unwrap();
    let code = world.mailed_code().await;
    for wrong in [&not(&code), "", &code[..7], "0000 0000 0", &code.repeat(2)] {
        let refused = failure(world.redeem(&asked.lookup_id, wrong).await);
        assert_eq!(refused.reason, ErrorReason::CodeInvalid);
    }
    // Five tries: the right one comes too late.
    let late = failure(world.redeem(&asked.lookup_id, &code).await);
    assert_eq!(late.reason, ErrorReason::CodeInvalid);
    assert_eq!(
        late.detail,
        "The code is not right, was used, or is too old."
    );
    for absent in ["", "x", "0190b6a2-7c1e-8000-8000-0123456789ab"] {
        let refused = failure(world.redeem(absent, &code).await);
        assert_eq!(
            (refused.reason, refused.detail),
            (late.reason, late.detail.clone())
        );
    }
    world.end().await;
}

#[tokio::test]
async fn tries_at_once_are_five_at_most() {
    let world = World::start().await;
    world.sold().await;
    let asked = world
        .look_up("ada@example.org", &keys::idempotency_key())
        .await
        .unwrap();
    let code = world.mailed_code().await;
    let wrong = not(&code);
    let tries = (0..20).map(|_| world.redeem(&asked.lookup_id, &wrong));
    futures::future::join_all(tries).await;
    assert_eq!(world.count("SELECT attempts::bigint FROM lookups").await, 5);
    assert!(world.redeem(&asked.lookup_id, &code).await.is_err());
    world.end().await;
}

#[tokio::test]
async fn a_stranger_elsewhere_does_not_use_up_what_the_owner_may_ask_for() {
    let world = World::start().await;
    let email = "ada@example.org";
    let mut sent = 0;
    for network in 0..6 {
        let network = format!("198.51.100.{network}");
        for _ in 0..4 {
            let key = keys::idempotency_key();
            let asked = world.look_up_from(email, &key, &network).await;
            sent += u32::from(asked.is_ok());
        }
        if network.ends_with(".0") {
            assert_eq!(sent, 3);
            world
                .look_up(email, &keys::idempotency_key())
                .await
                .unwrap();
            sent += 1;
        }
    }
    // But nobody's mailbox is filled.
    assert_eq!(sent, 12);
    world.end().await;
}

#[tokio::test]
async fn one_network_asks_and_tries_only_so_often() {
    let world = World::start().await;
    let mut refused = 0;
    for guest in 0..32 {
        let email = format!("guest-{guest}@example.org");
        let asked = world.look_up(&email, &keys::idempotency_key()).await;
        refused += u32::from(asked.is_err());
    }
    assert_eq!(refused, 2);
    let key = keys::idempotency_key();
    let elsewhere = world.look_up_from("x@example.org", &key, "198.51.100.7");
    elsewhere.await.unwrap();
    let mut limited = 0;
    for _ in 0..62 {
        let tried = failure(
            world
                .redeem("0190b6a2-7c1e-8000-8000-0123456789ab", "1")
                .await,
        );
        limited += u32::from(tried.reason == ErrorReason::TooManyRequests);
    }
    assert_eq!(limited, 2);
    world.end().await;
}

#[tokio::test]
async fn a_repeat_is_one_request_and_an_old_code_is_dead() {
    let world = World::start().await;
    world.sold().await;
    let key = keys::idempotency_key();
    let asked = world.look_up("ada@example.org", &key).await.unwrap();
    let again = world.look_up("ada@example.org", &key).await.unwrap();
    assert_eq!(asked, again);
    assert_eq!(world.codes().await.len(), 1);
    let other = failure(world.look_up("eve@example.org", &key).await);
    assert_eq!(other.reason, ErrorReason::IdempotencyKeyReused);
    let code = world.mailed_code().await;
    world
        .sql("UPDATE lookups SET expires_at = clock_timestamp() - interval '1 second'")
        .await;
    let late = failure(world.redeem(&asked.lookup_id, &code).await);
    assert_eq!(late.reason, ErrorReason::CodeInvalid);
    world.end().await;
}

#[tokio::test]
async fn neither_code_nor_address_is_stored() {
    let world = World::start().await;
    world.sold().await;
    world
        .look_up("nobody@example.org", &keys::idempotency_key())
        .await
        .unwrap();
    world
        .look_up("ada@example.org", &keys::idempotency_key())
        .await
        .unwrap();
    let code = world.mailed_code().await;
    let stored: Vec<String> = sqlx::query_scalar(
        "SELECT l::text FROM lookups l UNION ALL SELECT d::text FROM desk_limits d
         UNION ALL SELECT encode(envelope, 'escape') FROM outbox WHERE kind = 'lookup_code_requested'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(stored.len(), 8);
    for row in stored {
        assert!(!row.contains(&code) && !row.contains("nobody@example.org"));
    }
    world.end().await;
}

#[tokio::test]
async fn a_bad_address_is_named() {
    let world = World::start().await;
    let bad = failure(world.look_up("ada", &keys::idempotency_key()).await);
    assert_eq!(bad.reason, ErrorReason::InvalidRequest);
    assert_eq!(bad.fields[0].field, "email");
    let short = failure(world.look_up("ada@example.org", "short").await);
    assert_eq!(short.reason, ErrorReason::IdempotencyKeyInvalid);
    world.end().await;
}
