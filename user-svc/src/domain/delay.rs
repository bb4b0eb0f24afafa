use time::Duration;

/// How wrong passwords slow down the next one. Nobody is locked out: the longest wait is bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay {
    /// So many cost nothing.
    pub(crate) free: i32,
    pub(crate) longest: Duration,
}

/// The owner's own mistakes, from where they were before.
pub(crate) const AT_HOME: Delay = Delay {
    free: 5,
    longest: Duration::minutes(1),
};
/// Whoever tries one account from anywhere else, all together.
pub(crate) const ELSEWHERE: Delay = Delay {
    free: 10,
    longest: Duration::minutes(15),
};
/// Whoever tries any accounts from one network.
pub(crate) const FROM_NETWORK: Delay = Delay {
    free: 20,
    longest: Duration::minutes(15),
};
/// After so long without a mistake the count begins anew.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::hours(24);
/// A network is known for so long after its last sign-in.
pub(crate) const NETWORK_KNOWN_FOR: Duration = Duration::days(60);

impl Delay {
    /// 1, 2, 4 … seconds from the first mistake on that is not free.
    pub(crate) fn after(self, failures: i32) -> Duration {
        let costly = failures - self.free;
        if costly <= 0 {
            return Duration::ZERO;
        }
        let doublings = u32::try_from(costly - 1).unwrap_or(0).min(30);
        Duration::seconds(1 << doublings).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_its_longest() {
        let waits = |delay: Delay| (1..=40).map(move |failures| delay.after(failures));
        let home: Vec<i64> = waits(AT_HOME).map(Duration::whole_seconds).collect();
        assert_eq!(home[..13], [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits(ELSEWHERE).max(), Some(Duration::minutes(15)));
        assert_eq!(FROM_NETWORK.after(i32::MAX), Duration::minutes(15));
    }
}
