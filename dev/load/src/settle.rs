//! Work that goes on after guests were answered: payments, messages, mails.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::{cpu::Meter, mesh::BoxOffice, sql};

const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at the meter, and how much of a core is little.
const LOOK: Duration = Duration::from_millis(500);
const LITTLE: f64 = 0.1;

/// Waits until every report of a payment is worked off, with all that it caused down to the mail.
pub async fn settled(office: &BoxOffice) -> anyhow::Result<()> {
    let mut payments = office.connect("payments").await?;
    let mut notifications = office.connect("notifications").await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let reports = "SELECT count(*) FROM provider_events WHERE state = 'received'";
        let messages = "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL";
        let mails = "SELECT count(*) FROM notifications WHERE status IN ('queued', 'sending')";
        let open = sql::number(&mut payments, reports).await?
            + sql::number(&mut payments, messages).await?
            + sql::number(&mut notifications, mails).await?;
        if open == 0 {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "{open} reports, messages and mails are left after {PATIENCE:?}"
        );
        // Sleeps: between two looks.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the box office takes less than a tenth of a core: what was begun is done, hashes included.
pub async fn calm(meter: &Meter) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let before = meter.read();
        // Sleeps: what is taken is taken over a while.
        tokio::time::sleep(LOOK).await;
        let taken = (meter.read() - before).div_duration_f64(LOOK);
        if taken < LITTLE {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "the box office still takes {taken:.2} cores after {PATIENCE:?}"
        );
    }
}
