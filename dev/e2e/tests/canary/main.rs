//! No secret and nothing of a guest is written anywhere but where it belongs: a whole purchase and the life of admins
//! with values that can be found again, everything logged that can be logged, and all of it searched.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod accounts;
mod admin;
mod desk;
mod guest;
mod office;
mod programs;
mod refusing_database;
mod search;
mod second_factor;
mod sessions;
mod usual_credentials;
mod visitor;

use testkit::keys::random_text;

use crate::{
    office::Office,
    search::{Canaries, Written},
    visitor::{IDEMPOTENCY_KEY, Visitor},
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_written() {
    let mut canaries = Canaries::default();
    let smtp_password = random_text(24);
    canaries.add("the password of the mail server", &smtp_password);
    let mut office = Office::open(&smtp_password, false).await;
    canaries.add_all(office.secrets());

    let visitor = Visitor::new(&office, canaries);
    let admin = admin::signs_up(&visitor, &office.setup_token).await;
    let on_sale = admin.puts_on_sale(&visitor).await;
    let bought = guest::buys(&visitor, &on_sale).await;
    guest::helps_themselves(&visitor, &bought).await;
    guest::makes_mistakes(&visitor, &on_sale).await;
    let colleague = accounts::is_invited(&visitor, &admin).await;
    accounts::is_made(&visitor, &admin).await;
    accounts::asks_for_one(&visitor, &admin).await;
    let colleague = accounts::forgets_the_password(&visitor, colleague).await;
    second_factor::is_used(&visitor, &colleague).await;
    sessions::is_refreshed(&visitor, &colleague).await;
    sessions::is_at_the_dashboard(&visitor, &colleague).await;
    programs::have_a_key(&visitor, &colleague).await;
    refusing_database::sells_nothing(&visitor, &on_sale, &bought.order).await;
    refusing_database::knows_no_accounts(&visitor, &admin).await;
    admin.looks_after(&visitor, &bought).await;

    let at_hand = visitor.secret("what was at hand when it panicked");

    let (canaries, requests) = visitor.told();
    office.panics_over(&at_hand).await;
    let written = office.close().await;
    let count = canaries.count_but(IDEMPOTENCY_KEY);
    assert!(count > 150, "only {count} canaries");
    would_be_found(&written, &requests);
    let found = canaries.search(&written);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is written on purpose is found by the same search, where it is to be.
fn would_be_found(written: &[Written], requests: &[String]) {
    let mut known = Canaries::default();
    let request = requests.last().expect("a request");
    let bytes = request.as_bytes().chunks(2);
    let byte = |hex: &[u8]| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap();
    known.add_bytes("a request", &bytes.map(byte).collect::<Vec<u8>>());
    known.add("a route", "/api/v1/auth/password-resets/redeem");
    known.add("a rule", refusing_database::RULE);
    known.add("a place of a panic", "tests/canary/office.rs:");
    let found = known.search(written);
    for expected in [
        "a request is in the log:",
        "a request is in the spans:",
        "a route is in the log:",
        "a route is in the spans:",
        "a route is in the metrics that were sent:",
        "a route is in the metrics that were asked for:",
        "a rule is in the log:",
        "a place of a panic is in the log:",
        "a rule is in postgres.log:",
    ] {
        let is_found = found.iter().any(|what| what.starts_with(expected));
        assert!(is_found, "not so: {expected}\n{}", found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn default_credentials_do_not_exist() {
    let mut office = Office::open(&random_text(24), true).await;
    let visitor = Visitor::new(&office, Canaries::default());
    usual_credentials::open_nothing(&visitor).await;
    office.close().await;
}

/// Not a test of its own: what `Office::open` runs in another process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above in a process of its own"]
async fn be_the_box_office() {
    office::be_the_box_office().await;
}
