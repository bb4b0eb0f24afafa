//! The books of an order and of an event. The database derives every entry (migration 0006); here they
//! are read.

use base::{EventId, OrderId};
use proto::payment::{AccountBalance, AccountEntry};
use sqlx::PgConnection;

use crate::{error::Error, view::minor};

/// What an order came to, in the order of time; adds up to zero in each currency.
pub(crate) async fn entries(
    conn: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<AccountEntry>, Error> {
    let rows = sqlx::query!(
        r#"SELECT at AS "at!", entry AS "entry!", account AS "account!", currency AS "currency!",
               amount_minor AS "amount_minor!"
           FROM account_entries WHERE order_id = $1
           ORDER BY at, entry, source_id, amount_minor DESC, account"#,
        order.uuid(),
    );
    let rows = rows.fetch_all(conn).await?;
    let wire = rows.into_iter().map(|row| AccountEntry {
        at: Some(proto::timestamp(row.at)),
        entry: row.entry,
        account: row.account,
        amount: minor(row.amount_minor, &row.currency),
    });
    Ok(wire.collect())
}

/// What an event came to; adds up to zero in each currency. Accounts that are even are there too.
pub(crate) async fn balances(
    conn: &mut PgConnection,
    event: EventId,
) -> Result<Vec<AccountBalance>, Error> {
    let rows = sqlx::query!(
        r#"SELECT account AS "account!", currency AS "currency!", sum(amount_minor)::bigint AS "balance_minor!"
           FROM account_entries WHERE event_id = $1
           GROUP BY account, currency ORDER BY currency, account"#,
        event.uuid(),
    );
    let rows = rows.fetch_all(conn).await?;
    let wire = rows.into_iter().map(|row| AccountBalance {
        account: row.account,
        balance: minor(row.balance_minor, &row.currency),
    });
    Ok(wire.collect())
}
