//! Money that comes when the tickets are gone goes back, once, and its guest is told once.

use std::collections::BTreeMap;

use super::{LONG, address, count, each, ledgers_agree, ordered, page_of, pay, size, until_count};
use crate::{guest::CARD_OK, harness::BoxOffice};

const LATE: usize = 1_000;
/// Stays pending, and cannot be closed: the bank decides when it decides.
const CARD_UNDECIDED: &str = "4000000000000341";

#[tokio::test]
async fn late_successes_on_sold_out_stock_are_refunded() {
    let office = BoxOffice::open().await;
    let guests = size(LATE);
    let on_sale = office.put_on_sale(guests as i64, 4500).await;
    let pages = each(guests, async |number| {
        let guest = office.guest();
        let order = ordered(&guest, &on_sale, &address(number)).await;
        let page = page_of(&guest, &order).await;
        pay(&guest, &order, CARD_UNDECIDED).await;
        page
    })
    .await;
    let pool = office.databases.payments.pool().await;
    let processing = "SELECT count(*) FROM orders WHERE status = 'processing'";
    until_count(&pool, "undecided", processing, guests).await;

    // Their time is over, and others buy every ticket.
    let tickets = office.databases.tickets.pool().await;
    office
        .databases
        .tickets
        .make_due("holds", "paying_until")
        .await;
    let freed = "SELECT held FROM pools ORDER BY id LIMIT 1";
    until_count(&tickets, "still held", freed, 0).await;
    each(guests, async |number| {
        let guest = office.guest();
        let order = ordered(&guest, &on_sale, &address(guests + number)).await;
        pay(&guest, &order, CARD_OK).await;
    })
    .await;
    let fulfilled = "SELECT count(*) FROM orders WHERE status = 'fulfilled'";
    until_count(&pool, "fulfilled", fulfilled, guests).await;

    each(guests, async |number| {
        let page = format!("{}/settle", pages[number]);
        let form = [("outcome", "paid")];
        let answer = office.client.post(page).form(&form).send().await.unwrap();
        assert!(
            answer.status().is_success() || answer.status().is_redirection(),
            "{answer:?}"
        );
    })
    .await;
    let refunded = "SELECT count(*) FROM orders WHERE status = 'refunded'";
    until_count(&pool, "refunded", refunded, guests).await;

    let refunds =
        "SELECT count(*) FROM refunds WHERE status = 'succeeded' AND reason = 'unfulfillable'";
    assert_eq!(count(&pool, refunds).await, guests as i64);
    let sold = "SELECT sold FROM pools ORDER BY id LIMIT 1";
    assert_eq!(count(&tickets, sold).await, guests as i64, "oversold");
    ledgers_agree(&pool).await;
    // Half of them have a receipt, half the bad news.
    let mails = office.smtp.wait_for(2 * guests, LONG).await;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for to in mails.into_iter().flat_map(|mail| mail.to) {
        *told.entry(to).or_default() += 1;
    }
    let once: BTreeMap<String, usize> = (0..2 * guests).map(|n| (address(n), 1)).collect();
    assert_eq!(told, once);
    office.close().await;
}
