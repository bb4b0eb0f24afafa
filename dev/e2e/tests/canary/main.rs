//! No secret and nothing of a guest is written anywhere but where it belongs: a whole purchase and the life of an
//! admin with values that can be found again, everything logged that can be logged, and all of it searched.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod admin;
mod guest;
mod office;
mod search;
mod visitor;

use testkit::keys::random_text;

use crate::{office::Office, search::Canaries, visitor::Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_written() {
    let mut canaries = Canaries::default();
    let smtp_password = random_text(24);
    canaries.add("the password of the mail server", &smtp_password);
    let mut office = Office::open(&smtp_password).await;
    canaries.add_all(office.secrets());

    let visitor = Visitor::new(&office, canaries);
    let admin = admin::signs_up(&visitor, &office.setup_token).await;
    let on_sale = admin.puts_on_sale(&visitor).await;
    let bought = guest::buys(&visitor, &on_sale).await;
    guest::helps_themselves(&visitor, &bought).await;
    guest::makes_mistakes(&visitor, &on_sale).await;
    admin.looks_after(&visitor, &bought).await;

    let canaries = visitor.canaries();
    let written = office.close().await;
    assert!(canaries.len() > 40, "only {} canaries", canaries.len());
    let found = canaries.search(&written);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Not a test of its own: what `Office::open` runs in another process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above in a process of its own"]
async fn be_the_box_office() {
    office::be_the_box_office().await;
}
