//! Sessions over TLS, and which server is believed.

use crate::{PATIENCE, config};
use db::{Db, DbError};
use std::fs;
use testkit::{Authority, PostgresServer, Validity, eventually};

/// The server's URL with other parameters.
fn url(server: &PostgresServer, parameters: &str) -> String {
    let (bare, _) = server.admin_url().split_once('?').unwrap();
    format!("{bare}?{parameters}")
}

/// Whether a session is encrypted, asked in it.
async fn encrypted(url: &str) -> Result<bool, DbError> {
    let db = Db::connect(&config(url, 1)).await?;
    let encrypted = db
        .read((), |session, ()| {
            Box::pin(async move {
                let own = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
                Ok::<_, DbError>(sqlx::query_scalar(own).fetch_one(session).await?)
            })
        })
        .await;
    db.close().await;
    encrypted
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate() {
    let server = PostgresServer::start_private().await;
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = Authority::folder();
    authority.write(&folder, &["somebody"], Validity::Now);
    let strange = Authority::folder();
    stranger.write(&strange, &["somebody"], Validity::Now);
    let ca = |folder: &std::path::Path| format!("sslrootcert={}", folder.join("ca.crt").display());

    // Without TLS there, nothing is sent to it that asks for TLS.
    let verified = url(&server, &format!("sslmode=verify-full&{}", ca(&folder)));
    encrypted(&verified).await.unwrap_err();
    encrypted(&url(&server, "sslmode=require"))
        .await
        .unwrap_err();

    server
        .speak_tls(&authority.issue(&["127.0.0.1"], Validity::Now), None)
        .await;
    eventually("the server to speak TLS", PATIENCE, async || {
        encrypted(&verified).await.ok()?.then_some(())
    })
    .await;
    let other = url(&server, &format!("sslmode=verify-full&{}", ca(&strange)));
    encrypted(&other).await.unwrap_err();

    // The right authority, but another name; then the right name, but a day late.
    server
        .speak_tls(&authority.issue(&["db.example"], Validity::Now), None)
        .await;
    eventually("the server to have another name", PATIENCE, async || {
        encrypted(&verified).await.is_err().then_some(())
    })
    .await;
    let by_authority = url(&server, &format!("sslmode=verify-ca&{}", ca(&folder)));
    assert!(encrypted(&by_authority).await.unwrap());
    server
        .speak_tls(&authority.issue(&["127.0.0.1"], Validity::Expired), None)
        .await;
    eventually("the certificate to be too old", PATIENCE, async || {
        encrypted(&by_authority).await.is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_session_may_prove_itself_by_a_certificate() {
    let server = PostgresServer::start_private().await;
    let authority = Authority::new();
    let folder = Authority::folder();
    authority.write(&folder, &["boxoffice"], Validity::Now);
    let certificate = authority.issue(&["127.0.0.1"], Validity::Now);
    server.speak_tls(&certificate, Some(&authority)).await;
    let file = |name: &str| folder.join(name).display().to_string();
    let verified = format!("sslmode=verify-full&sslrootcert={}", file("ca.crt"));
    let own = format!(
        "{verified}&sslcert={}&sslkey={}",
        file("tls.crt"),
        file("tls.key")
    );
    eventually("the server to take the certificate", PATIENCE, async || {
        encrypted(&url(&server, &own)).await.ok()
    })
    .await;
    encrypted(&url(&server, &verified)).await.unwrap_err();
    encrypted(&url(&server, "sslmode=disable"))
        .await
        .unwrap_err();
    // Another one in the same files is used by the next session.
    Authority::new().write(&folder, &["boxoffice"], Validity::Now);
    fs::write(folder.join("ca.crt"), &authority.pem).unwrap();
    encrypted(&url(&server, &own)).await.unwrap_err();
}
