//! Files of PostgreSQL's log before it needs them.
//!
//! Where the log has no old file to write over, PostgreSQL makes one: 16 MiB of zeros and a flush, 20 to 150 ms
//! during which nobody's commit ends. A hot sale needs one every second or two (docs/decisions/0037).

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use embedded::LOG_KEPT_MIB;
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::time::timeout;

/// Left to everybody else. A server that finds no room for its log stops, and cannot start again before there is some.
const LEFT_FREE_BYTES: u64 = 1024 * 1024 * 1024;
/// A disk that is slower than that is not waited for: the rest is made by the next start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the files that are missing, which takes about a second where all are. Does nothing where they are there.
/// `data_dir` is where the server keeps them.
///
/// # Errors
/// When the server cannot be asked, the disk is too slow, or the files would leave less than a gibibyte of it.
pub async fn make_log_files(admin_url: &str, data_dir: &Path) -> anyhow::Result<()> {
    timeout(PATIENCE, make(admin_url, data_dir))
        .await
        .with_context(|| format!("not done after {PATIENCE:?}"))?
}

async fn make(admin_url: &str, data_dir: &Path) -> anyhow::Result<()> {
    let mut admin = PgConnection::connect(admin_url)
        .await
        .context("connecting to PostgreSQL")?;
    let row = sqlx::query(
        "SELECT pg_is_in_recovery() AS follows,
                pg_size_bytes(current_setting('wal_segment_size')) AS file_bytes,
                count(*) AS files,
                count(*) FILTER (WHERE CASE WHEN pg_is_in_recovery() THEN false
                    ELSE name > pg_walfile_name(pg_current_wal_lsn()) END) AS ahead
         FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'",
    )
    .fetch_one(&mut admin)
    .await?;
    let (files, ahead): (i64, i64) = (row.try_get("files")?, row.try_get("ahead")?);
    let file_bytes: i64 = row.try_get("file_bytes")?;
    let missing = LOG_KEPT_MIB * 1024 * 1024 / file_bytes - files;
    if missing > 0 && !row.try_get::<bool, _>("follows")? {
        let needed = u64::try_from(missing * file_bytes)?;
        must_have_room(free_bytes(data_dir)?, needed)?;
        // Those that are ahead are gone through first; each switch after them makes one.
        for _ in 0..ahead + missing {
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

fn free_bytes(folder: &Path) -> anyhow::Result<u64> {
    let seen = rustix::fs::statvfs(folder)
        .with_context(|| format!("asking how much room {} has", folder.display()))?;
    Ok(seen.f_bavail.saturating_mul(seen.f_frsize))
}

fn must_have_room(free_bytes: u64, needed_bytes: u64) -> anyhow::Result<()> {
    let rest = free_bytes.saturating_sub(needed_bytes);
    ensure!(
        rest >= LEFT_FREE_BYTES,
        "they need {} MiB and must leave {} MiB free, and {} MiB are free",
        needed_bytes >> 20,
        LEFT_FREE_BYTES >> 20,
        free_bytes >> 20,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_not_filled_for_them() {
        let (needed, gibibyte) = (512 << 20, 1 << 30);
        assert!(must_have_room(needed + gibibyte, needed).is_ok());
        let refused = must_have_room(needed + gibibyte - 1, needed).unwrap_err();
        assert!(refused.to_string().contains("512 MiB"), "{refused}");
        assert!(must_have_room(0, needed).is_err());
    }

    #[test]
    fn the_room_of_a_folder_is_asked_for() {
        assert!(free_bytes(&std::env::temp_dir()).unwrap() > 0);
        assert!(free_bytes(Path::new("/no/such/folder")).is_err());
    }
}
