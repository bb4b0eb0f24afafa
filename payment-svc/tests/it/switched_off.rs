//! Providers that refuse, and providers that were switched off while a guest was paying.

use std::time::Duration;

use kit::ErrorReason;
use payment_svc::ProviderName;
use proto::payment::{
    AttemptStatus, OrderStatus, PlaceOrderRequest, RefundStatus, StartPaymentRequest,
};
use testkit::{
    StripeServer, eventually, keys,
    stripe::{SECRET_KEY, WEBHOOK_SECRET},
};

use crate::{
    till::{REFUNDS_LATE, everything},
    world::{Placed, World, failure},
};

const BOTH: &[(&str, &str)] = &[("--payment-providers", "sandbox,manual")];

#[tokio::test]
async fn an_open_payment_of_a_switched_off_provider_is_put_before_a_person() {
    let mut world = World::start_with(BOTH).await;
    let placed = world.placed().await;
    world.hook.copies(0);
    world.pay(&placed.order).await;
    world.crash();
    world.reconfigure(|config| config.payment_providers = vec![ProviderName::Manual]);
    world.restart().await;
    world.hurry().await;
    let why = eventually("a person is asked", Duration::from_secs(60), || async {
        world.attention(&placed).await
    })
    .await;
    assert!(why.contains("switched off"), "{why}");
    eventually("a long pause", Duration::from_secs(60), || async {
        let pause =
            "SELECT extract(epoch FROM next_step_at - clock_timestamp())::bigint FROM orders";
        (world.count(pause).await > 3000).then_some(())
    })
    .await;
    // Switched on again, the money is found and nobody has to look any more.
    world.crash();
    world.reconfigure(|config| config.payment_providers.push(ProviderName::Sandbox));
    world.restart().await;
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(world.attention(&placed).await, None);
    world.end().await;
}

/// It may have paid the refund out, or be about to.
#[tokio::test]
async fn a_refund_that_a_switched_off_provider_was_asked_for_is_not_paid_out_by_hand() {
    let settings = [BOTH[0], ("--sandbox-late-ms", "1000")];
    let mut world = World::start_with(&settings).await;
    let placed = world.sold_to(REFUNDS_LATE).await;
    world.hook.copies(0);
    let refund = world.refund(everything(&placed)).await.unwrap();
    eventually("it is asked for", Duration::from_secs(60), || async {
        let asked = "SELECT count(*) FROM sandbox.refunds";
        (world.count(asked).await == 1).then_some(())
    })
    .await;
    world.crash();
    world.reconfigure(|config| config.payment_providers = vec![ProviderName::Manual]);
    world.restart().await;
    world.hurry().await;
    let why = eventually("a person is asked", Duration::from_secs(60), || async {
        world.attention(&placed).await
    })
    .await;
    assert!(
        why.contains("Enable the provider") && !why.contains("by hand"),
        "{why}"
    );
    let refused = failure(world.settle(&refund).await);
    assert_eq!(refused.reason, ErrorReason::RefundNotOpen);
    let pause = "SELECT extract(epoch FROM next_step_at - clock_timestamp())::bigint FROM refunds";
    assert!(world.count(pause).await > 3000);
    world.crash();
    world.reconfigure(|config| config.payment_providers.push(ProviderName::Sandbox));
    world.restart().await;
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    assert_eq!(world.attention(&placed).await, None);
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}

#[tokio::test]
async fn an_order_that_was_not_bound_yet_ends() {
    let mut world = World::start_with(BOTH).await;
    world.tickets.books().mood.begin_answer_lost = true;
    let wish = PlaceOrderRequest {
        provider: "manual".to_owned(),
        ..world.wish()
    };
    world.place(wish).await.unwrap_err();
    world.crash();
    world.tickets.books().mood.begin_answer_lost = false;
    world.reconfigure(|config| config.payment_providers = vec![ProviderName::Sandbox]);
    world.restart().await;
    world.sql("UPDATE orders SET created_at = created_at - interval '61 s', next_step_at = clock_timestamp()").await;
    eventually("cancelled", Duration::from_secs(60), || async {
        let ended = "SELECT count(*) FROM orders WHERE status = 'cancelled' AND stock_released_at IS NOT NULL";
        (world.count(ended).await == 1).then_some(())
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_refuses_ends_the_attempt_and_not_the_order() {
    let stripe = StripeServer::start().await;
    let world = World::start_with(&[
        ("--payment-providers", "stripe,manual,sandbox"),
        ("--stripe-secret-key", SECRET_KEY),
        ("--stripe-webhook-secret", WEBHOOK_SECRET),
        ("--stripe-api-base", &stripe.url()),
    ])
    .await;
    // Stripe takes no such small amounts.
    let answer = world.place(world.wish_for(1, 10)).await.unwrap();
    assert!(!answer.preparing);
    let placed = Placed::from(answer);
    assert_eq!(placed.order.status(), OrderStatus::AwaitingPayment);
    let payment = placed.order.payment.as_ref().unwrap();
    assert_eq!(payment.status(), AttemptStatus::Failed);
    let told = placed.order.timeline.last().unwrap();
    assert_eq!(told.what, "payment_refused");
    let why: String = sqlx::query_scalar("SELECT failure_reason FROM payment_attempts")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!(why.contains("amount_too_small"), "{why}");

    let with = |provider: &str| StartPaymentRequest {
        order_id: placed.order.id.clone(),
        secret: placed.secret.clone(),
        provider: provider.to_owned(),
        idempotency_key: keys::idempotency_key(),
    };
    // The minutes of a card are too few for a bank transfer.
    assert_eq!(placed.order.payment_providers, ["stripe", "sandbox"]);
    let mut orders = world.orders.clone();
    let transfer = orders.start_payment(with("manual"));
    assert_eq!(
        failure(transfer.await).reason,
        ErrorReason::ProviderNotEnabled
    );
    let second = orders.start_payment(with("sandbox")).await;
    let payment = second.unwrap().into_inner().order.unwrap().payment;
    let payment = payment.unwrap();
    assert_eq!(payment.status(), AttemptStatus::RequiresAction);
    world.cancel(&placed).await.unwrap();
    world.end().await;
}

/// The rule needs both of an account's secrets, and says so before a port is bound.
#[test]
fn stripe_without_its_secrets_is_a_nonsense_setting() {
    use clap::Parser as _;
    let parse = |extra: &[&'static str]| {
        let keys = [
            "--payment-providers=stripe",
            "--database-url=postgres://x",
            "--nats-url=nats://x",
            "--mesh-key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "--order-keys=k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "--link-seal-key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "--sandbox-webhook-secret=a secret for webhooks",
        ];
        let args = ["payment-svc"]
            .into_iter()
            .chain(keys)
            .chain(extra.iter().copied());
        payment_svc::Config::try_parse_from(args)
    };
    let message = parse(&[]).unwrap_err().to_string();
    assert!(message.contains("--stripe-secret-key"), "{message}");
    assert!(message.contains("--stripe-webhook-secret"), "{message}");
    let one = parse(&["--stripe-secret-key=sk_test_x"]).unwrap_err();
    assert!(one.to_string().contains("--stripe-webhook-secret"));
    let secrets = [
        "--stripe-secret-key=sk_test_x",
        "--stripe-webhook-secret=whsec_0123456789abcdef",
    ];
    parse(&secrets).unwrap();
}
