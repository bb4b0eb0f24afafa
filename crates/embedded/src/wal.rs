//! Room in the write-ahead log before it is needed.
//!
//! Where the log has no old file to write over, PostgreSQL makes one: 16 MiB of zeros and a flush, 20 to 150 ms
//! during which nobody's commit ends. On a new cluster that came once or twice in four seconds of a hot sale and was
//! most of what guests waited (docs/performance.md).

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection, Row as _};

/// Files that PostgreSQL keeps for the log to come instead of removing them, and that a new cluster is given.
pub(crate) const READY_MIB: i64 = 512;
/// A checkpoint begins after about half of this much log. Each makes the pages that change next go to the log whole,
/// and a recovery reads what came since the last one: some seconds.
pub(crate) const CHECKPOINT_MIB: i64 = 2048;

/// Makes the files that are missing, which takes about a second where all are. Does nothing where they are there.
///
/// # Errors
/// When the server cannot be asked or has no room.
pub(crate) async fn lay_in(admin_url: &str) -> Result<()> {
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
    let wanted = READY_MIB * 1024 * 1024 / row.try_get::<i64, _>("file_bytes")?;
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
