//! What was checked and what was found, for people and for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::rule::Weight;

/// The outcome of one examination.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub settle_secs: f64,
    /// Every rule, in the order of the check.
    pub checked: Vec<Checked>,
    /// The rules that are broken. Empty on a healthy box office.
    pub findings: Vec<Broken>,
    /// What waits for a person, although nothing is broken.
    pub attention: Vec<Broken>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    pub database: &'static str,
    pub rule: &'static str,
    pub says: &'static str,
}

/// A rule and the rows that break it.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    pub database: &'static str,
    pub rule: &'static str,
    pub says: &'static str,
    /// How many break it.
    pub rows: u64,
    /// The first of them in words, with its id.
    pub first: String,
}

/// What one rule found.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub rows: u64,
    pub first: Option<String>,
}

impl Verdict {
    pub fn count(&mut self, what: String) {
        self.rows += 1;
        self.first.get_or_insert(what);
    }
}

impl Report {
    pub(super) fn new(settle: Duration) -> Self {
        Self {
            settle_secs: settle.as_secs_f64(),
            checked: Vec::new(),
            findings: Vec::new(),
            attention: Vec::new(),
        }
    }

    pub fn is_healthy(&self) -> bool {
        self.findings.is_empty()
    }

    /// `rule` is its name and its sentence.
    pub(super) fn add(
        &mut self,
        database: &'static str,
        (rule, says): (&'static str, &'static str),
        weight: Weight,
        verdict: Verdict,
    ) {
        self.checked.push(Checked {
            database,
            rule,
            says,
        });
        if verdict.rows == 0 {
            return;
        }
        let first = verdict
            .first
            .unwrap_or_else(|| "a row without words".to_owned());
        let broken = Broken {
            database,
            rule,
            says,
            rows: verdict.rows,
            first,
        };
        match weight {
            Weight::Broken => self.findings.push(broken),
            Weight::Attention => self.attention.push(broken),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for checked in &self.checked {
            let same = |broken: &&Broken| {
                (broken.database, broken.rule) == (checked.database, checked.rule)
            };
            let mark = if self.findings.iter().any(|broken| same(&broken)) {
                "BROKEN"
            } else if self.attention.iter().any(|broken| same(&broken)) {
                "look"
            } else {
                "ok"
            };
            writeln!(f, "  {mark:<6}  {:<13}  {}", checked.database, checked.says)?;
        }
        for broken in &self.findings {
            write!(f, "\nBROKEN  {broken}")?;
        }
        for broken in &self.attention {
            write!(f, "\nNeeds attention  {broken}")?;
        }
        let count = self.checked.len();
        match self.findings.len() {
            0 => writeln!(f, "\nHealthy: {count} rules hold."),
            broken => writeln!(
                f,
                "\n{broken} of {count} rules are broken; see docs/operations.md."
            ),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}): {}", self.rule, self.database, self.says)?;
        match self.rows {
            1 => writeln!(f, "        {}", self.first),
            rows => writeln!(f, "        {rows} rows. The first: {}", self.first),
        }
    }
}
