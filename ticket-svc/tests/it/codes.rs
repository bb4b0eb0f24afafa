//! What a code is worth: told by ticket-svc, and by a scanner that has only the door list.

use std::sync::Arc;

use base::{EventId, TicketId, UserId};
use codes::{Code, Door, PublicKey, Verdict};
use kit::ErrorReason;
use proto::ticket::{self as api, TicketKeyState};
use testkit::keys;

use crate::shop::{Shop, by, refused, refused_field};

/// Reads the door list of an event from a cursor to its end.
pub async fn door_list(
    shop: &Shop,
    event: EventId,
    mut after: i64,
) -> (Vec<api::DoorKey>, Vec<api::DeadCode>) {
    let mut dead = Vec::new();
    loop {
        let request = api::ReadDoorListRequest {
            event_id: event.to_string(),
            after_seq: after,
            limit: 2,
        };
        let page = shop.codes.clone().read_door_list(request).await.unwrap();
        let page = page.into_inner();
        dead.extend(page.dead_codes);
        after = page.next_seq;
        if !page.more {
            return (page.keys, dead);
        }
    }
}

/// A scanner without a network, that has just read the list.
pub async fn scanner(shop: &Shop, event: EventId) -> Door {
    let mut door = Door::new(event);
    let (keys, dead) = door_list(shop, event, 0).await;
    for key in keys {
        let public_key = PublicKey::from_bytes(&key.public_key).unwrap();
        door.learn_key(u16::try_from(key.number).unwrap(), public_key, key.revoked);
    }
    for code in dead {
        let verdict = offline(code.verdict());
        door.learn_dead(code.digest.try_into().unwrap(), verdict);
    }
    door
}

fn offline(verdict: api::Verdict) -> Verdict {
    match verdict {
        api::Verdict::Ok => Verdict::Ok,
        api::Verdict::Void => Verdict::Void,
        api::Verdict::WrongEvent => Verdict::WrongEvent,
        api::Verdict::Revoked => Verdict::Revoked,
        api::Verdict::Unknown => Verdict::Unknown,
        api::Verdict::Unspecified => panic!("no verdict"),
    }
}

async fn verify(shop: &Shop, event: EventId, code: &str) -> api::VerifyTicketResponse {
    let request = shop.own(api::VerifyTicketRequest {
        event_id: event.to_string(),
        code: code.to_owned(),
    });
    let answer = shop.codes.clone().verify_ticket(request).await;
    answer.unwrap().into_inner()
}

/// The one verdict of ticket-svc and of a scanner.
pub async fn verdict(shop: &Shop, event: EventId, code: &str) -> Verdict {
    let asked = offline(verify(shop, event, code).await.verdict());
    let judged = scanner(shop, event).await.judge(code);
    assert_eq!(judged.verdict, asked, "{code}");
    asked
}

async fn rotate(shop: &Shop, event: EventId, number: u32, revoke: bool) -> Vec<api::TicketKey> {
    let request = shop.own(api::RotateTicketKeysRequest {
        event_id: event.to_string(),
        key_number: number,
        revoke,
    });
    let rotated = shop.codes.clone().rotate_ticket_keys(request).await;
    rotated.unwrap().into_inner().keys
}

