//! Results as files, for programs: `<out>/<workload>.json`.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::{audit::Audit, machine::Environment, stats::median};

/// A figure beside its limit or its goal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub workload: String,
    /// `real` or `fsync_1ms`.
    pub profile: String,
    /// What was measured, in words.
    pub what: String,
    /// None if the audit failed: what was oversold or lost was not sold quickly.
    pub figure: Option<f64>,
    pub unit: String,
    pub limit: Option<f64>,
    pub limit_name: Option<String>,
    pub ratio: Option<f64>,
    /// Of the ratio where there is a limit, else of the figure. None: shown, not judged.
    pub goal: Option<f64>,
    /// Whether the goal is a least or a most.
    pub at_most: bool,
    /// The goal is of the figure although there is a limit beside it.
    #[serde(default)]
    pub absolute: bool,
    pub met: bool,
    pub cpu_us_per_op: Option<f64>,
    pub limit_cpu_us_per_op: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Ours and the limit, by turns.
    pub rounds: Vec<[f64; 2]>,
    pub audit: Audit,
    pub environment: Environment,
}

/// Whose entries these are.
#[derive(Clone, Debug)]
pub struct Source {
    pub workload: &'static str,
    pub profile: &'static str,
    pub environment: Environment,
}

impl Source {
    /// The median of figures that have no limit.
    pub fn figure(&self, what: &str, unit: &str, figures: &[f64]) -> Entry {
        let rounds = figures.iter().map(|figure| [*figure, 0.0]).collect();
        Entry {
            workload: self.workload.to_owned(),
            profile: self.profile.to_owned(),
            what: what.to_owned(),
            figure: Some(median(figures)),
            unit: unit.to_owned(),
            limit: None,
            limit_name: None,
            ratio: None,
            goal: None,
            at_most: false,
            absolute: false,
            met: true,
            cpu_us_per_op: None,
            limit_cpu_us_per_op: None,
            p50_ms: None,
            p99_ms: None,
            rounds,
            audit: Audit::default(),
            environment: self.environment.clone(),
        }
    }

    /// Rounds of ours and the limit.
    pub fn against(
        &self,
        what: &str,
        unit: &str,
        limit_name: &str,
        rounds: Vec<[f64; 2]>,
    ) -> Entry {
        let ours: Vec<f64> = rounds.iter().map(|round| round[0]).collect();
        let limits: Vec<f64> = rounds.iter().map(|round| round[1]).collect();
        let (figure, limit) = (median(&ours), median(&limits));
        Entry {
            limit: Some(limit),
            limit_name: Some(limit_name.to_owned()),
            ratio: (limit > 0.0).then(|| figure / limit),
            rounds,
            ..self.figure(what, unit, &ours)
        }
    }
}

impl Entry {
    pub fn at_least(mut self, goal: f64) -> Self {
        self.goal = Some(goal);
        self.judge()
    }

    pub fn at_most(mut self, goal: f64) -> Self {
        (self.goal, self.at_most) = (Some(goal), true);
        self.judge()
    }

    /// The goal is of the figure itself; the limit is shown beside it.
    pub fn absolute(mut self) -> Self {
        self.absolute = true;
        self
    }

    pub fn cpu(mut self, ours: f64, limit: Option<f64>) -> Self {
        (self.cpu_us_per_op, self.limit_cpu_us_per_op) = (Some(ours), limit);
        self
    }

    pub fn latency(mut self, p50_ms: f64, p99_ms: f64) -> Self {
        (self.p50_ms, self.p99_ms) = (Some(p50_ms), Some(p99_ms));
        self
    }

    /// The run's audit. A run that failed it has no figure.
    pub fn audited(mut self, audit: &Audit) -> Self {
        self.audit = audit.clone();
        if !audit.ok {
            (self.figure, self.ratio) = (None, None);
        }
        self.judge()
    }

    fn judge(mut self) -> Self {
        let judged = if self.limit.is_some() && !self.absolute {
            self.ratio
        } else {
            self.figure
        };
        self.met = match (judged, self.goal) {
            (_, None) => self.audit.ok,
            (None, Some(_)) => false,
            (Some(value), Some(goal)) if self.at_most => value <= goal,
            (Some(value), Some(goal)) => value >= goal,
        };
        self
    }
}

/// Writes the entries of a workload. Those of the other storage profile, from a run before, stay.
pub fn write(folder: &Path, workload: &str, entries: &[Entry]) -> anyhow::Result<()> {
    let path = folder.join(format!("{workload}.json"));
    let before = read(folder, workload);
    let profiles: Vec<&str> = entries.iter().map(|entry| entry.profile.as_str()).collect();
    let kept = before
        .into_iter()
        .filter(|entry| !profiles.contains(&entry.profile.as_str()));
    let all: Vec<Entry> = kept.chain(entries.iter().cloned()).collect();
    fs::write(&path, serde_json::to_string_pretty(&all)? + "\n")?;
    Ok(())
}

/// What was measured of a workload before; nothing if it never was.
pub fn read(folder: &Path, workload: &str) -> Vec<Entry> {
    let text = fs::read(folder.join(format!("{workload}.json")));
    let entries = text
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    entries.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            workload: "w0",
            profile: "real",
            environment: Environment::default(),
        }
    }

    #[test]
    fn a_ratio_is_judged() {
        let rounds = vec![[10.0, 1.0], [30.0, 1.0], [20.0, 1.0]];
        let entry = source().against("holds", "holds/s", "naive", rounds);
        let met = entry.clone().at_least(20.0);
        assert_eq!(
            (met.figure, met.ratio, met.met),
            (Some(20.0), Some(20.0), true)
        );
        assert!(!entry.at_least(21.0).met);
        assert!(source().figure("p99", "ms", &[5.0]).at_most(5.0).met);
    }

    #[test]
    fn what_was_oversold_has_no_figure() {
        let mut audit = Audit::default();
        audit.check(false, "sold at most 100");
        let entry = source().figure("holds", "holds/s", &[5.0]).at_least(1.0);
        assert!(entry.met);
        let entry = entry.audited(&audit);
        assert_eq!((entry.figure, entry.met), (None, false));
    }
}
