//! What Prometheus keeps of a look, and looks laid out in the minutes of the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// As `ops/compose/prometheus.yaml` names what it asks.
const TARGET: [(&str, &str); 3] = [
    ("job", "boxoffice"),
    ("instance", "boxoffice:9464"),
    ("member", "boxoffice"),
];

/// The metrics of one moment, by series.
pub struct Look(BTreeMap<String, Sample>);

#[derive(Clone, Copy)]
struct Sample {
    value: f64,
    /// It only ever grows: a counter, or a part of a histogram.
    counts: bool,
}

impl Look {
    /// Nobody knows of anything that could be asked.
    pub fn at_nothing() -> Self {
        Self(BTreeMap::new())
    }

    /// What is asked does not answer.
    pub fn without_answer() -> Self {
        Self(BTreeMap::from([up(0.0)]))
    }

    /// The text of `/metrics`.
    pub fn at(text: &str) -> Self {
        let mut counting = BTreeSet::new();
        let mut series = BTreeMap::from([up(1.0)]);
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                if kind != "gauge" {
                    counting
                        .extend(["", "_bucket", "_sum", "_count"].map(|end| name.to_owned() + end));
                }
            } else if let Some((name, labels, value)) = read(line) {
                let counts = counting.contains(name);
                series.insert(series_of(name, labels), Sample { value, counts });
            }
        }
        Self(series)
    }

    /// Of all series of a metric.
    pub fn values(&self, metric: &str) -> Vec<f64> {
        let of_it = |series: &str| name_of(series) == metric;
        let of_it = self.0.iter().filter(|(series, _)| of_it(series));
        of_it.map(|(_, sample)| sample.value).collect()
    }
}

/// Looks in the order in which they were, and what each series was in every minute.
pub struct Story {
    series: BTreeMap<String, Vec<Option<f64>>>,
    minutes: usize,
}

impl Story {
    /// What it is at minute 0.
    pub fn begin(look: &Look) -> Self {
        let values = look.0.iter();
        Self {
            series: values
                .map(|(series, sample)| (series.clone(), vec![Some(sample.value)]))
                .collect(),
            minutes: 0,
        }
    }

    /// The last minute of it.
    pub fn minutes(&self) -> usize {
        self.minutes
    }

    /// So many minutes, in each of which as much is counted as between the two looks; what is not counted is as it
    /// was in the end.
    pub fn go_on(&mut self, from: &Look, to: &Look, minutes: usize) {
        let length = self.minutes + 1;
        for series in to.0.keys() {
            let empty = || vec![None; length];
            self.series.entry(series.clone()).or_insert_with(empty);
        }
        for (series, values) in &mut self.series {
            for _ in 0..minutes {
                let last = values.last().copied().flatten();
                let before = from.0.get(series).map_or(0.0, |sample| sample.value);
                values.push(to.0.get(series).map(|sample| match sample.counts {
                    true => last.unwrap_or(0.0) + sample.value - before,
                    false => sample.value,
                }));
            }
        }
        self.minutes += minutes;
    }

    /// As promtool reads it, without what a rule does not name: `_` is nothing yet, `stale` nothing any more.
    pub fn text(&self, rule: &str) -> String {
        let mut text = String::new();
        for (series, values) in &self.series {
            if !rule.contains(name_of(series)) {
                continue;
            }
            write!(text, "  - {{series: '{series}', values: '").unwrap();
            let mut before = None;
            for value in values {
                match value {
                    Some(value) => write!(text, "{value} ").unwrap(),
                    None if before.is_some() => text.push_str("stale "),
                    None => text.push_str("_ "),
                }
                before = *value;
            }
            text.push_str("'}\n");
        }
        text
    }
}

fn up(value: f64) -> (String, Sample) {
    let counts = false;
    (series_of("up", ""), Sample { value, counts })
}

/// Name, labels and value of a line of Prometheus text.
fn read(line: &str) -> Option<(&str, &str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    Some((name, labels.strip_suffix('}')?, value.parse().ok()?))
}

/// With the labels of what was asked. What a metric says of itself goes first (`honor_labels`).
fn series_of(name: &str, labels: &str) -> String {
    let mut all: Vec<String> = Vec::new();
    if !labels.is_empty() {
        all.push(labels.to_owned());
    }
    for (label, value) in TARGET {
        if !labels.contains(&format!("{label}=\"")) {
            all.push(format!("{label}=\"{value}\""));
        }
    }
    format!("{name}{{{}}}", all.join(","))
}

fn name_of(series: &str) -> &str {
    series.split('{').next().unwrap_or(series)
}
