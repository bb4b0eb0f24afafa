//! A guest's data goes; money, tickets and story stay.

use kit::ErrorReason;
use proto::{
    event::envelope::Payload,
    payment::{EraseGuestRequest, EraseGuestResponse},
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