fn states(keys: &[api::TicketKey]) -> Vec<(u32, TicketKeyState)> {
    keys.iter().map(|key| (key.number, key.state())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_through_the_life_of_its_ticket() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let elsewhere = shop.event().await;
    let order = shop.bought(event, ticket_type, 2).await;
    let issued = shop.tickets(order).await;
    let (one, other) = (&issued[0], &issued[1]);
    assert_eq!(verdict(&shop, event, &one.code).await, Verdict::Ok);
    assert_eq!(
        verdict(&shop, elsewhere, &one.code).await,
        Verdict::WrongEvent
    );
    let claims = Code::parse(&one.code).unwrap().claims();
    assert_eq!(
        (claims.key, claims.generation, claims.type_number),
        (1, 1, 1)
    );

    let answer = verify(&shop, event, &one.code).await.ticket.unwrap();
    assert_eq!(
        (answer.id, answer.order_id),
        (one.id.clone(), order.to_string())
    );
    assert_eq!((answer.category.as_str(), answer.generation), ("Stalls", 1));
    assert_eq!(answer.holder_name, "");
    // What it says of a foreign ticket is that it is one.
    assert_eq!(verify(&shop, elsewhere, &one.code).await.ticket, None);

    let step = shop.sources.uuid_v7();
    let handed_on = shop.transfer(order, &one.id, step, "Ada").await.unwrap();
    let new = handed_on.ticket.unwrap();
    assert_eq!(verdict(&shop, event, &one.code).await, Verdict::Revoked);
    assert_eq!(verdict(&shop, event, &new.code).await, Verdict::Ok);
    assert_eq!(verdict(&shop, event, &other.code).await, Verdict::Ok);
    let answer = verify(&shop, event, &new.code).await.ticket.unwrap();
    assert_eq!((answer.generation, answer.holder_name.as_str()), (2, "Ada"));

    shop.void(order, shop.refund(), &[]).await.unwrap();
    assert_eq!(verdict(&shop, event, &one.code).await, Verdict::Revoked);
    assert_eq!(verdict(&shop, event, &new.code).await, Verdict::Void);
    assert_eq!(verdict(&shop, event, &other.code).await, Verdict::Void);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_code_is_unknown() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let code = shop.tickets(shop.bought(event, ticket_type, 1).await).await[0]
        .code
        .clone();
    let forged = {
        let claims = Code::parse(&code).unwrap().claims();
        codes::SigningKey::from_seed(&[7; 32]).sign(event, &claims)
    };
    let absent = {
        let mut claims = Code::parse(&code).unwrap().claims();
        claims.ticket = TicketId::new(&shop.sources);
        codes::SigningKey::from_seed(&[7; 32]).sign(event, &claims)
    };
    let mut next_key = Code::parse(&code).unwrap().claims();
    next_key.key = 2;
    let next_key = codes::SigningKey::from_seed(&[7; 32]).sign(event, &next_key);
    for text in [
        "",
        "BX2",
        "\0",
        &forged,
        &absent,
        &next_key,
        &code[..137],
        &code.to_lowercase(),
    ] {
        assert_eq!(
            verdict(&shop, event, text).await,
            Verdict::Unknown,
            "{text}"
        );
        assert_eq!(verify(&shop, event, text).await.ticket, None);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_key_signs_no_more_and_stays_good() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    assert!(door_list(&shop, event, 0).await.0.is_empty());
    let before = shop.bought(event, ticket_type, 1).await;
    let printed = shop.tickets(before).await;

    let keys = rotate(&shop, event, 1, false).await;
    let (active, retired) = (TicketKeyState::Active, TicketKeyState::Retired);
    assert_eq!(states(&keys), [(1, retired), (2, active)]);
    assert!(keys[0].retired_at.is_some() && keys[0].revoked_at.is_none());
    assert_ne!(keys[0].public_key, keys[1].public_key);
    assert_eq!(rotate(&shop, event, 1, false).await, keys);
    let recorded: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM audit_log WHERE action = 'ticket_key.rotated'")
            .fetch_one(&shop.db)
            .await
            .unwrap();
    assert_eq!(recorded, 1);

    let after = shop.tickets(shop.bought(event, ticket_type, 1).await).await;
    assert_eq!(Code::parse(&after[0].code).unwrap().claims().key, 2);
    assert_eq!(verdict(&shop, event, &printed[0].code).await, Verdict::Ok);
    assert_eq!(verdict(&shop, event, &after[0].code).await, Verdict::Ok);
    assert_eq!(shop.tickets(before).await, printed);
    assert_eq!(shop.commit(before).await.tickets, printed);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_kills_its_codes_and_each_ticket_has_another() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 2).await;
    let printed = shop.tickets(order).await;
    rotate(&shop, event, 1, false).await;
    let later = shop.bought(event, ticket_type, 1).await;
    let second = shop.tickets(later).await;

    // A key that signs no more can still be revoked.
    let (active, revoked) = (TicketKeyState::Active, TicketKeyState::Revoked);
    let keys = rotate(&shop, event, 1, true).await;
    assert_eq!(states(&keys), [(1, revoked), (2, active)]);
    assert_eq!(rotate(&shop, event, 1, true).await, keys);
    assert_eq!(rotate(&shop, event, 1, false).await, keys);
    assert_eq!(
        verdict(&shop, event, &printed[0].code).await,
        Verdict::Revoked
    );
    assert_eq!(verdict(&shop, event, &second[0].code).await, Verdict::Ok);
    let renewed = shop.tickets(order).await;
    for (renewed, printed) in renewed.iter().zip(&printed) {
        assert_ne!(renewed.code, printed.code);
        assert_eq!(renewed.generation, 1);
        assert_eq!(verdict(&shop, event, &renewed.code).await, Verdict::Ok);
    }

    // The one that signs, at once.
    let keys = rotate(&shop, event, 2, true).await;
    assert_eq!(states(&keys), [(1, revoked), (2, revoked), (3, active)]);
    for dead in [&printed[0].code, &renewed[0].code, &second[0].code] {
        assert_eq!(verdict(&shop, event, dead).await, Verdict::Revoked);
    }
    for order in [order, later] {
        let code = &shop.tickets(order).await[0].code;
        assert_eq!(Code::parse(code).unwrap().claims().key, 3);
        assert_eq!(verdict(&shop, event, code).await, Verdict::Ok);
    }
    shop.void(order, shop.refund(), &[]).await.unwrap();
    for ticket in shop.tickets(order).await {
        assert_eq!(verdict(&shop, event, &ticket.code).await, Verdict::Void);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_belong_to_those_who_have_the_event() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let mut service = shop.codes.clone();
    let absent = ErrorReason::NotFound;
    let rotation = |number| api::RotateTicketKeysRequest {
        event_id: event.to_string(),
        key_number: number,
        revoke: true,
    };
    // Nothing was sold, so nothing signs.
    refused(
        service.rotate_ticket_keys(shop.own(rotation(1))).await,
        absent,
    );
    let code = shop.tickets(shop.bought(event, ticket_type, 1).await).await[0]
        .code
        .clone();
    refused(
        service.rotate_ticket_keys(shop.own(rotation(0))).await,
        absent,
    );
    refused(
        service.rotate_ticket_keys(shop.own(rotation(2))).await,
        absent,
    );

    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    let listing = api::ListTicketKeysRequest {
        event_id: event.to_string(),
    };
    let verifying = api::VerifyTicketRequest {
        event_id: event.to_string(),
        code,
    };
    refused(
        service.rotate_ticket_keys(by(&stranger, rotation(1))).await,
        absent,
    );
    refused(
        service
            .list_ticket_keys(by(&stranger, listing.clone()))
            .await,
        absent,
    );
    refused(
        service
            .verify_ticket(by(&stranger, verifying.clone()))
            .await,
        absent,
    );
    let nobody = ErrorReason::Unauthenticated;
    refused(service.rotate_ticket_keys(rotation(1)).await, nobody);
    refused(service.list_ticket_keys(listing.clone()).await, nobody);
    refused(service.verify_ticket(verifying).await, nobody);

    let keys = service.list_ticket_keys(shop.own(listing)).await.unwrap();
    assert_eq!(
        states(&keys.into_inner().keys),
        [(1, TicketKeyState::Active)]
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_an_archived_event_stay() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    shop.bought(event, ticket_type, 1).await;
    let mut service = shop.codes.clone();
    let archive = api::ArchiveEventRequest {
        event_id: event.to_string(),
        expected_version: 0,
        archived: true,
    };
    shop.admin
        .clone()
        .archive_event(shop.own(archive))
        .await
        .unwrap();
    let rotation = api::RotateTicketKeysRequest {
        event_id: event.to_string(),
        key_number: 1,
        revoke: false,
    };
    let archived = service.rotate_ticket_keys(shop.own(rotation)).await;
    refused(archived, ErrorReason::EventArchived);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_list_is_asked_for_in_bounds() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let mut service = shop.codes.clone();
    let list = |event: &str, limit| api::ReadDoorListRequest {
        event_id: event.to_owned(),
        after_seq: 0,
        limit,
    };
    refused_field(service.read_door_list(list("x", 0)).await, "event_id");
    refused_field(
        service
            .read_door_list(list(&event.to_string(), 5_001))
            .await,
        "limit",
    );
    let absent = EventId::new(&shop.sources).to_string();
    let empty = service.read_door_list(list(&absent, 0)).await.unwrap();
    assert_eq!(empty.into_inner(), api::ReadDoorListResponse::default());
    shop.close().await;
}

/// As it was before there was a second format.
async fn make_first_format(shop: &Shop) {
    sqlx::query("UPDATE tickets SET key_number = NULL, type_number = NULL")
        .execute(&shop.db)
        .await
        .unwrap();
    sqlx::query("DELETE FROM event_keys")
        .execute(&shop.db)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_of_the_first_format_are_good_until_the_ticket_is_handed_on() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let elsewhere = shop.event().await;
    let order = shop.bought(event, ticket_type, 2).await;
    make_first_format(&shop).await;
    let old = shop.tickets(order).await;
    let asked = async |event, code: &str| verify(&shop, event, code).await.verdict();
    for ticket in &old {
        assert!(ticket.code.starts_with("BX1") && ticket.code.len() == 55);
        assert_eq!(asked(event, &ticket.code).await, api::Verdict::Ok);
        assert_eq!(
            asked(elsewhere, &ticket.code).await,
            api::Verdict::WrongEvent
        );
        // A scanner can only ask.
        let judged = scanner(&shop, event).await.judge(&ticket.code);
        assert_eq!((judged.verdict, judged.ask), (Verdict::Unknown, true));
    }
    let mut forged = old[0].code.clone();
    let last = if forged.ends_with('0') { "G" } else { "0" };
    forged.replace_range(54.., last);
    assert_eq!(asked(event, &forged).await, api::Verdict::Unknown);

    let step = shop.sources.uuid_v7();
    let handed_on = shop.transfer(order, &old[0].id, step, "").await.unwrap();
    let new = handed_on.ticket.unwrap();
    assert_eq!(new.generation, 2);
    assert_eq!(verdict(&shop, event, &new.code).await, Verdict::Ok);
    assert_eq!(asked(event, &old[0].code).await, api::Verdict::Revoked);
    assert_eq!(asked(event, &old[1].code).await, api::Verdict::Ok);
    assert_eq!(shop.tickets(order).await[1], old[1]);
    shop.void(order, shop.refund(), &[]).await.unwrap();
    assert_eq!(asked(event, &old[1].code).await, api::Verdict::Void);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_sales_of_an_event_make_one_key() {
    let shop = Arc::new(Shop::open().await);
    let replica = Arc::new(shop.replica().await);
    let (event, ticket_type) = shop.on_sale(40).await;
    let mut orders = Vec::new();
    for _ in 0..20 {
        orders.push(shop.paying(event, ticket_type, 2).await.0);
    }
    let commits: Vec<_> = orders
        .into_iter()
        .enumerate()
        .map(|(n, order)| {
            let mut inventory = if n % 2 == 0 {
                shop.inventory.clone()
            } else {
                replica.inventory.clone()
            };
            tokio::spawn(async move {
                let request = api::CommitOrderRequest {
                    order_id: order.to_string(),
                    ..Default::default()
                };
                let committed = inventory.commit_order(request).await.unwrap();
                committed.into_inner().tickets
            })
        })
        .collect();
    let mut tickets = Vec::new();
    for commit in commits {
        tickets.extend(commit.await.unwrap());
    }
    assert_eq!(tickets.len(), 40);
    let door = scanner(&shop, event).await;
    for ticket in tickets {
        let judged = door.judge(&ticket.code);
        assert_eq!(judged.verdict, Verdict::Ok);
        assert_eq!(judged.claims.unwrap().key, 1);
    }
    Arc::into_inner(replica).unwrap().close().await;
    Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_outlive_the_ring_that_they_were_derived_with() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 1).await;
    let issued = shop.tickets(order).await;
    let list = async |replica: &crate::shop::Replica| {
        let request = api::ListOrderTicketsRequest {
            order_id: order.to_string(),
        };
        replica.inventory.clone().list_order_tickets(request).await
    };
    let old = &shop.ticket_code_keys;
    let newer = keys::key_ring_of(&["k2"]);
    let both = shop
        .replica_with(|config| config.ticket_code_keys = format!("{newer},{old}").parse().unwrap());
    let both = both.await;
    assert_eq!(list(&both).await.unwrap().into_inner().tickets, issued);
    // Without it nothing is made up.
    let lost = shop.replica_with(|config| config.ticket_code_keys = newer.parse().unwrap());
    let lost = lost.await;
    let failure = kit::Failure::from_status(&list(&lost).await.unwrap_err());
    assert_eq!(failure.reason, ErrorReason::Internal);
    both.close().await;
    lost.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_with_a_cursor_misses_no_dead_code() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(60).await;
    let mut orders = Vec::new();
    for _ in 0..12 {
        let order = shop.bought(event, ticket_type, 5).await;
        orders.push((order, shop.tickets(order).await));
    }
    let codes: Vec<String> = orders
        .iter()
        .flat_map(|(_, tickets)| tickets.iter().map(|ticket| ticket.code.clone()))
        .collect();
    let work: Vec<_> = orders
        .into_iter()
        .map(|(order, tickets)| {
            let shop = shop.clone();
            tokio::spawn(async move {
                for ticket in &tickets[..3] {
                    let step = shop.sources.uuid_v7();
                    shop.transfer(order, &ticket.id, step, "").await.unwrap();
                }
                shop.void(order, shop.refund(), &[]).await.unwrap();
            })
        })
        .collect();
    let (mut after, mut read) = (0, 0);
    let mut is_done = false;
    loop {
        let request = api::ReadDoorListRequest {
            event_id: event.to_string(),
            after_seq: after,
            limit: 7,
        };
        let page = shop.codes.clone().read_door_list(request).await.unwrap();
        let page = page.into_inner();
        read += page.dead_codes.len();
        assert_eq!(page.next_seq, i64::try_from(read).unwrap(), "a gap");
        after = page.next_seq;
        if is_done && !page.more {
            break;
        }
        is_done = work.iter().all(tokio::task::JoinHandle::is_finished);
    }
    for one in work {
        one.await.unwrap();
    }
    // 36 that were handed on, 60 that were given back.
    assert_eq!(read, 96);
    let door = scanner(&shop, event).await;
    for code in codes {
        let verdict = door.judge(&code).verdict;
        assert!(matches!(verdict, Verdict::Void | Verdict::Revoked));
    }
    Arc::into_inner(shop).unwrap().close().await;
}
