//! A rule of one database: a name, a sentence, and a query for what breaks it.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{Report, Verdict};

/// What a row that the query finds means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Something is wrong.
    Broken,
    /// Nothing is wrong with the system, and a person has to decide or to do something.
    Attention,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The heading in docs/operations.md.
    pub name: &'static str,
    /// What is true where nothing is found.
    pub says: &'static str,
    pub weight: Weight,
    /// One text per offending row: in words, with its id. What is older than `(SELECT before FROM
    /// rest)` has had the time to settle; `order_steps (before, after)` are those that orders may take.
    pub offending: &'static str,
}

/// A rule whose break is a finding.
pub(super) const fn rule(name: &'static str, says: &'static str, offending: &'static str) -> Rule {
    Rule {
        name,
        says,
        weight: Weight::Broken,
        offending,
    }
}

/// A rule whose break is somebody's task.
pub(super) const fn task(name: &'static str, says: &'static str, offending: &'static str) -> Rule {
    Rule {
        name,
        says,
        weight: Weight::Attention,
        offending,
    }
}

pub(super) async fn check_all(
    session: &mut PgConnection,
    database: &'static str,
    rules: &[Rule],
    report: &mut Report,
) -> anyhow::Result<()> {
    for rule in rules {
        let verdict = check(session, rule, report.settle_secs)
            .await
            .with_context(|| format!("checking {} of the {database} database", rule.name))?;
        report.add(database, (rule.name, rule.says), rule.weight, verdict);
    }
    Ok(())
}

/// The rows are counted where they are; only the first one travels.
async fn check(
    session: &mut PgConnection,
    rule: &Rule,
    settle_secs: f64,
) -> Result<Verdict, sqlx::Error> {
    let steps = payment_svc::order_transitions();
    let steps: Vec<String> = steps
        .map(|(before, after)| format!("('{before}', '{after}')"))
        .collect();
    let query = format!(
        "WITH rest (before) AS (SELECT now() - make_interval(secs => $1)),
              order_steps (before, after) AS (VALUES {}),
              offending (what) AS ({})
         SELECT count(*), min(what) FROM offending",
        steps.join(", "),
        rule.offending
    );
    // The text is a constant of this crate.
    let (rows, first): (i64, Option<String>) = sqlx::query_as(AssertSqlSafe(query))
        .bind(settle_secs)
        .fetch_one(session)
        .await?;
    Ok(Verdict {
        rows: rows.unsigned_abs(),
        first,
    })
}
