//! A guest is erased: nothing of them is left, nothing more is sent, and nothing comes back.

use std::slice::from_ref;

use base::NotificationId;
use proto::event::{
    Envelope, HolderErased, OrderCancelled, OrderErased, OrderFacts, TicketNewsKind,
    envelope::Payload,
};
use testkit::eventually;

use crate::{
    harness::{Harness, LIMIT},
    news::{forgotten, invited, lookup_code, ticket_news, transferred},
};

pub async fn traces(harness: &Harness, text: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM notifications n
                 WHERE n::text ILIKE '%' || $1 || '%'
                    OR position(convert_to($1, 'UTF8') IN n.content) > 0)
              + (SELECT count(*) FROM bounces b WHERE b::text ILIKE '%' || $1 || '%')
              + (SELECT count(*) FROM address_corrections c WHERE c::text ILIKE '%' || $1 || '%')",
    )
    .bind(text)
    .fetch_one(&harness.rows)
    .await
    .unwrap()
}

async fn a_server_quotes_the_address(harness: &Harness, of: NotificationId) {
    sqlx::query(
        "INSERT INTO bounces (digest, notification_id, action, detail)
         VALUES ('x', $1, 'failed', 'zofia@example.com unknown')",
    )
    .bind(of.uuid())
    .execute(&harness.rows)
    .await
    .unwrap();
}

#[tokio::test]
async fn of_an_erased_guest_nothing_is_left_and_nothing_comes_back() {
    let harness = Harness::start().await;
    let sent = harness.envelope();
    let Some(Payload::OrderPaid(paid)) = &sent.payload else {
        unreachable!()
    };
    let order_id = paid.order_id.clone();
    harness.accept(from_ref(&sent)).await;
    let notification = harness.reaches(&sent, "sent", 1).await;
    // A second one waits, with the address in the mail server's words.
    harness.sink.refuse_domain("example.com", 451);
    let mut order = harness.order();
    order.order_id = order_id.clone();
    let cancelled = harness.message(Payload::OrderCancelled(OrderCancelled {
        order: Some(order.clone()),
        explanation: "The singer is ill.".to_owned(),
        refund: None,
    }));
    harness.accept(from_ref(&cancelled)).await;
    harness.round_passes_for("someone@elsewhere.example").await;
    sqlx::query("UPDATE notifications SET last_error = '451 zofia@example.com is busy' WHERE kind = 'cancelled'")
        .execute(&harness.rows)
        .await
        .unwrap();
    a_server_quotes_the_address(&harness, notification.id).await;
    assert!(traces(&harness, "zofia@example.com").await > 0);

    let erased = harness.message(Payload::OrderErased(OrderErased {
        order_id: order_id.clone(),
    }));
    let accepted = harness.accept(from_ref(&erased)).await;
    assert_eq!(accepted.as_slice(), from_ref(&erased.message_id));
    harness.sink.heal_domain("example.com");
    harness.let_time_pass().await;
    // A message of before, again, and one that was overtaken.
    let late = harness.message(Payload::OrderCancelled(OrderCancelled {
        order: Some(order),
        explanation: String::new(),
        refund: None,
    }));
    harness.accept(&[sent.clone(), cancelled, late]).await;
    harness.accept(from_ref(&erased)).await;
    harness.round_passes_for("someone@elsewhere.example").await;

    assert_eq!(traces(&harness, "zofia").await, 0);
    let statuses: Vec<String> =
        sqlx::query_scalar("SELECT status FROM notifications WHERE order_id = $1::uuid")
            .bind(&order_id)
            .fetch_all(&harness.rows)
            .await
            .unwrap();
    assert_eq!(statuses, ["erased"; 3]);
    let to_her = harness.sink.messages();
    let to_her = to_her
        .iter()
        .filter(|mail| mail.to == ["zofia@example.com"]);
    assert_eq!(to_her.count(), 1, "the receipt of before");
    harness.check_invariants(1).await;
}

