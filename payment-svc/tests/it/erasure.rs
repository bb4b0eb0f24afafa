//! A guest's data goes; money, tickets and story stay.

use std::collections::HashSet;

use kit::ErrorReason;
use proto::{
    event::{HolderErased, envelope::Payload},
    payment::{
        EraseGuestRequest, EraseGuestResponse, OrderStatus, PlaceOrderRequest,
        TransferTicketRequest,
    },
};
use testkit::keys;
use tonic::Status;

use crate::{
    desk::Clerk,
    till,
    world::{Placed, World, failure},
};

impl World {
    pub async fn erase(
        &self,
        clerk: Clerk,
        placed: &Placed,
        all_of_address: bool,
    ) -> Result<EraseGuestResponse, Status> {
        let request = clerk.asks(EraseGuestRequest {
            order_id: placed.order.id.clone(),
            all_of_address,
            note: "Asked for in writing.".to_owned(),
        });
        let answer = self.orders_admin.clone().erase_guest(request).await?;
        Ok(answer.into_inner())
    }

    /// Every row of every table, as text.
    async fn everything_stored(&self) -> Vec<String> {
        let mut all = Vec::new();
        for table in [
            "SELECT t::text FROM orders t",
            "SELECT t::text FROM order_events t",
            "SELECT t::text FROM order_lines t",
            "SELECT t::text FROM payment_attempts t",
            "SELECT t::text || encode(body, 'escape') FROM provider_events t",
            "SELECT t::text FROM refunds t",
            "SELECT t::text FROM manual_arrivals t",
            "SELECT t::text FROM ticket_transfers t",
            "SELECT t::text FROM holder_news t",
            "SELECT t::text FROM address_corrections t",
            "SELECT t::text FROM lookups t",
            "SELECT t::text FROM audit_log t",
            "SELECT t::text FROM sandbox.sessions t",
            "SELECT encode(envelope, 'escape') FROM outbox t",
        ] {
            let rows: Vec<String> = sqlx::query_scalar(table)
                .fetch_all(&self.pool)
                .await
                .unwrap();
            all.extend(rows);
        }
        all
    }
}

const MONEY: &str = "SELECT coalesce(sum(hashtext(e::text)), 0)::bigint FROM account_entries e";

#[tokio::test]
async fn nothing_of_the_guest_is_left_and_every_cent_is() {
    let world = World::start().await;
    let placed = world.sold().await;
    let refund = world.refund(till::tickets(&placed, 1)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let early = failure(world.erase(Clerk::superadmin(), &placed, false).await);
    assert_eq!(
        early.reason,
        ErrorReason::OrderNotOpen,
        "mails are on their way"
    );
    world.confirm_all().await;
    let money = world.count(MONEY).await;
    let valid = world.tickets.valid_tickets(&placed.order.id);
    // In texts, and in the bytes of messages.
    let mut conn = world.pool.acquire().await.unwrap();
    let with = testkit::tables_with(&mut conn, "ada@example").await;
    assert!(with.iter().any(|table| table == "orders"), "{with:?}");
    assert!(with.iter().any(|table| table == "outbox"), "{with:?}");
    let clerk = Clerk::superadmin();
    let erased = world.erase(clerk, &placed, false).await.unwrap();
    assert_eq!(erased.order_ids, [placed.order.id.as_str()]);
    for private in ["ada@example", "4930901820"] {
        let with = testkit::tables_with(&mut conn, private).await;
        assert_eq!(with, [""; 0], "{private}");
    }
    drop(conn);
    for row in world.everything_stored().await {
        // Long ones: three letters are in some random key one day.
        for private in ["ada@example", "Byron-Lovelace", "4930901820"] {
            assert!(!row.contains(private), "{private} in {row}");
        }
    }
    assert_eq!(world.count(MONEY).await, money);
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), valid);
    // Its link is dead, and notify-svc hears of it.
    let gone = world.resend(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(gone).reason, ErrorReason::NotFound);
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT envelope FROM outbox WHERE kind = 'order_erased'")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    assert_eq!(rows.len(), 1);
    let told = world.told_erased(&placed).await;
    assert_eq!(told, 1);
    let audit: (String, String) =
        sqlx::query_as("SELECT actor, object FROM audit_log WHERE action = 'guest.erase'")
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(audit, (clerk.id(), placed.order.id.clone()));
    // Once more changes nothing.
    world.erase(clerk, &placed, true).await.unwrap();
    assert_eq!(world.told_erased(&placed).await, 1);
    world.end().await;
}

impl World {
    /// notify-svc has everything.
    pub async fn confirm_all(&self) {
        self.sql("UPDATE outbox SET confirmed_at = clock_timestamp()")
            .await;
    }

    fn wish_of(&self, email: &str) -> PlaceOrderRequest {
        PlaceOrderRequest {
            email: email.to_owned(),
            ..self.wish()
        }
    }

    async fn told_holders_erased(&self) -> Vec<HolderErased> {
        use prost::Message as _;
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT envelope FROM outbox WHERE kind = 'holder_erased'")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        let read = |row: &Vec<u8>| match proto::event::Envelope::decode(row.as_slice()) {
            Ok(proto::event::Envelope {
                payload: Some(Payload::HolderErased(told)),
                ..
            }) => told,
            other => panic!("{other:?}"),
        };
        rows.iter().map(read).collect()
    }

    async fn told_erased(&self, placed: &Placed) -> usize {
        use prost::Message as _;
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT envelope FROM outbox WHERE kind = 'order_erased'")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        let of_this = |row: &Vec<u8>| {
            let envelope = proto::event::Envelope::decode(row.as_slice()).unwrap();
            matches!(envelope.payload, Some(Payload::OrderErased(told)) if told.order_id == placed.order.id)
        };
        rows.iter().filter(|row| of_this(row)).count()
    }
}

