//! Numbers about numbers.

use std::time::Duration;

/// How long each answer took, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    micros: Vec<u32>,
    sorted: bool,
}

impl Latencies {
    pub fn record(&mut self, took: Duration) {
        self.micros
            .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.sorted = false;
    }

    pub fn extend(&mut self, other: &Self) {
        self.micros.extend_from_slice(&other.micros);
        self.sorted = false;
    }

    pub fn count(&self) -> u64 {
        self.micros.len() as u64
    }

    /// Milliseconds that this share of the answers stayed below; 0 of none.
    pub fn ms(&mut self, share: f64) -> f64 {
        if !self.sorted {
            self.micros.sort_unstable();
            self.sorted = true;
        }
        let Some(last) = self.micros.len().checked_sub(1) else {
            return 0.0;
        };
        // A share of an index is an index again.
        let at = usize::try_from(whole((last as f64 * share).round())).unwrap_or(last);
        let at = at.min(last);
        f64::from(self.micros[at]) / 1000.0
    }

    pub fn p50_ms(&mut self) -> f64 {
        self.ms(0.50)
    }

    pub fn p99_ms(&mut self) -> f64 {
        self.ms(0.99)
    }
}

/// The middle one; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// A count that was computed: what is behind the point is left out, and below zero is zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts here are far below 2^53, and the cast saturates"
)]
pub fn whole(count: f64) -> u64 {
    count as u64
}

/// Operations in a second.
pub fn rate(operations: u64, took: Duration) -> f64 {
    operations as f64 / took.as_secs_f64().max(1e-9)
}

/// Microseconds of CPU for each operation.
pub fn per_op(cpu: Duration, operations: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / (operations.max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let mut latencies = Latencies::default();
        for ms in (1..=101).rev() {
            latencies.record(Duration::from_millis(ms));
        }
        assert_eq!((latencies.p50_ms(), latencies.p99_ms()), (51.0, 100.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