#[tokio::test]
async fn of_whoever_was_handed_a_ticket_nothing_is_left_and_of_its_buyer_everything_is() {
    let harness = Harness::start().await;
    let receipt = harness.envelope();
    let Some(Payload::OrderPaid(paid)) = &receipt.payload else {
        unreachable!()
    };
    let of_the_order = |order: &mut Option<OrderFacts>| {
        order.as_mut().unwrap().order_id.clone_from(&paid.order_id);
    };
    let mut handed = transferred(&harness);
    of_the_order(&mut handed.order);
    let mut other = transferred(&harness);
    of_the_order(&mut other.order);
    other.order.as_mut().unwrap().email = "alan@example.com".to_owned();
    let mut news = ticket_news(&harness, TicketNewsKind::Postponed, 1);
    of_the_order(&mut news.order);
    let handed = harness.message(Payload::TicketTransferred(handed));
    let other = harness.message(Payload::TicketTransferred(other));
    let news = harness.message(Payload::TicketNews(news));
    let all = [&receipt, &handed, &other, &news].map(Clone::clone);
    harness.accept(&all).await;
    eventually("all are sent", LIMIT, async || {
        (harness.sink.messages().len() == 4).then_some(())
    })
    .await;
    assert!(traces(&harness, "eleni@example.com").await > 0);
    let erased = harness.message(Payload::HolderErased(HolderErased {
        order_id: paid.order_id.clone(),
        message_ids: vec![handed.message_id.clone(), news.message_id.clone()],
    }));
    for _ in 0..2 {
        let accepted = harness.accept(from_ref(&erased)).await;
        assert_eq!(accepted.as_slice(), from_ref(&erased.message_id));
    }
    assert_eq!(traces(&harness, "eleni").await, 0);
    assert_eq!(traces(&harness, "alan@example.com").await, 1);
    let kept: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM notifications WHERE recipient = 'zofia@example.com' AND content <> ''",
    )
    .fetch_one(&harness.rows)
    .await
    .unwrap();
    assert_eq!(kept, 1, "the buyer's receipt");
    harness.round_passes().await;
    harness.check_invariants(1).await;
}

/// A code for this address.
fn code_for(harness: &Harness, email: &str) -> Envelope {
    let mut code = lookup_code(harness);
    code.email = email.to_owned();
    harness.message(Payload::LookupCodeRequested(code))
}

/// All that is stored becomes so much older, and the service finds it at its start. What waits goes on waiting.
async fn grow_older(harness: &mut Harness, by: &str) {
    harness.stop().await;
    let older = "UPDATE notifications
                 SET created_at = created_at - $1::interval,
                     next_attempt_at = clock_timestamp() + interval '1 hour'";
    sqlx::query(older)
        .bind(by)
        .execute(&harness.rows)
        .await
        .unwrap();
    harness.run().await;
}

async fn is_erased(harness: &Harness, envelopes: &[&Envelope]) {
    eventually("their addresses are forgotten", LIMIT, async || {
        for envelope in envelopes {
            let now = harness.notification(envelope).await;
            if now.status != "erased" {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test]
async fn whoever_had_a_code_or_a_link_is_forgotten_when_it_is_worth_nothing() {
    let mut harness = Harness::start().await;
    harness.sink.refuse_domain("gone.example", 550);
    harness.sink.refuse_domain("busy.example", 451);
    let code = code_for(&harness, "zofia@example.com");
    let refused = code_for(&harness, "x@gone.example");
    let waiting = code_for(&harness, "x@busy.example");
    let reset = harness.message(Payload::PasswordResetRequested(forgotten(&harness)));
    let invitation = harness.message(Payload::AdminInvited(invited(&harness)));
    let all = [&code, &refused, &waiting, &reset, &invitation].map(Clone::clone);
    harness.accept(&all).await;
    let sent = harness.reaches(&code, "sent", 1).await;
    for (envelope, status) in [
        (&refused, "failed"),
        (&waiting, "queued"),
        (&reset, "sent"),
        (&invitation, "sent"),
    ] {
        harness.reaches(envelope, status, 1).await;
    }
    a_server_quotes_the_address(&harness, sent.id).await;

    grow_older(&mut harness, "23 hours").await;
    let young = code_for(&harness, "young@example.com");
    harness.accept(from_ref(&young)).await;
    harness.reaches(&young, "sent", 1).await;
    assert!(traces(&harness, "zofia@example.com").await > 0);

    grow_older(&mut harness, "2 hours").await;
    is_erased(&harness, &[&code, &refused, &reset]).await;
    for forgotten in ["zofia", "gone.example", "admin@example.com"] {
        assert_eq!(traces(&harness, forgotten).await, 0, "{forgotten}");
    }
    // What still has to be sent, what is young, and a link that works for a week.
    for (envelope, status) in [
        (&waiting, "queued"),
        (&young, "sent"),
        (&invitation, "sent"),
    ] {
        assert_eq!(harness.notification(envelope).await.status, status);
    }

    grow_older(&mut harness, "30 days").await;
    is_erased(&harness, &[&young, &invitation]).await;
    assert_eq!(traces(&harness, "new@example.com").await, 0);
    let waiting = harness.notification(&waiting).await;
    assert_eq!((waiting.status.as_str(), waiting.attempts), ("queued", 1));
    harness.check_invariants(0).await;
}
