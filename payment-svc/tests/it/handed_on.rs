//! A ticket goes to somebody else.

use std::time::Duration;

use kit::ErrorReason;
use prost::Message as _;
use proto::{
    event::{OrderPaid, TicketTransferred, envelope::Payload},
    payment::{
        CancelOrderRequest, GetReceiptRequest, GetTransferredTicketRequest, Order, OrderStatus,
        TransferTicketRequest,
    },
    ticket::CancellationRule,
};
use testkit::{eventually, keys};
use tonic::{Code, Status};

use crate::{
    till,
    world::{Placed, World, failure},
};

impl World {
    pub fn handing_on(&self, placed: &Placed, ticket_id: &str) -> TransferTicketRequest {
        TransferTicketRequest {
            order_id: placed.order.id.clone(),
            secret: placed.secret.clone(),
            ticket_id: ticket_id.to_owned(),
            email: "grace@example.org".to_owned(),
            name: "Grace".to_owned(),
            locale: String::new(),
            idempotency_key: keys::idempotency_key(),
        }
    }

    pub async fn hand_on(&self, wish: TransferTicketRequest) -> Result<Order, Status> {
        let answer = self.desk.clone().transfer_ticket(wish).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    pub async fn tickets_of(&self, placed: &Placed) -> Vec<proto::ticket::Ticket> {
        self.order(placed, false).await.tickets
    }

    /// What recipients were told, oldest first.
    pub async fn handed_on(&self, placed: &Placed) -> Vec<TicketTransferred> {
        let told = self.told(placed).await.into_iter();
        told.filter_map(|payload| match payload {
            Payload::TicketTransferred(told) => Some(told),
            _ => None,
        })
        .collect()
    }

    /// What stands at the end of the recipient's link: the transfer and its secret.
    pub fn link_of(&self, told: &TicketTransferred) -> (String, String) {
        let sealed = &told.order.as_ref().unwrap().sealed_order_link;
        let link = self.open("order-link", sealed);
        let path = link.strip_prefix("https://shop.example/t/").unwrap();
        let (id, secret) = path.split_once('/').unwrap();
        (id.to_owned(), secret.to_owned())
    }

    pub async fn transferred(&self, id: &str, secret: &str) -> Result<OrderPaid, Status> {
        let request = GetTransferredTicketRequest {
            transfer_id: id.to_owned(),
            secret: secret.to_owned(),
        };
        let answer = self.desk.clone().get_transferred_ticket(request).await?;
        Ok(answer.into_inner().facts.unwrap())
    }

    async fn receipt_facts(&self, placed: &Placed) -> Result<OrderPaid, Status> {
        self.document_facts(placed, false).await
    }

    async fn document_facts(&self, placed: &Placed, money_only: bool) -> Result<OrderPaid, Status> {
        let request = GetReceiptRequest {
            order_id: placed.order.id.clone(),
            secret: placed.secret.clone(),
            money_only,
        };
        let answer = self.orders.clone().get_receipt(request).await?;
        Ok(answer.into_inner().facts.unwrap())
    }
}

#[tokio::test]
async fn whoever_gets_it_has_a_code_of_their_own_and_sees_nothing_else() {
    let world = World::start().await;
    let placed = world.sold().await;
    let before = world.tickets_of(&placed).await;
    let wish = world.handing_on(&placed, &before[0].id);
    let order = world.hand_on(wish.clone()).await.unwrap();
    // Whoever handed it on has its code no more, and keeps the other.
    assert_eq!(order.tickets[0].code, "");
    assert_eq!(order.tickets[1].code, before[1].code);
    let [gone] = order.transferred_tickets.as_slice() else {
        panic!("{order:?}");
    };
    assert_eq!(
        (gone.ticket_id.as_str(), gone.name.as_str(), gone.pending),
        (before[0].id.as_str(), "Grace", false)
    );
    let kept = world.receipt_facts(&placed).await.unwrap();
    let kept: Vec<&str> = kept.tickets.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(kept, [&before[1].id]);
    // The same key is one transfer and one mail.
    world.hand_on(wish.clone()).await.unwrap();
    let told = world.handed_on(&placed).await;
    assert_eq!(told.len(), 1);
    let facts = told[0].order.as_ref().unwrap();
    assert_eq!(
        (facts.email.as_str(), facts.name.as_str(), &facts.total),
        ("grace@example.org", "Grace", &None)
    );
    assert_eq!(
        (told[0].generation, told[0].from_name.as_str()),
        (2, "Ada Byron-Lovelace")
    );
    let code = told[0].ticket.as_ref().unwrap().code.clone();
    assert_ne!(code, before[0].code);
    let (id, secret) = world.link_of(&told[0]);
    let seen = world.transferred(&id, &secret).await.unwrap();
    assert_eq!(seen.tickets.len(), 1);
    assert_eq!(seen.tickets[0].code, code);
    // As it travels, too: what is printed leaves addresses and secrets out.
    let sent = seen.encode_to_vec();
    let text = format!("{seen:?} {}", String::from_utf8_lossy(&sent));
    for private in [
        "ada@example.org",
        "+4930901820",
        "amount_minor: 9000",
        &placed.secret,
    ] {
        assert!(!text.contains(private), "{private}");
    }
    let other = TransferTicketRequest {
        email: "eve@example.org".to_owned(),
        ..wish
    };
    let reused = failure(world.hand_on(other).await);
    assert_eq!(reused.reason, ErrorReason::IdempotencyKeyReused);
    world.end().await;
}

#[tokio::test]
async fn what_was_paid_stays_to_be_shown_when_no_ticket_is_left() {
    let world = World::start().await;
    let unpaid = world.placed().await;
    let early = failure(world.document_facts(&unpaid, true).await);
    assert_eq!(early.reason, ErrorReason::TicketsNotReady);
    let (given, refunded) = (world.sold().await, world.sold().await);
    let whole = world.document_facts(&given, true).await.unwrap();
    assert_eq!(
        whole,
        OrderPaid {
            // Sealed anew each time.
            sealed_order_link: whole.sealed_order_link.clone(),
            ..world.receipt_facts(&given).await.unwrap()
        }
    );
    for ticket in world.tickets_of(&given).await {
        let wish = world.handing_on(&given, &ticket.id);
        world.hand_on(wish).await.unwrap();
    }
    let refund = world.refund(till::everything(&refunded)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    for placed in [&given, &refunded] {
        let tickets = failure(world.receipt_facts(placed).await);
        assert_eq!(tickets.reason, ErrorReason::TicketsNotReady);
        let money = world.document_facts(placed, true).await.unwrap();
        assert_eq!((money.tickets.len(), money.lines.len()), (0, 1));
        assert_eq!(money.total.unwrap().amount_minor, 9000);
    }
    let foreign = Placed {
        secret: given.secret.clone(),
        ..refunded
    };
    let foreign = failure(world.document_facts(&foreign, true).await);
    assert_eq!(foreign.reason, ErrorReason::NotFound);
    world.end().await;
}

#[tokio::test]
async fn a_ticket_that_goes_on_leaves_whoever_had_it() {
    let world = World::start().await;
    let placed = world.sold().await;
    let ticket = world.tickets_of(&placed).await[0].id.clone();
    world
        .hand_on(world.handing_on(&placed, &ticket))
        .await
        .unwrap();
    let back = TransferTicketRequest {
        email: "alan@example.org".to_owned(),
        name: "Alan".to_owned(),
        ..world.handing_on(&placed, &ticket)
    };
    let order = world.hand_on(back).await.unwrap();
    assert_eq!(order.transferred_tickets.len(), 1);
    assert_eq!(order.transferred_tickets[0].name, "Alan");
    let told = world.handed_on(&placed).await;
    let (first, second) = (world.link_of(&told[0]), world.link_of(&told[1]));
    let gone = world.transferred(&first.0, &first.1).await;
    assert_eq!(failure(gone).reason, ErrorReason::NotFound);
    world.transferred(&second.0, &second.1).await.unwrap();
    // Void is void, for the recipient too.
    let refund = world.refund(till::everything(&placed)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let void = world.transferred(&second.0, &second.1).await;
    assert_eq!(failure(void).reason, ErrorReason::TicketsNotReady);
    world.end().await;
}

#[tokio::test]
async fn a_wrong_link_and_an_absent_ticket_are_one_answer() {
    let world = World::start().await;
    let placed = world.sold().await;
    let ticket = world.tickets_of(&placed).await[0].id.clone();
    world
        .hand_on(world.handing_on(&placed, &ticket))
        .await
        .unwrap();
    let told = world.handed_on(&placed).await;
    let (id, secret) = world.link_of(&told[0]);
    let absent = "0190b6a2-7c1e-8000-8000-0123456789ab";
    for (id, secret) in [
        (id.as_str(), placed.secret.as_str()),
        (&id, ""),
        (&id, &secret[..42]),
        (absent, &secret),
        (&placed.order.id, &secret),
        ("x", &secret),
    ] {
        let refused = world.transferred(id, secret).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(refused.message(), "There is no such ticket.");
    }
    // And the ticket's link is no link of the order.
    let as_order = Placed { secret, ..placed };
    let refused = world.resend(&as_order, &keys::idempotency_key()).await;
    assert_eq!(failure(refused).reason, ErrorReason::NotFound);
    world.end().await;
}

#[tokio::test]
async fn it_arrives_although_ticket_svc_was_away() {
    let world = World::start().await;
    let placed = world.sold().await;
    let tickets = world.tickets_of(&placed).await;
    world.tickets.books().mood.transfer_away = true;
    let order = world
        .hand_on(world.handing_on(&placed, &tickets[0].id))
        .await
        .unwrap();
    assert!(order.transferred_tickets[0].pending);
    assert_eq!(order.tickets[0].code, "");
    // Its code is about to die: no paper shows it.
    let kept = world.receipt_facts(&placed).await.unwrap();
    let kept: Vec<&str> = kept.tickets.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(kept, [&tickets[1].id]);
    // It goes one way at a time.
    let twice = world.hand_on(world.handing_on(&placed, &tickets[0].id));
    assert_eq!(failure(twice.await).reason, ErrorReason::TicketNotValid);
    {
        let mut books = world.tickets.books();
        books.mood.transfer_away = false;
        books.mood.transfer_answer_lost = true;
    }
    eventually("done over there", Duration::from_secs(60), || async {
        world.hurry().await;
        (!world.tickets.books().transfers.is_empty()).then_some(())
    })
    .await;
    world.tickets.books().mood.transfer_answer_lost = false;
    eventually("told", Duration::from_secs(60), || async {
        world.hurry().await;
        (world.handed_on(&placed).await.len() == 1).then_some(())
    })
    .await;
    let told = world.handed_on(&placed).await;
    let (id, secret) = world.link_of(&told[0]);
    let seen = world.transferred(&id, &secret).await.unwrap();
    assert_eq!(seen.tickets[0].code, told[0].ticket.as_ref().unwrap().code);
    world.end().await;
}

#[tokio::test]
async fn a_ticket_that_is_refused_at_the_last_moment_is_not_called_handed_on() {
    let world = World::start().await;
    let placed = world.sold().await;
    let tickets = world.tickets_of(&placed).await;
    // ticket-svc knows of it before we do.
    world.tickets.books().mood.event_cancelled = true;
    let wish = world.handing_on(&placed, &tickets[0].id);
    for _ in 0..2 {
        let refused = failure(world.hand_on(wish.clone()).await);
        assert_eq!(refused.reason, ErrorReason::TicketNotValid);
    }
    assert!(world.handed_on(&placed).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_void_ticket_goes_nowhere() {
    let world = World::start().await;
    let placed = world.sold().await;
    let tickets = world.tickets_of(&placed).await;
    let refund = world.refund(till::tickets(&placed, 1)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    // The last issued one is void.
    let void = world.hand_on(world.handing_on(&placed, &tickets[1].id));
    assert_eq!(failure(void.await).reason, ErrorReason::TicketNotValid);
    let foreign = "0190b6a2-7c1e-7000-8000-0123456789ab";
    let absent = world.hand_on(world.handing_on(&placed, foreign));
    assert_eq!(failure(absent.await).reason, ErrorReason::TicketNotValid);
    for (field, change) in [
        (
            "ticket_id",
            (|w| w.ticket_id = "x".to_owned()) as fn(&mut TransferTicketRequest),
        ),
        ("email", |w| w.email = "x".to_owned()),
        ("name", |w| w.name = String::new()),
        ("locale", |w| w.locale = "x".repeat(36)),
    ] {
        let mut wish = world.handing_on(&placed, &tickets[0].id);
        change(&mut wish);
        let bad = failure(world.hand_on(wish).await);
        assert_eq!(bad.fields[0].field, field);
    }
    let open = world.placed().await;
    let unpaid = world.hand_on(world.handing_on(&open, &tickets[0].id));
    assert_eq!(failure(unpaid.await).reason, ErrorReason::TicketNotValid);
    assert_eq!(
        world.count("SELECT count(*) FROM ticket_transfers").await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn whoever_handed_a_ticket_on_cannot_cancel_it() {
    let world = World::start().await;
    world.tickets.books().mood.cancellation = Some(CancellationRule {
        allowed: true,
        until_hours: 1,
        fee_ppm: 0,
    });
    let placed = world.sold().await;
    let order = world.order(&placed, false).await;
    let shown = order.cancellation.unwrap();
    world
        .hand_on(world.handing_on(&placed, &order.tickets[0].id))
        .await
        .unwrap();
    assert_eq!(world.order(&placed, false).await.cancellation, None);
    let request = CancelOrderRequest {
        order_id: placed.order.id.clone(),
        secret: placed.secret.clone(),
        expected_refund: shown.refund,
    };
    let refused = failure(world.orders.clone().cancel_order(request).await);
    assert_eq!(refused.reason, ErrorReason::CancellationClosed);
    assert_eq!(
        world.order(&placed, false).await.status(),
        OrderStatus::Fulfilled
    );
    world.end().await;
}

#[tokio::test]
async fn handing_on_has_its_limit() {
    let world = World::start().await;
    let placed = world.sold().await;
    let ticket = world.tickets_of(&placed).await[0].id.clone();
    for _ in 0..20 {
        world
            .hand_on(world.handing_on(&placed, &ticket))
            .await
            .unwrap();
    }
    let often = world.hand_on(world.handing_on(&placed, &ticket));
    assert_eq!(failure(often.await).reason, ErrorReason::TooManyRequests);
    world.end().await;
}