#[tokio::test]
async fn all_orders_of_the_address_go_together_or_not_at_all() {
    let world = World::start().await;
    let (first, second) = (world.sold().await, world.sold().await);
    let open = world.placed().await;
    let busy = failure(world.erase(Clerk::superadmin(), &first, true).await);
    assert_eq!(busy.reason, ErrorReason::OrderNotOpen);
    let erased = "SELECT count(*) FROM orders WHERE erased_at IS NOT NULL";
    assert_eq!(world.count(erased).await, 0);
    world.cancel(&open).await.unwrap();
    testkit::eventually("at rest", std::time::Duration::from_secs(60), || async {
        world.hurry().await;
        world.confirm_all().await;
        world.erase(Clerk::superadmin(), &first, true).await.ok()
    })
    .await;
    assert_eq!(world.count(erased).await, 3);
    let gone = world.resend(&second, &keys::idempotency_key()).await;
    assert_eq!(failure(gone).reason, ErrorReason::NotFound);
    world.end().await;
}

/// Two orders: in one, both tickets were handed on, the first of them to the guest of the other.
async fn handed_to_each_other(world: &World) -> (Placed, Placed) {
    let others = world.sold().await;
    let own = world.wish_of("grace@example.org");
    let own = Placed::from(world.place(own).await.unwrap());
    world.pay(&own.order).await;
    world.until(&own, OrderStatus::Fulfilled).await;
    let tickets = world.tickets_of(&others).await;
    let to = ["Grace@example.org", "alan@example.org"];
    for (ticket, email) in tickets.iter().zip(to) {
        let wish = TransferTicketRequest {
            email: email.to_owned(),
            name: "Somebody-Hopper".to_owned(),
            ..world.handing_on(&others, &ticket.id)
        };
        world.hand_on(wish).await.unwrap();
    }
    (others, own)
}

#[tokio::test]
async fn whoever_was_handed_tickets_of_others_is_forgotten_there_too() {
    let world = World::start().await;
    let (others, own) = handed_to_each_other(&world).await;
    let early = failure(world.erase(Clerk::superadmin(), &own, true).await);
    assert_eq!(early.reason, ErrorReason::OrderNotOpen, "of a mail");
    let untouched = "SELECT count(*) FROM orders WHERE erased_at IS NULL";
    assert_eq!(world.count(untouched).await, 2);
    world.confirm_all().await;
    let money = world.count(MONEY).await;
    let told = world.handed_on(&others).await;
    let (id, secret) = world.link_of(&told[0]);

    let erased = world.erase(Clerk::superadmin(), &own, true).await.unwrap();
    // The other order is somebody else's.
    assert_eq!(erased.order_ids, [own.order.id.as_str()]);
    for row in world.everything_stored().await {
        assert!(!row.to_lowercase().contains("grace@example"), "{row}");
    }
    let names = "SELECT count(*) FROM ticket_transfers WHERE name = 'Somebody-Hopper'";
    assert_eq!(world.count(names).await, 1, "Alan did not ask");
    assert_eq!(world.tickets.books().forgotten, HashSet::from([id.clone()]));
    // The ticket still admits, its link still shows it, and its buyer sees that it is gone.
    assert_eq!(world.tickets.valid_tickets(&others.order.id), 2);
    assert_eq!(world.count(MONEY).await, money);
    let seen = world.transferred(&id, &secret).await.unwrap();
    assert_eq!((seen.tickets.len(), seen.email.as_str()), (1, ""));
    let order = world.order(&others, false).await;
    assert_eq!(order.email, "ada@example.org");
    let gone = &order.transferred_tickets[0];
    assert_eq!((&*gone.name, &*order.tickets[0].code), ("", ""));
    world.told_and_recorded(&others, &own).await;
    world.end().await;
}

impl World {
    /// notify-svc hears of the one mail that was to the guest, and both orders have it on record.
    async fn told_and_recorded(&self, others: &Placed, own: &Placed) {
        let told = self.told_holders_erased().await;
        let emptied: Vec<String> = sqlx::query_scalar(
            "SELECT id::text FROM outbox WHERE kind = 'ticket_transferred' AND envelope = ''",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        assert_eq!(emptied.len(), 1);
        let expected = HolderErased {
            order_id: others.order.id.clone(),
            message_ids: emptied,
        };
        assert_eq!(told, [expected]);
        let recorded: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT action, object, (after->>'transfers')::bigint FROM audit_log
             WHERE action LIKE '%.erase' ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let expected = [("holder.erase", others), ("guest.erase", own)];
        let expected = expected.map(|(action, of)| (action.to_owned(), of.order.id.clone(), 1));
        assert_eq!(recorded, expected);
    }
}

#[tokio::test]
async fn only_a_superadmin_erases() {
    let world = World::start().await;
    let placed = world.sold().await;
    let own = Clerk::admin();
    world.tickets.grant(&own.id());
    let refused = failure(world.erase(own, &placed, false).await);
    assert_eq!(refused.reason, ErrorReason::PermissionDenied);
    assert_eq!(world.order(&placed, false).await.email, "ada@example.org");
    world.end().await;
}
