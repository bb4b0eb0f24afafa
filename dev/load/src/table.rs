//! Results as a table, for people.

use std::fmt::Write as _;

use crate::report::Entry;

const HEADS: [&str; 10] = [
    "workload",
    "what",
    "figure",
    "min–max",
    "limit",
    "ratio",
    "goal",
    "CPU µs",
    "p50/p99 ms",
    "",
];

pub fn render(entries: &[Entry]) -> String {
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(entries.iter().map(row));
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        text.push('\n');
    }
    for entry in entries {
        for failure in &entry.audit.failures {
            let _ = writeln!(text, "AUDIT {}: {failure}", entry.workload);
        }
    }
    text
}

/// For a document, with the machine and the date below.
pub fn markdown(entries: &[Entry]) -> String {
    let mut text = String::new();
    for cells in [HEADS.map(str::to_owned), HEADS.map(|_| "---".to_owned())]
        .into_iter()
        .chain(entries.iter().map(row))
    {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for environment in entries.iter().map(|entry| &entry.environment).take(1) {
        let _ = writeln!(
            text,
            "\n{}, {} cores of {}, Linux {}, PostgreSQL {} with fsync {} and synchronous_commit {}; fdatasync p50 {} µs, \
             p99 {} µs; cores shared between {}; commit {}.",
            environment.date,
            environment.cores,
            environment.cpu,
            environment.kernel,
            environment.postgres,
            environment.fsync,
            environment.synchronous_commit,
            environment.fdatasync_p50_us,
            environment.fdatasync_p99_us,
            environment.cores_shared_between,
            environment.commit,
        );
    }
    text
}

fn row(entry: &Entry) -> [String; 10] {
    let ours = entry.rounds.iter().map(|round| round[0]);
    let (least, most) = (
        ours.clone().fold(f64::MAX, f64::min),
        ours.fold(0.0, f64::max),
    );
    let or_empty = |value: Option<f64>| value.map_or_else(String::new, number);
    let goal = entry.goal.map_or_else(String::new, |goal| {
        let sign = if entry.at_most { "≤" } else { "≥" };
        format!("{sign} {}", number(goal))
    });
    let limit = entry.limit.map_or_else(String::new, |limit| {
        let name = entry.limit_name.as_deref().unwrap_or_default();
        format!("{} {name}", number(limit))
    });
    let latency = match (entry.p50_ms, entry.p99_ms) {
        (Some(p50), Some(p99)) => format!("{}/{}", number(p50), number(p99)),
        _ => String::new(),
    };
    let verdict = match (entry.audit.ok, entry.goal, entry.met) {
        (false, ..) => "AUDIT FAILED",
        (true, None, _) => "",
        (true, Some(_), true) => "met",
        (true, Some(_), false) => "missed",
    };
    let figure = entry.figure.map_or_else(|| "none".to_owned(), number);
    [
        format!("{} {}", entry.workload, entry.profile),
        entry.what.clone(),
        format!("{figure} {}", entry.unit),
        format!("{}–{}", number(least), number(most)),
        limit,
        or_empty(entry.ratio),
        goal,
        or_empty(entry.cpu_us_per_op),
        latency,
        verdict.to_owned(),
    ]
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 1000.0 => grouped(value),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.as_str()),
    };
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let shown = [0.0, 0.1234, 1.234, 12.34, 123.4, 1234.5, 1_234_567.0].map(number);
        assert_eq!(
            shown,
            ["0", "0.123", "1.23", "12.3", "123", "1,234", "1,234,567"]
        );
    }
}
