//! Nobody gets in by what is usual: a fresh box office has no account, its setup takes its own token only, and no
//! server of it believes a usual password.

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use url::Url;

use crate::{accounts::LOGIN, visitor::Visitor};

const SETUP: &str = "/api/v1/admin/setup";
/// Fewer than cost a moment, for each address and for all of them.
const LOGINS: [(&str, &[&str]); 6] = [
    ("admin", &["admin", "password"]),
    (
        "admin@example.org",
        &["admin", "password", "admin@example.org"],
    ),
    (
        "admin@example.com",
        &["admin", "changeme", "change me please"],
    ),
    ("admin@localhost", &["admin", "boxoffice"]),
    ("demo@example.org", &["demo", "demo demo demo demo"]),
    ("root@example.org", &["root", "", "a long enough password"]),
];
/// PostgreSQL: the password is wrong, or there is no such role.
const NOT_LET_IN: [&str; 2] = ["28P01", "28000"];

pub async fn open_nothing(visitor: &Visitor<'_>) {
    assert_eq!(accounts(visitor).await, 0);
    for (email, passwords) in LOGINS {
        for password in passwords {
            let login = json!({"email": email, "password": password});
            let (status, answer) = visitor.post(LOGIN, None, &login).await;
            // Not 429: each was looked at.
            let refused = status == 401 || status == 422;
            assert!(refused, "{email} {password}: {status} {answer}");
        }
    }
    open_no_setup(visitor).await;
    open_no_database(visitor).await;
    open_no_broker(visitor).await;
}

async fn accounts(visitor: &Visitor<'_>) -> i64 {
    let url = visitor.office.database_url("users");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM users");
    count.fetch_one(&mut connection).await.unwrap()
}

/// None without the token, and one with it.
async fn open_no_setup(visitor: &Visitor<'_>) {
    let account = json!({"email": "boss@example.org", "password": "a long enough password"});
    let with = |token: Value| {
        let mut body = account.clone();
        body["setup_token"] = token;
        body
    };
    let own = &visitor.office.setup_token;
    let almost = format!("{}x", &own[..own.len() - 1]);
    assert_ne!(&almost, own);
    let mut bodies = vec![account.clone(), with(Value::Null)];
    for token in [
        "",
        "admin",
        "setup",
        "token",
        "changeme",
        "boxoffice",
        &almost,
    ] {
        bodies.push(with(json!(token)));
    }
    for body in bodies {
        let (status, answer) = visitor.post(SETUP, None, &body).await;
        assert!(status.is_client_error(), "{body}: {status} {answer}");
    }
    assert_eq!(accounts(visitor).await, 0);
    let made = visitor.post(SETUP, None, &with(json!(own))).await;
    visitor.must(201, made).await;
    // Once.
    let (status, answer) = visitor.post(SETUP, None, &with(json!(own))).await;
    assert!(status.is_client_error(), "{status} {answer}");
    assert_eq!(accounts(visitor).await, 1);
}

async fn open_no_database(visitor: &Visitor<'_>) {
    for (role, password) in [
        ("postgres", "postgres"),
        ("postgres", ""),
        ("boxoffice", "boxoffice"),
        ("boxoffice", ""),
        ("users", "users"),
        ("users", "password"),
    ] {
        let mut url: Url = visitor.office.database_url("users").parse().unwrap();
        url.set_username(role).unwrap();
        url.set_password(Some(password)).unwrap();
        let refused = PgConnection::connect(url.as_str()).await.expect_err(role);
        let code = refused
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        let code = code.unwrap_or_default().into_owned();
        assert!(NOT_LET_IN.contains(&code.as_str()), "{role}: {refused}");
    }
}

async fn open_no_broker(visitor: &Visitor<'_>) {
    let url: Url = visitor.office.nats_url.parse().unwrap();
    let address = (url.host_str().unwrap(), url.port().unwrap());
    for proof in [
        "",
        r#""user":"nats","pass":"nats""#,
        r#""user":"admin","pass":"admin""#,
        r#""user":"boxoffice","pass":"boxoffice""#,
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("INFO "), "{line}");
        let connect = format!("CONNECT {{{proof}}}\r\nPING\r\n");
        stream.write_all(connect.as_bytes()).await.unwrap();
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        assert!(
            line.starts_with("-ERR 'Authorization Violation'"),
            "{proof}: {line}"
        );
    }
}
