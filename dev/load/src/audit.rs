//! What must be true when a workload is over: by the database, by the guests' own history, and by the doctor.

use std::{collections::HashSet, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::{admin::OnSale, hold_guest::History, mesh::BoxOffice, process::command};

/// What was checked, and what was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Audit {
    pub ok: bool,
    pub checked: Vec<String>,
    pub failures: Vec<String>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            ok: true,
            checked: Vec::new(),
            failures: Vec::new(),
        }
    }
}

/// How much of a type is gone.
#[derive(Clone, Copy, Debug)]
struct Stock {
    capacity: i64,
    taken: i64,
    ledger: i64,
    lines: i64,
}

impl Audit {
    pub fn check(&mut self, holds: bool, what: impl Into<String>) {
        let what = what.into();
        if !holds {
            self.ok = false;
            self.failures.push(what.clone());
        }
        self.checked.push(what);
    }

    /// With what another one found.
    pub fn join(&mut self, other: Self) {
        self.ok &= other.ok;
        self.checked.extend(other.checked);
        self.failures.extend(other.failures);
    }

    /// The sale of one type: never more than there is, counters as the ledger and the lines say, and every
    /// acknowledged hold is there.
    pub async fn sale(
        &mut self,
        database: &mut PgConnection,
        on_sale: &OnSale,
        history: &History,
    ) -> anyhow::Result<()> {
        let stock = stock(database, on_sale).await?;
        let Stock {
            capacity, taken, ..
        } = stock;
        let kind = &on_sale.kind[on_sale.kind.len().saturating_sub(6)..];
        self.check(
            taken <= capacity && stock.lines <= capacity,
            format!(
                "…{kind}: {taken} held and sold of {capacity}, {} by the lines",
                stock.lines
            ),
        );
        self.check(
            taken == stock.ledger && taken == stock.lines,
            format!(
                "…{kind}: counters {taken}, ledger {}, lines {}",
                stock.ledger, stock.lines
            ),
        );
        let stored = hold_ids(database, on_sale).await?;
        let lost = history
            .granted
            .iter()
            .filter(|(id, _)| !stored.contains(id));
        let lost = lost.count();
        self.check(
            lost == 0,
            format!(
                "…{kind}: {} holds acknowledged, {lost} of them lost",
                history.granted.len()
            ),
        );
        let distinct: HashSet<&Uuid> = history.granted.iter().map(|(id, _)| id).collect();
        self.check(
            distinct.len() == history.granted.len(),
            format!("…{kind}: no two guests have the same hold"),
        );
        let more = stored.len().saturating_sub(distinct.len()) as u64;
        self.check(
            more <= history.unknown,
            format!(
                "…{kind}: {more} holds that nobody was told of, {} answers were lost",
                history.unknown
            ),
        );
        self.answers(history);
        Ok(())
    }

    /// The same, and nothing is left although so many came.
    pub async fn sold_out(
        &mut self,
        database: &mut PgConnection,
        on_sale: &OnSale,
        history: &History,
    ) -> anyhow::Result<()> {
        self.sale(database, on_sale, history).await?;
        let Stock {
            capacity, taken, ..
        } = stock(database, on_sale).await?;
        self.check(
            taken == capacity,
            format!("sold out: {taken} of {capacity} are held or sold, none more, none less"),
        );
        Ok(())
    }

    /// No guest heard anything that must not be.
    pub fn answers(&mut self, history: &History) {
        let first = history.wrong.first().map_or("", String::as_str);
        self.check(
            history.wrong.is_empty(),
            format!("{} answers that must not be {first}", history.wrong.len()),
        );
    }

    /// Every rule of `boxoffice doctor`. What is under way may settle for a while.
    pub async fn doctor(&mut self, office: &BoxOffice) -> anyhow::Result<()> {
        let mut found = Value::Null;
        for _ in 0..5 {
            found = examine(office).await?;
            if found["findings"].as_array().is_some_and(Vec::is_empty) {
                let rules = found["checked"].as_array().map_or(0, Vec::len);
                self.check(rules > 0, format!("the doctor's {rules} rules hold"));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for finding in found["findings"].as_array().into_iter().flatten() {
            let what = format!("doctor: {}: {}", finding["rule"], finding["first"]);
            self.check(false, what);
        }
        Ok(())
    }
}

async fn examine(office: &BoxOffice) -> anyhow::Result<Value> {
    let mut doctor = command(&office.start.programs.join("boxoffice"));
    doctor
        .env("BOXOFFICE_DATA_DIR", &office.start.data_dir)
        .args(["doctor", "--json", "--settle-secs=0"])
        .arg("--statement-timeout-secs=0");
    let done = doctor.output().await.context("starting the doctor")?;
    let said = String::from_utf8_lossy(&done.stderr);
    serde_json::from_slice(&done.stdout).with_context(|| format!("the doctor said {said}"))
}

async fn stock(database: &mut PgConnection, on_sale: &OnSale) -> anyhow::Result<Stock> {
    let row = sqlx::query(
        "SELECT p.capacity, p.held + p.sold AS taken,
             (SELECT coalesce(sum(held_delta + sold_delta), 0)::bigint
              FROM inventory_ledger WHERE pool_id = p.id) AS ledger,
             (SELECT coalesce(sum(l.quantity), 0)::bigint FROM hold_lines l
              JOIN holds h ON h.id = l.hold_id
              WHERE l.ticket_type_id = t.id AND h.status IN ('active', 'paying', 'committed')) AS lines
         FROM ticket_types t JOIN pools p ON p.id = t.pool_id
         WHERE t.id = $1",
    )
    .bind(on_sale.kind.parse::<Uuid>()?)
    .fetch_one(database)
    .await?;
    Ok(Stock {
        capacity: row.try_get("capacity")?,
        taken: row.try_get("taken")?,
        ledger: row.try_get("ledger")?,
        lines: row.try_get("lines")?,
    })
}

/// Of every status, with lines of this type.
async fn hold_ids(database: &mut PgConnection, on_sale: &OnSale) -> anyhow::Result<HashSet<Uuid>> {
    let ids = sqlx::query_scalar(
        "SELECT h.id FROM holds h
         WHERE h.event_id = $1
           AND EXISTS (SELECT FROM hold_lines l WHERE l.hold_id = h.id AND l.ticket_type_id = $2)",
    )
    .bind(on_sale.event.parse::<Uuid>()?)
    .bind(on_sale.kind.parse::<Uuid>()?);
    let ids: Vec<Uuid> = ids.fetch_all(database).await?;
    Ok(ids.into_iter().collect())
}
