//! When to try and to ask again.

use std::time::Duration;

/// Where nothing changes by asking, but a person may change it.
pub const SELDOM: Duration = Duration::from_secs(3600);

/// How long the saga waits after `failures` failed steps in a row: 1 s, doubled up to a minute.
pub fn retry_after(failures: i32) -> Duration {
    let exponent = u32::try_from(failures.clamp(1, 7) - 1).unwrap_or(0);
    Duration::from_secs(1 << exponent).min(Duration::from_secs(60))
}

/// How long the reconciler waits before it asks the provider about an open payment once more, after
/// `checks` times without news: 15 s, 1, 5, 15 min, then hourly.
pub fn next_check_after(checks: i32) -> Duration {
    Duration::from_secs(match checks {
        ..=0 => 15,
        1 => 60,
        2 => 300,
        3 => 900,
        _ => SELDOM.as_secs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let secs: Vec<u64> = (0..9).map(|n| retry_after(n).as_secs()).collect();
        assert_eq!(secs, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        let checks: Vec<u64> = (0..6).map(|n| next_check_after(n).as_secs()).collect();
        assert_eq!(checks, [15, 60, 300, 900, 3600, 3600]);
    }
}
