//! A database that refuses what it is told. PostgreSQL names the row, and that is somebody.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use testkit::eventually;

use crate::{
    accounts::{Account, invites},
    admin::{Admin, OnSale},
    guest::{self, own, secret},
    office::PATIENCE,
    visitor::Visitor,
};

/// The name of the rule that refuses; it stands in the log of PostgreSQL and in ours.
pub const RULE: &str = "refuses_by_order_of_the_test";

async fn tell(visitor: &Visitor<'_>, database: &str, sql: &str) {
    let url = visitor.office.database_url(database);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// A call while a table takes no rows.
async fn without(
    visitor: &Visitor<'_>,
    (database, table): (&str, &str),
    call: impl Future<Output = (StatusCode, Value)>,
) {
    let rule = format!("ALTER TABLE {table} ADD CONSTRAINT {RULE} CHECK (false) NOT VALID");
    tell(visitor, database, &rule).await;
    let (status, answer) = call.await;
    assert!(status.is_server_error(), "{table}: {status} {answer}");
    tell(
        visitor,
        database,
        &format!("ALTER TABLE {table} DROP CONSTRAINT {RULE}"),
    )
    .await;
}

pub async fn knows_no_accounts(visitor: &Visitor<'_>, admin: &Admin) {
    let (new, password) = (
        visitor.address("unlucky"),
        visitor.secret("an unlucky password"),
    );
    let bearer = Some(admin.token.as_str());
    let wish = json!({"email": new, "role": "admin"});
    let inviting = visitor.post("/api/v1/admin/invitations", bearer, &wish);
    without(visitor, ("users", "invitations"), inviting).await;
    let invitation = invites(visitor, admin, &new).await;
    let registration = json!({"invitation": invitation, "email": new, "password": password});
    let registering = visitor.post("/api/v1/auth/register", None, &registration);
    without(visitor, ("users", "users"), registering).await;
    // Somebody else has the address by now.
    let taken = "INSERT INTO users (id, email, email_key, password_hash, pepper_key_id, role, created_at)
         SELECT gen_random_uuid(), i.email, i.email_key, u.password_hash, u.pepper_key_id, 'admin', now()
         FROM users u, invitations i ORDER BY u.created_at, i.created_at DESC LIMIT 1";
    tell(visitor, "users", taken).await;
    let (status, _) = visitor
        .post("/api/v1/auth/register", None, &registration)
        .await;
    assert_eq!(status, 409);
    let account = Account {
        email: admin.email.clone(),
        password: admin.password.clone(),
    };
    without(visitor, ("users", "sessions"), account.tries(visitor, None)).await;
}

pub async fn sells_nothing(visitor: &Visitor<'_>, on_sale: &OnSale, order: &Value) {
    let wish = guest::wishes(visitor, on_sale).await;
    let ordering = visitor.post("/api/v1/orders", None, &wish);
    without(visitor, ("payments", "orders"), ordering).await;
    let (_, now) = visitor.get(&own(order, ""), secret(order)).await;
    let ticket = now["tickets"][1]["id"].as_str().unwrap();
    let holder =
        json!({"email": visitor.address("unlucky-friend"), "name": visitor.secret("a name")});
    let path = own(order, &format!("/tickets/{ticket}/transfer"));
    let handing_on = visitor.post(&path, secret(order), &holder);
    without(visitor, ("payments", "ticket_transfers"), handing_on).await;
    sends_nothing(visitor, order).await;
}

/// Whoever asks is told that it is on its way, and it is, when there is room for it.
async fn sends_nothing(visitor: &Visitor<'_>, order: &Value) {
    let (rule, table) = (format!("{RULE}_mails"), "notifications");
    let rule_added = format!("ALTER TABLE {table} ADD CONSTRAINT {rule} CHECK (false) NOT VALID");
    tell(visitor, "notifications", &rule_added).await;
    let path = own(order, "/receipt");
    let _either = visitor.post(&path, secret(order), &json!({})).await;
    eventually("PostgreSQL to refuse a mail", PATIENCE, async || {
        let log = visitor.office.log_of("postgres");
        log.contains(&rule).then_some(())
    })
    .await;
    let rule_dropped = format!("ALTER TABLE {table} DROP CONSTRAINT {rule}");
    tell(visitor, "notifications", &rule_dropped).await;
}
