//! What W3 found, as entries.

use crate::{
    audit::Audit,
    cost::Cost,
    report::{Entry, Source},
    stats::{Latencies, median},
};

/// One round: ours and every limit, all in the same minute.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    pub ours: f64,
    pub cost: Cost,
    pub sold_out: f64,
    pub naive: f64,
    pub naive_cpu: f64,
    pub echo: f64,
    pub echo_cpu: f64,
    pub batched: f64,
    pub batched_cpu: f64,
}

impl Round {
    pub fn line(&self) -> String {
        format!(
            "  {:.0} holds/s at {:.0} CPU-µs ({:.0} of them PostgreSQL's), sold out {:.0}/s | naive {:.0}/s | \
             nothing stored {:.0}/s | one statement {:.0}/s at {:.1} CPU-µs",
            self.ours,
            self.cost.cpu_us,
            self.cost.postgres_us,
            self.sold_out,
            self.naive,
            self.echo,
            self.batched,
            self.batched_cpu,
        )
    }
}

#[derive(Debug)]
pub struct Measured {
    pub rounds: Vec<Round>,
    pub small: f64,
    /// Event pages per second.
    pub pages: f64,
    pub alone: Vec<[f64; 2]>,
    pub at_80: Latencies,
    pub at_50: Latencies,
    /// What the audit found where nothing guards the stock.
    pub control: Audit,
}

impl Measured {
    fn pairs(&self, limit: impl Fn(&Round) -> f64) -> Vec<[f64; 2]> {
        let pair = |round: &Round| [round.ours, limit(round)];
        self.rounds.iter().map(pair).collect()
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(&self.rounds.iter().map(of).collect::<Vec<_>>())
    }

    pub fn entries(mut self, source: &Source, audit: &Audit) -> Vec<Entry> {
        let naive_goal = if source.profile == "real" { 10.0 } else { 20.0 };
        let cpu = self.median(|round| round.cost.cpu_us);
        let (naive_cpu, echo_cpu) = (
            self.median(|round| round.naive_cpu),
            self.median(|round| round.echo_cpu),
        );
        let mut entries = vec![
            source
                .against(
                    "durable holds",
                    "holds/s",
                    "naive_http",
                    self.pairs(|r| r.naive),
                )
                .cpu(cpu, Some(naive_cpu))
                .latency(self.at_80.p50_ms(), self.at_80.p99_ms())
                .at_least(naive_goal),
            source
                .against(
                    "durable holds",
                    "holds/s",
                    "echo_chain",
                    self.pairs(|r| r.echo),
                )
                .cpu(cpu, Some(echo_cpu))
                .at_least(0.6),
            self.at_the_database(source),
            source.figure(
                "a small hall: 1,000 tickets, 20,000 guests",
                "holds/s",
                &[self.small],
            ),
            source
                .against(
                    "refusals when sold out",
                    "answers/s",
                    "w1_event_page",
                    self.rounds
                        .iter()
                        .map(|r| [r.sold_out, self.pages])
                        .collect(),
                )
                .at_least(0.8),
            source
                .figure(
                    "p99 of a hold at 80 % of the peak",
                    "ms",
                    &[self.at_80.p99_ms()],
                )
                .at_most(25.0),
            source.figure(
                "p99 of a hold at 50 % of the peak",
                "ms",
                &[self.at_50.p99_ms()],
            ),
            source
                .against(
                    "p50 of one caller alone",
                    "ms",
                    "naive_http",
                    self.alone.clone(),
                )
                .at_most(1.3),
        ];
        entries.extend(self.laws(source));
        let mut entries: Vec<Entry> = entries.into_iter().map(|one| one.audited(audit)).collect();
        entries.push(self.control_entry(source));
        entries
    }

    /// The share of PostgreSQL's time that one statement in a loop would have needed, too.
    fn at_the_database(&self, source: &Source) -> Entry {
        let pair = |round: &Round| [round.batched_cpu, round.cost.postgres_us];
        let share = self.rounds.iter().map(pair).collect();
        source
            .against(
                "PostgreSQL's CPU-µs per hold: one statement in a loop, over ours",
                "µs",
                "ours",
                share,
            )
            .at_least(0.8)
    }

    fn laws(&self, source: &Source) -> Vec<Entry> {
        let collect = |of: fn(&Cost) -> Option<f64>| -> Option<Vec<f64>> {
            self.rounds.iter().map(|round| of(&round.cost)).collect()
        };
        let wal = collect(|cost| cost.wal_bytes);
        let flushes = collect(|cost| cost.flushes);
        let wal = wal.map(|bytes| {
            source
                .figure("WAL per hold", "bytes", &bytes)
                .at_most(1228.8)
        });
        let flushes = flushes.map(|counts| {
            source
                .figure("flushes per hold", "flushes", &counts)
                .at_most(0.02)
        });
        wal.into_iter().chain(flushes).collect()
    }

    /// Its audit must fail, so here finding something is the goal.
    fn control_entry(&self, source: &Source) -> Entry {
        let found = self.control.failures.len();
        let mut entry = source
            .figure(
                "control without a guard: faults the audit finds",
                "faults",
                &[found as f64],
            )
            .at_least(1.0);
        entry.audit.check(
            self.control
                .failures
                .iter()
                .any(|one| one.contains("held and sold of")),
            "without a guard more is sold than there is, and the audit finds it",
        );
        entry.audit.checked.extend(self.control.failures.clone());
        entry
    }
}
