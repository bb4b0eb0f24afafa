//! Selling does not depend on the mail server. Tickets come at once, the receipt when it can.

use std::time::Duration;

use proto::Peer;
use testkit::{Direction, FaultProxy, NatsServer, Smtp};

use crate::harness::{BoxOffice, PATIENCE};

/// A mail under way is given up after 30 s of silence, and is due again at once here.
const AFTER_SILENCE: Duration = Duration::from_secs(90);

/// A box office whose mails go through the proxy, to the sink that it ends with.
async fn open_behind(proxy: &FaultProxy) -> BoxOffice {
    let through = [(Peer::Notify, "smtp-url", proxy.url().to_owned())];
    Box::pin(BoxOffice::open_with(
        NatsServer::start_private().await,
        &through,
    ))
    .await
}

/// A ticket is bought while the mail server is away in this way, and mailed once it is back.
async fn sells_while(
    proxy: FaultProxy,
    sink: Smtp,
    away: impl Fn(&FaultProxy),
    back: impl Fn(&FaultProxy),
) {
    let mut office = open_behind(&proxy).await;
    office.smtp = std::sync::Arc::new(sink);
    let on_sale = office.put_on_sale(5, 4500).await;
    let guest = office.guest();
    away(&proxy);
    let order = guest.buy(&on_sale, 1, "patient@example.org").await;
    let order = guest.wait_for(&order, "fulfilled").await;
    assert_eq!(order["tickets"].as_array().unwrap().len(), 1);
    testkit::eventually("a mail to be tried", PATIENCE, async || {
        let notifications = office.databases.notifications.pool().await;
        let tried = "SELECT count(*) FROM notifications WHERE attempts > 0";
        let tried: i64 = sqlx::query_scalar(tried)
            .fetch_one(&notifications)
            .await
            .unwrap();
        (tried > 0).then_some(())
    })
    .await;
    assert!(office.smtp.messages().is_empty());

    back(&proxy);
    testkit::eventually("the receipt", AFTER_SILENCE, async || {
        office
            .databases
            .notifications
            .make_due("notifications", "next_attempt_at")
            .await;
        (office.smtp.messages().len() == 1).then_some(())
    })
    .await;
    office.close().await;
}

#[tokio::test]
async fn purchases_go_on_while_the_mail_server_is_down() {
    let sink = Smtp::start().await;
    let proxy = FaultProxy::before(&sink.url()).await;
    sells_while(
        proxy,
        sink,
        |proxy| proxy.refuse(true),
        |proxy| proxy.refuse(false),
    )
    .await;
}

/// It accepts connections, and nothing ever comes back.
#[tokio::test]
async fn purchases_go_on_while_the_mail_server_is_a_black_hole() {
    let sink = Smtp::start().await;
    let proxy = FaultProxy::before(&sink.url()).await;
    let lose = |proxy: &FaultProxy, on: bool| {
        proxy.lose(Direction::Up, on);
        proxy.lose(Direction::Down, on);
    };
    sells_while(
        proxy,
        sink,
        |proxy| lose(proxy, true),
        |proxy| lose(proxy, false),
    )
    .await;
}
