//! Files of PostgreSQL's log before it needs them.
//!
//! Where the log has no old file to write over, PostgreSQL makes one: 16 MiB of zeros and a flush, 20 to 150 ms
//! during which nobody's commit ends. A hot sale needs one every second or two (docs/decisions/0037).

use anyhow::Context as _;
use embedded::LOG_KEPT_MIB;
use sqlx::{Connection as _, PgConnection, Row as _};

/// Makes the files that are missing, which takes about a second where all are. Does nothing where they are there.
///
/// # Errors
/// When the server cannot be asked or has no room.
pub async fn make_log_files(admin_url: &str) -> anyhow::Result<()> {
    let mut admin = PgConnection::connect(admin_url)
        .await
        .context("connecting to PostgreSQL")?;
    let row = sqlx::query(
        "SELECT pg_is_in_recovery() AS follows,
                pg_size_bytes(current_setting('wal_segment_size')) AS file_bytes,
                (SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$') AS files",
    )
    .fetch_one(&mut admin)
    .await?;
    let files: i64 = row.try_get("files")?;
    let wanted = LOG_KEPT_MIB * 1024 * 1024 / row.try_get::<i64, _>("file_bytes")?;
    if files < wanted && !row.try_get::<bool, _>("follows")? {
        for _ in files..wanted {
            // Without a record in it a file is not left.
            sqlx::raw_sql(
                "SELECT pg_logical_emit_message(false, 'boxoffice', ''); SELECT pg_switch_wal()",
            )
            .execute(&mut admin)
            .await?;
        }
        // Old files become the next ones.
        sqlx::raw_sql("CHECKPOINT").execute(&mut admin).await?;
    }
    admin.close().await?;
    Ok(())
}
