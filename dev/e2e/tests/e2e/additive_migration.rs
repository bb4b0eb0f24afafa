//! The migration of the next version runs while this version sells: columns appear under statements in use.

use futures::future::join_all;
use testkit::{Infra, TestDb};

use crate::harness::{BoxOffice, OnSale, PATIENCE};

const GUESTS: usize = 4;

/// Side by side, so that every statement is in use on several sessions.
async fn all_buy(office: &BoxOffice, on_sale: &OnSale) {
    let purchases = (0..GUESTS).map(|number| async move {
        let guest = office.guest();
        let email = format!("guest{number}@example.org");
        let order = guest.buy(on_sale, 1, &email).await;
        guest.wait_for(&order, "fulfilled").await;
    });
    join_all(purchases).await;
}

async fn add_a_column_everywhere(database: &TestDb) {
    let mut session = database.connect().await;
    let add = "
        DO $$ DECLARE name regclass; BEGIN
            FOR name IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            LOOP EXECUTE format('ALTER TABLE %s ADD COLUMN of_the_next_version int', name); END LOOP;
        END $$";
    sqlx::raw_sql(add).execute(&mut session).await.unwrap();
}

/// What a statement with a `*` in it fails with, as often as it comes to a session that knew it before. A job would
/// only be late, and nobody would see it.
fn assert_no_plan_was_stale(database: &TestDb) {
    let session = format!("@{}|ERROR", database.name);
    let log = Infra::postgres_log();
    let stale = |line: &&str| line.contains(&session) && line.contains("cached plan");
    assert_eq!(log.lines().find(stale), None);
}

#[tokio::test]
async fn guests_buy_while_every_table_gets_a_column() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(100, 4500).await;
    all_buy(&office, &on_sale).await;
    let databases = [
        &office.databases.users,
        &office.databases.tickets,
        &office.databases.payments,
        &office.databases.notifications,
    ];
    let migrations = async {
        for database in databases {
            add_a_column_everywhere(database).await;
        }
    };
    tokio::join!(migrations, all_buy(&office, &on_sale));
    all_buy(&office, &on_sale).await;
    office.smtp.wait_for(3 * GUESTS, PATIENCE).await;
    for database in databases {
        assert_no_plan_was_stale(database);
    }
    office.close().await;
}
